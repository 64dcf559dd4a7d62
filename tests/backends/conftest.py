import errno
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for conformance, in any import mode
pytest.register_assert_rewrite("conformance")

from lock_peers import open_descriptors  # noqa: E402


@pytest.fixture
def no_descriptor_leaks(tmp_path):
    """The test ends with nothing open in its directory, be it removed since or not.

    But for the queue file, which closes with the last request that used it.
    """
    yield
    opened = [target for target in open_descriptors().values() if str(tmp_path) in target]
    assert not [target for target in opened if ".lockutils-queue" not in target]


@pytest.fixture
def only_to_read(monkeypatch):
    """From when it is called on, no file that is there can be opened to be written to."""
    from lockutils.backends.file import syscalls

    real = syscalls._open

    def open_to_read(path, flags, *mode):
        if flags & os.O_RDWR and os.path.isfile(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *mode)

    return lambda: monkeypatch.setattr(syscalls, "_open", open_to_read)
