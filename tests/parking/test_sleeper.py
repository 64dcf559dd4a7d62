"""Threads that sleep in a system call, and are called back; signals that the program uses."""

import ctypes
import os
import signal
import sys
import threading
import time

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import WATCHDOG, Background, run_python, until, waiters  # noqa: E402
from stepping import each_step  # noqa: E402

from lockutils.parking import callback, sleeper  # noqa: E402
from lockutils.parking.deadline import Deadline  # noqa: E402
from lockutils.parking.sleeper import Sleeper  # noqa: E402

if sys.platform != "linux":
    pytest.skip("no calling back on this platform", allow_module_level=True)


assert callback.why_not() is None  # which also loads it


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.fixture
def held(path):
    """The file, locked by another description."""
    with open(path, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


class Sleeping:
    """A thread that sleeps for a flock."""

    def __init__(self, path, deadline=None, around=lambda call: call()):
        self.sleeper = Sleeper(deadline)
        self._path = path
        self._around = around
        self.over = threading.Event()
        self._thread = Background(self._run)

    def _run(self):
        return self._around(self._sleep)

    def _sleep(self):
        with open(self._path, "rb+") as file:
            assert self.sleeper.begin()
            try:
                return self.sleeper.flock(file.fileno(), fcntl.LOCK_EX)
            finally:
                self.sleeper.end()

    def result(self):
        return self._thread.result()


def until_asleep(path):
    until(lambda: waiters(path), "it sleeps")


class TestCallBack:
    def test_of_a_thread_that_sleeps(self, path, held):
        sleeping = Sleeping(path)
        until_asleep(path)

        assert sleeping.sleeper.call_back(patience=None)

        assert sleeping.result() is False
        assert not waiters(path)

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_of_a_thread_that_is_not_in_its_call(self, path, held, monkeypatch, when):
        """A signal that comes before the call is lost: it comes again until it has left."""
        began, go_on = threading.Event(), threading.Event()
        real = callback._library.c.flock

        def late(*args):
            if when == "before":
                began.set()
                assert go_on.wait(WATCHDOG)
            outcome = real(*args)
            if when == "after":
                began.set()
                assert go_on.wait(WATCHDOG)
            return outcome

        monkeypatch.setattr(callback._library.c, "flock", late)
        sleeping = Sleeping(path)
        if when == "after":
            until_asleep(path)
            fcntl.flock(held, fcntl.LOCK_UN)
        assert began.wait(WATCHDOG)
        calling = Background(sleeping.sleeper.call_back, patience=None)
        assert not calling.join(0.01)
        go_on.set()

        assert calling.result()
        assert sleeping.result() is (when == "after")  # what it has got it says

    def test_of_one_that_has_left_is_no_wait_and_no_signal(self, path, monkeypatch):
        sleeping = Sleeping(path)
        assert sleeping.result() is True
        monkeypatch.setattr(callback._library.c, "tgkill", pytest.fail)

        for _ in range(3):
            assert sleeping.sleeper.call_back(patience=None)

    def test_is_given_up_if_the_thread_does_not_come_to_run(self, path, held, monkeypatch):
        monkeypatch.setattr(callback._library.c, "tgkill", lambda *_: 0)
        sleeping = Sleeping(path)
        until_asleep(path)

        assert not sleeping.sleeper.call_back(patience=0.01)

        monkeypatch.undo()
        assert sleeping.sleeper.call_back(patience=None)
        sleeping.result()

    def test_by_the_thread_itself_keeps_it_from_sleeping(self, path, held):
        """A finaliser may run in the very thread, between its last look and its call."""
        one = Sleeper()
        assert one.begin()
        real = callback._library.c.flock

        def flock(*args):
            assert not one.call_back(patience=None)
            return real(*args)

        try:
            with open(path, "rb+") as file:
                assert one._sleep(None, flock, file.fileno(), fcntl.LOCK_EX) is False
        finally:
            one.end()

    @pytest.mark.parametrize("has_left", [True, False])
    def test_again_after_a_handler_raised_at_any_instruction(self, path, held, has_left):
        """The first call may have been about to say that the thread has left."""

        def interrupt():
            raise KeyboardInterrupt

        for stepping in each_step(interrupt, sleeper.__file__):
            sleeping = Sleeping(path)
            until_asleep(path)
            if has_left:
                sleeping.sleeper.call_back(patience=None)
            try:
                with stepping:
                    sleeping.sleeper.call_back(patience=None)
            except KeyboardInterrupt:
                pass
            assert Background(sleeping.sleeper.call_back, patience=None).result()
            assert sleeping.result() is False

    def test_by_many_at_once(self, path, held):
        sleeping = [Sleeping(path) for _ in range(8)]
        until(lambda: len(waiters(path)) == 8, "all sleep")

        calls = [Background(one.sleeper.call_back, patience=None) for one in sleeping * 3]

        assert all(call.result() for call in calls)
        assert [one.result() for one in sleeping] == [False] * 8


class TestTimer:
    def test_ends_the_call(self, path, held):
        sleeping = Sleeping(path, Deadline(0.02, time.monotonic))

        assert sleeping.result() is False

    def test_of_a_longer_wait_than_it_can_be_set_to(self, path, held, monkeypatch):
        monkeypatch.setattr(sleeper, "_LONGEST", 0.001)
        sleeping = Sleeping(path, Deadline(0.05, time.monotonic))

        assert sleeping.result() is False

    def test_that_fires_before_the_call_fires_again(self, path, held, monkeypatch):
        real = callback._library.c.flock

        def late(*args):
            monkeypatch.setattr(callback._library.c, "flock", real)
            time.sleep(0.03)  # not a wait for anything: the timer is to have fired
            return real(*args)

        monkeypatch.setattr(callback._library.c, "flock", late)

        assert Sleeping(path, Deadline(0.01, time.monotonic)).result() is False

    def test_leaves_no_signal_and_no_timer(self, path, held):
        """What the thread does next is not interrupted."""

        def around(call):
            assert call() is False
            number = callback._library.signal()
            return signal.sigtimedwait([number], 0.05) if number in blocked() else None

        assert Sleeping(path, Deadline(0.01, time.monotonic), around).result() is None
        with open("/proc/self/timers") as timers:
            assert not timers.read()

    def test_that_is_not_to_be_had_is_said_before_the_sleep(self, monkeypatch):
        monkeypatch.setattr(callback._library.c, "timer_create", lambda *_: -1)
        one = Sleeper(Deadline(10, time.monotonic))

        assert not one.begin()

        one.end()


def blocked():
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])


