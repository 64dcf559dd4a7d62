"""Who is served in strict order passes nobody, also where it cannot be seen who waits."""

import errno
import os
import signal

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import HOLDER, sleeps_for_a_lock, until  # noqa: E402

import lockutils  # noqa: E402
from lockutils.backends.file import syscalls  # noqa: E402

if not hasattr(fcntl, "F_OFD_SETLK"):
    pytest.skip("no open file description locks on this platform", allow_module_level=True)

FAIR = "lock('name', external=True, lock_path=sys.argv[1], fair=True)"


@pytest.fixture
def a_stopped_waiter(peers, tmp_path):
    """The lock is free, and one who waits for it in order has not taken it yet."""
    holder = peers.python(HOLDER.format(FAIR), tmp_path)
    assert holder.hear() == "held"
    waiter = peers.python(HOLDER.format(FAIR), tmp_path)
    pid = waiter.process.pid
    until(lambda: sleeps_for_a_lock(pid), "the second one waits")
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    assert holder.ask() == "released"
    yield waiter
    os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("how", [{}, {"shared": True}, {"slots": 2}], ids=str)
@pytest.mark.parametrize("error_number", [errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO])
def test_a_look_that_fails_is_an_error(a_stopped_waiter, tmp_path, monkeypatch, how, error_number):
    queue = os.fsencode(tmp_path / ".lockutils-queue")
    real, lock = syscalls._open, lock_in(tmp_path, **how)
    assert not lock.acquire(blocking=False)

    def fail_for_queue(path, *args):
        if path == queue:
            raise OSError(error_number, os.strerror(error_number))
        return real(path, *args)

    with monkeypatch.context() as trouble:
        trouble.setattr(syscalls, "_open", fail_for_queue)
        for options in {"blocking": False}, {"timeout": 0.01}:
            with pytest.raises(lockutils.LockPathError) as refusal:
                lock.acquire(**options)
            assert refusal.value.errno == error_number
            assert refusal.value.filename == os.fsdecode(queue)

    os.kill(a_stopped_waiter.process.pid, signal.SIGCONT)
    assert a_stopped_waiter.hear() == "held"
    assert a_stopped_waiter.ask() == "released"
    assert lock.acquire(timeout=30)
    lock.release()


def lock_in(directory, **how):
    return lockutils.lock("name", external=True, lock_path=directory, fair=True, **how)
