"""The backend for platforms without ``fcntl``; it works on the others, too."""

import os

import pytest
from conformance import BackendConformance, FileConformance
from processes import InProcess

from lockutils.backends.file.directory import Directory
from lockutils.backends.windows import PortableRequest
from lockutils.errors import LockPathError


class PortableDirectory(Directory):
    """A directory on such a platform."""

    shares = False

    def request(self, key, *, shared=False, slots=1, fair=False):
        return PortableRequest(key, self, fair)


class TestPortableBackend(BackendConformance, FileConformance):
    ways = ()
    modes = ("exclusive",)
    has_order = False

    @pytest.fixture
    def backend(self, tmp_path):
        return PortableDirectory(os.fsencode(tmp_path / "locks"))

    @pytest.fixture
    def elsewhere(self, peers, backend):
        where = "lockutils.backends.windows", "PortableRequest"
        return lambda **mode: InProcess(peers, backend.path, mode, *where)

    def test_has_no_order(self, new_request):
        with pytest.raises(LockPathError):
            new_request(fair=True).enqueue()

    def test_nothing_waits_in_the_background(self, new_request):
        assert not new_request().start(pytest.fail)
