"""What the model found in the code, played there."""

import os
import signal
import threading
import time

import pytest

pytest.importorskip("fcntl")

import lockutils
from lockutils.backends.file import request, syscalls
from lockutils.backends.file.directory import Directory
from lockutils.backends.file.opening import open_file
from lockutils.backends.file.queue import BYTES, TICKETS, QueueRange
from lockutils.backends.file.tickets import QueueEntry
from lockutils.parking import callback, sleeper


@pytest.fixture
def two_threads(tmp_path):
    """Two entries of one process; and a look at the tickets by another process."""
    place = QueueRange(os.fsencode(tmp_path / "it"))
    box, all_tickets = [], syscalls.span(syscalls.READ, place.first_byte, TICKETS * BYTES)
    open_file(box, place.queue)
    entries = [QueueEntry(place, strict=True) for _ in range(2)]
    yield (*entries, lambda: syscalls.span_in_use(box[0], all_tickets))
    for entry in entries:
        entry.give_back()
    syscalls.close(box)


def test_a_number_that_is_locked_late_does_not_stay_locked(two_threads, monkeypatch):
    one, another, seen = two_threads
    real = syscalls.span_try

    def late(*what):
        monkeypatch.setattr(syscalls, "span_try", real)
        another.take()
        another.give_back()
        return real(*what)

    monkeypatch.setattr(syscalls, "span_try", late)
    one.take()
    one.give_back()

    assert seen() is None
    assert not one.tickets.numbers


def test_a_number_is_not_taken_while_another_thread_is_about_to_unlock_it(two_threads, monkeypatch):
    one, another, seen = two_threads
    real, real_unlock, unlocks = QueueEntry._find, syscalls.span_unlock, []

    def find(entry, *where):
        found = real(entry, *where)
        if entry is one:
            monkeypatch.setattr(QueueEntry, "_find", real)
            another.take()
            monkeypatch.setattr(syscalls, "span_unlock", lambda *what: unlocks.append(what))
            another.give_back()
            monkeypatch.setattr(syscalls, "span_unlock", real_unlock)
        return found

    monkeypatch.setattr(QueueEntry, "_find", find)
    one.take()
    for what in unlocks:
        real_unlock(*what)

    assert seen() is not None


def test_a_release_before_a_helper_that_cannot_be_called_back_has_left(tmp_path, monkeypatch):
    pytest.importorskip("ctypes")  # without it, no helper sleeps for others
    monkeypatch.setattr(callback, "_library", None)
    monkeypatch.setattr(callback, "_problem", "none")
    directory = Directory(os.fsencode(tmp_path))
    held, next_one = directory.request("it"), directory.request("it")
    granted, goes_on, end = threading.Event(), threading.Event(), sleeper.Sleeper.end

    def slow_end(of):
        if held._call is not None and of is held._call._sleeper:
            granted.set()
            goes_on.wait()
        end(of)

    monkeypatch.setattr(sleeper.Sleeper, "end", slow_end)
    held.enqueue()
    held.start(lambda: None)
    granted.wait()
    threading.Timer(0.05, goes_on.set).start()
    held.cancel()

    assert next_one.try_now()
    next_one.cancel()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_fourth_is_served_behind_a_stopped_second(tmp_path, monkeypatch):
    monkeypatch.setattr(request, "_LOOK", 0.02)
    lock = lockutils.lock("it", external=True, lock_path=str(tmp_path))
    lock.acquire()
    waiters = []
    for _ in range(4):
        child = os.fork()
        if not child:
            with lockutils.lock("it", external=True, lock_path=str(tmp_path)):
                time.sleep(0.05)
            os._exit(0)
        waiters.append(child)
        _until_asleep(child)
    second = waiters.pop(1)
    os.kill(second, signal.SIGSTOP)
    try:
        lock.release()
        assert [_ends(child) for child in waiters] == [True] * 3
    finally:
        os.kill(second, signal.SIGCONT)
        for child in (second, *waiters):
            _ends(child)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("timeout", [None, 60])
def test_who_cannot_be_called_back_is_served_behind_a_stopped_one(tmp_path, monkeypatch, timeout):
    monkeypatch.setattr(callback, "_library", None)
    monkeypatch.setattr(callback, "_problem", "none")
    lock = lockutils.lock("it", external=True, lock_path=str(tmp_path))
    lock.acquire()
    first = _waiter(tmp_path)
    _until_asleep(first)
    os.kill(first, signal.SIGSTOP)
    os.waitpid(first, os.WUNTRACED)
    try:
        lock.release()
        assert _ends(_waiter(tmp_path, timeout))
    finally:
        os.kill(first, signal.SIGCONT)
        _ends(first)


def _waiter(tmp_path, timeout=None):
    child = os.fork()
    if not child:
        lockutils.lock("it", external=True, lock_path=str(tmp_path)).acquire(timeout=timeout)
        os._exit(0)
    return child


def _until_asleep(child):
    """Wait until it waits for a lock: it has nothing else to sleep for so long."""
    calm, end = 0, time.monotonic() + 10
    while calm < 20 and time.monotonic() < end:
        with open(f"/proc/{child}/stat") as file:
            calm = calm + 1 if file.read().rsplit(")", 1)[1].split()[0] == "S" else 0
        time.sleep(0.005)


def _ends(child):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                return True
        except ChildProcessError:
            return True
        time.sleep(0.01)
    return False
