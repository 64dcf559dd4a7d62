"""A process that took a passing trouble for a missing kind of lock would let others in for ever."""

import errno
import os

import pytest

fcntl = pytest.importorskip("fcntl")

from lockutils.backends.file import lock_kinds, syscalls  # noqa: E402
from lockutils.backends.file.directory import Directory  # noqa: E402
from lockutils.backends.file.request import FileRequest  # noqa: E402

if not hasattr(fcntl, "F_OFD_SETLK"):
    pytest.skip("no open file description locks on this platform", allow_module_level=True)

# Has the record lock alone, so that whoever meets it tries what kinds of lock there are.
FOREIGN = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    "error_number", [errno.ENOLCK, errno.EIO, errno.ENOMEM, errno.ESTALE, errno.EACCES]
)
@pytest.mark.parametrize("kind", ["flock", "_fcntl"])
def test_trouble_in_the_probe_teaches_nothing(monkeypatch, peers, tmp_path, kind, error_number):
    monkeypatch.setattr(lock_kinds, "_of_device", {})
    foreign = peers.python(FOREIGN, tmp_path / "key")
    assert foreign.hear() == "held"
    lock_file = os.stat(tmp_path / "key")
    real = getattr(syscalls, kind)

    def fail_elsewhere(descriptor, *args):
        if not os.path.samestat(os.fstat(descriptor), lock_file):
            raise OSError(error_number, os.strerror(error_number))
        return real(descriptor, *args)

    with monkeypatch.context() as trouble:
        trouble.setattr(syscalls, kind, fail_elsewhere)
        contender = FileRequest("key", Directory(os.fsencode(tmp_path)))
        assert not contender.try_now()
    foreign.end()

    assert contender.try_now()
    with open(tmp_path / "key", "ab") as file:
        for lock in fcntl.flock, fcntl.lockf:
            with pytest.raises((BlockingIOError, PermissionError)):
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    contender.cancel()
