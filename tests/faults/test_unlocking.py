"""The kernel needs memory to unlock what is in the middle of a lock, and may have none (ENOLCK)."""

import errno
import os
import sys

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import HOLDER, OURS, Background, until, waiters  # noqa: E402

import lockutils  # noqa: E402
from lockutils.backends.file import syscalls  # noqa: E402
from lockutils.backends.file.queue import Place  # noqa: E402
from lockutils.backends.file.tickets import Line, Ticket  # noqa: E402

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


def new_place(tmp_path):
    place = Place(os.fsencode(tmp_path / "it"))
    place.line = Line()
    return place


def test_a_ticket_is_given_back_all_the_same(tmp_path, fail_in_queue):
    """Others of the process keep the descriptor open, so that closing does not free it."""
    ours, others = new_place(tmp_path), new_place(tmp_path)
    tickets = [Ticket(ours), Ticket(ours), Ticket(ours), Ticket(others)]
    for ticket in tickets:
        ticket.take()
    failures = fail_in_queue(syscalls.UNLOCK, 3)

    for ticket in tickets[1], tickets[0], tickets[2]:
        assert not tickets[3].is_first()
        ticket.drop_number()

    assert not failures
    assert ours.line.cell
    assert tickets[3].is_first()
    for ticket in tickets:
        ticket.give_back()


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


def test_who_goes_on_for_another_waits_unseen_if_need_be(holder, lock, fail_in_queue, tmp_path):
    """The order is the kernel's, then."""
    while not waiters(tmp_path / "name"):  # else the time was up before the helper began
        assert not lock.acquire(timeout=0.05)
    failures = fail_in_queue(syscalls.READ, 2)
    waiter = Background(lock.acquire, timeout=30)
    until(lambda: not failures, "the second waiter goes on for the first")

    assert holder.ask() == "released"

    assert waiter.result()
    lock.release()


def test_a_timeout_while_another_tool_has_the_record_lock(peers, lock, monkeypatch, tmp_path):
    """The helper has the flock meanwhile, and is to let go of it."""
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
    real, failures = syscalls.flock_unlock, []

    def fail(descriptor):
        if sys._getframe(1).f_code.co_name != "_let_others_pass":  # after a try, say
            return real(descriptor)
        failures.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(syscalls, "flock_unlock", fail)
    while not failures:  # else the time was up before the helper began
        assert not lock.acquire(timeout=0.05)
    monkeypatch.undo()

    tool.end()
    assert lock.acquire(timeout=30)
    lock.release()
