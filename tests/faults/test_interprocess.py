"""An ``InterProcessLock`` that cannot have its second lock does not keep the first."""

import errno
import os

import pytest

fcntl = pytest.importorskip("fcntl")

from lockutils import InterProcessLock  # noqa: E402
from lockutils.backends.file import syscalls  # noqa: E402

if not hasattr(fcntl, "F_OFD_SETLK"):
    pytest.skip("no open file description locks on this platform", allow_module_level=True)


def test_nothing_is_held_after_an_error(monkeypatch, tmp_path):
    lock = InterProcessLock(tmp_path / "it")

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as trouble:
        trouble.setattr(syscalls, "_fcntl", fail)
        with pytest.raises(Exception, match=os.strerror(errno.EIO)):
            lock.acquire(blocking=False)

    with open(tmp_path / "it") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert lock.acquire(blocking=False)
    lock.release()
