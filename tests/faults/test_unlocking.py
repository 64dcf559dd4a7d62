"""An unlock that fails for a moment.

The kernel needs memory to unlock what is in the middle of a lock, and may have none (ENOLCK); a
network file system may not reach its server (EIO), or be interrupted (EINTR).
"""

import errno
import os
import sys

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import HOLDER, OURS, Background, waiters  # noqa: E402

import lockutils  # noqa: E402
from lockutils.backends.file import syscalls  # noqa: E402
from lockutils.backends.file.queue import LocalTickets, QueueRange  # noqa: E402
from lockutils.backends.file.tickets import QueueEntry  # noqa: E402

if not hasattr(fcntl, "F_OFD_SETLK"):
    pytest.skip("no open file description locks on this platform", allow_module_level=True)


@pytest.fixture
def fail_in_queue(monkeypatch, tmp_path):
    """Have one kind of record lock fail in the queue file, so many times."""
    real = syscalls._fcntl

    def fail_in_queue(kind, times, error_number=errno.ENOLCK):
        left = [None] * times

        def call(descriptor, command, lock):
            is_it = syscalls._struct_flock.unpack(lock)[0] == kind and command == syscalls._SETLK
            if is_it and left and os.path.samestat(os.fstat(descriptor), queue.stat()):
                left.pop()
                raise OSError(error_number, os.strerror(error_number))
            return real(descriptor, command, lock)

        monkeypatch.setattr(syscalls, "_fcntl", call)
        return left

    queue = tmp_path / ".lockutils-queue"
    return fail_in_queue


def entries(tmp_path, count):
    """What stands in line for one process."""
    place, tickets = QueueRange(os.fsencode(tmp_path / "it")), LocalTickets()
    made = []
    for _ in range(count):
        made.append(QueueEntry(place, strict=False))
        made[-1].tickets = tickets
        made[-1].take()
    return made


@pytest.mark.parametrize("error_number", [errno.ENOLCK, errno.EIO, errno.EINTR, errno.ENOMEM])
def test_a_ticket_is_given_back_all_the_same(tmp_path, fail_in_queue, error_number):
    """Others of the process keep the descriptor open, so that closing does not free it."""
    ours, (theirs,) = entries(tmp_path, 3), entries(tmp_path, 1)
    failures = fail_in_queue(syscalls.UNLOCK, 3, error_number)

    for entry in ours[1], ours[0], ours[2]:
        assert theirs.ahead(theirs.tickets.lowest(), 1)
        entry.give_back()

    assert not failures
    assert ours[0].tickets.fd_box
    assert not theirs.ahead(theirs.tickets.lowest(), 1)
    theirs.give_back()


@pytest.fixture
def holder(peers, tmp_path):
    peer = peers.python(HOLDER.format(OURS), tmp_path)
    assert peer.hear() == "held"
    return peer


@pytest.fixture
def lock(tmp_path):
    return lockutils.lock("name", external=True, lock_path=tmp_path)


@pytest.mark.parametrize("error_number", [errno.ENOLCK, errno.EIO])
def test_a_timeout_is_no_error(holder, lock, fail_in_queue, error_number):
    failures = fail_in_queue(syscalls.UNLOCK, 1, error_number)

    assert not lock.acquire(timeout=0.01)

    assert not failures
    assert holder.ask() == "released"
    assert lock.acquire(timeout=30)
    lock.release()


def test_a_timeout_while_another_tool_has_the_record_lock(peers, lock, monkeypatch, tmp_path):
    """The waiter has the flock meanwhile, and is to let go of it."""
    (tmp_path / "name").touch()
    tool = peers.python(
        "import fcntl, sys\n"
        "file = open(sys.argv[1], 'rb+')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n",
        tmp_path / "name",
    )
    assert tool.hear() == "held"
    seen = []
    real, failures = syscalls.flock, []

    def fail(fd, operation):
        if operation == fcntl.LOCK_UN and sys._getframe(1).f_code.co_name == "release":
            failures.append(fd)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, operation)

    monkeypatch.setattr(syscalls, "flock", fail)
    while "OFDLCK" not in seen:
        waiter = Background(lock.acquire, timeout=0.05)
        while not waiter.join(0.001):
            seen += waiters(tmp_path / "name")
        assert not waiter.result()
    assert failures
    monkeypatch.undo()

    tool.end()
    assert lock.acquire(timeout=30)
    lock.release()