class TestSignals:
    def test_a_thread_that_blocks_all_of_them_is_called_back(self, path, held):
        def around(call):
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
            before = blocked()
            outcome = call()
            assert blocked() == before
            return outcome

        sleeping = Sleeping(path, around=around)
        until_asleep(path)

        assert sleeping.sleeper.call_back(patience=None)

        assert sleeping.result() is False

    # Says which signal it is, and whether a wait with a time-out, and a cancelled one, end.
    PROGRAM = """
import asyncio, signal, sys, threading
import lockutils
{before}
from lockutils.parking import callback, sleeper
print(callback.why_not())
print(callback._library.signal() if callback.why_not() is None else None)
{after}
def lock(**how):
    return lockutils.lock("name", external=True, lock_path=sys.argv[1], **how)
holder = lock(semaphores=lockutils.Semaphores())
with holder:
    print(lock().acquire(timeout=0.02))
    async def cancelled():
        try:
            await asyncio.wait_for(lock().async_acquire(), 0.02)
        except asyncio.TimeoutError:
            return "cancelled"
    print(asyncio.run(cancelled()))
# a helper that cannot be called back has the lock for an instant, when it gets it
how = {{"timeout": 30}} if callback.why_not() else {{"blocking": False}}
print(lock().acquire(**how))
print(callback._library and callback._library.signal() if callback.why_not() is None else None)
{end}
"""

    def run(self, tmp_path, before="", after="", end=""):
        source = self.PROGRAM.format(before=before, after=after, end=end)
        lines = run_python(source, str(tmp_path)).splitlines()
        assert lines[2:5] == ["False", "cancelled", "True"]
        return lines

    def test_is_the_one_of_urgent_data_by_default(self, tmp_path):
        lines = self.run(tmp_path)

        assert lines[:2] == ["None", str(int(signal.SIGURG))]

    def test_of_a_program_that_uses_it_is_another(self, tmp_path):
        lines = self.run(tmp_path, "signal.signal(signal.SIGURG, lambda *_: print('urgent'))")

        assert lines[:2] == ["None", str(int(signal.SIGRTMAX))]

    def test_of_a_program_that_begins_to_use_it_later_is_another(self, tmp_path):
        lines = self.run(
            tmp_path,
            after="signal.signal(signal.SIGURG, lambda *_: print('urgent'))",
            end="signal.raise_signal(signal.SIGURG)",
        )

        assert lines[1] == str(int(signal.SIGURG))
        assert lines[5:] == [str(int(signal.SIGRTMAX)), "urgent"]

    def test_of_a_program_that_uses_all_of_them_is_none(self, tmp_path):
        lines = self.run(
            tmp_path,
            "for number in signal.valid_signals() - {9, 19}:\n"
            "    try: signal.signal(number, lambda *_: None)\n"
            "    except (OSError, ValueError): pass",
        )

        assert lines[0].endswith("the program uses all signals")
        assert lines[1] == "None"

    def test_is_not_python_s(self, tmp_path):
        """No Python code runs, and what signal.getsignal says is what it said."""
        lines = self.run(tmp_path, end="print(signal.getsignal(signal.SIGURG))")

        assert lines[6] in ("0", "Handlers.SIG_DFL")


class TestWithout:
    """Where it cannot be had the wait is right all the same."""

    PROGRAM = """
import sys
{before}
import asyncio, threading
import lockutils
from lockutils.parking import callback, sleeper
print(callback.why_not())
def lock(**how):
    return lockutils.lock("name", external=True, lock_path=sys.argv[1], **how)
holder = lock(semaphores=lockutils.Semaphores())
holder.acquire()
print(lock().acquire(timeout=0.02))
async def waits():
    await asyncio.wait_for(lock().async_acquire(), 30)
    return "held"
timer = threading.Timer(0.05, holder.release)
timer.start()
print(asyncio.run(waits()))
"""

    @pytest.mark.parametrize(
        ("before", "why"),
        [
            ("sys.modules['ctypes'] = None", "import of ctypes halted"),
            ("sys.platform = 'other'", "not on other"),
        ],
    )
    def test_says_why(self, tmp_path, before, why):
        lines = run_python(self.PROGRAM.format(before=before), str(tmp_path)).splitlines()

        assert why in lines[0]
        assert lines[1:] == ["False", "held"]


def test_the_handler_is_a_function_that_does_nothing():
    assert callback.why_not() is None
    number = callback._library.signal()
    address = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    assert callback._library._handler_of(number) == address


def test_a_forked_child_signals_nobody(path, held):
    """Its parent's threads are none of its own, and a number may be another one's by now."""
    sleeping = Sleeping(path)
    until_asleep(path)
    if (child := os.fork()) == 0:
        try:
            os._exit(not sleeping.sleeper.call_back(patience=None))
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert waiters(path)
    sleeping.sleeper.call_back(patience=None)
    sleeping.result()


if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
