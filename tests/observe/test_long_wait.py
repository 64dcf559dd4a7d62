"""The notice of a long wait: who gives it, what it says, and that the wait goes on as before."""

import asyncio
import logging
import signal
import sys
from pathlib import Path

import pytest
from lock_peers import HOLDER, OURS, Background, run_python, until, until_waited_for

import lockutils
from lockutils.observe import log
from lockutils.parking import callback, deadline

sys.path.insert(0, str(Path(__file__).parents[1] / "parking"))

import kinds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a sleeper is called back on Linux")
WAITER = Path(__file__).with_name("long_waiter.py")
IT = OURS.replace("'name'", "'it'")

assert callback.why_not() is None  # loaded before another test imports gevent or eventlet


@pytest.fixture
def notices(monkeypatch):
    """The notices of this process, from the first hundredth of a second on."""
    found = []
    monkeypatch.setattr(log, "notice", found.append)
    monkeypatch.setattr(deadline, "warn_after", 0.01)
    return found


def long_waiter(peers, kind, path, *words):
    return peers.start(sys.executable, "-W", "ignore", WAITER, kind, path, *words)


def said(waiter):
    """What the waiter has noticed, and how many threads were started for that."""
    words = waiter.hear().split()
    assert words[:1] == ["noticed"]
    return waiter.hear(), int(words[1])


class TestEveryKind:
    @pytest.mark.parametrize("kind", kinds.NAMES)
    def test_in_the_process(self, peers, tmp_path, kind):
        waiter = long_waiter(peers, kind, tmp_path, "inside")

        line, more_threads = said(waiter)

        assert line.startswith("WARNING lockutils Waiting for the lock 'it' for 0.")
        assert f"held by process {waiter.process.pid} (" in line
        assert line.endswith("which acquired it by hand")
        assert more_threads == 0
        assert waiter.hear() == "in"

    @pytest.mark.parametrize("more", [(), ("timeout",)], ids=["without-end", "timeout"])
    @pytest.mark.parametrize("kind", kinds.NAMES)
    def test_for_another_process(self, peers, tmp_path, kind, more):
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        waiter = long_waiter(peers, kind, tmp_path, "outside", *more)

        line, more_threads = said(waiter)

        assert f", held by process {holder.process.pid} (" in line
        assert more_threads == 0
        assert holder.ask() == "released"
        assert waiter.hear() == "in"

    @pytest.mark.parametrize("kind", ["asyncio", "gevent", "trio"])
    def test_that_polls(self, peers, tmp_path, kind):
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        waiter = long_waiter(peers, kind, tmp_path, "outside", "polls")

        said(waiter)

        assert holder.ask() == "released"
        assert waiter.hear() == "in"

    @pytest.mark.parametrize("where", ["inside", "outside"])
    @pytest.mark.parametrize("more", ["timeout", "all", "shared", "fair", "reentrant"])
    def test_with_options(self, peers, tmp_path, more, where):
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        if where == "inside":
            assert holder.ask() == "released"
        waiter = long_waiter(peers, "thread", tmp_path, where, more)

        said(waiter)

        if where == "outside":
            assert holder.ask() == "released"
        assert waiter.hear() == "in"

    def test_for_a_slot(self, peers, tmp_path):
        source = HOLDER.format(IT.replace("argv[1]", "argv[1], slots=2"))
        holders = [peers.python(source, tmp_path) for _ in range(2)]
        for holder in holders:
            assert holder.hear() == "held"
        waiter = long_waiter(peers, "thread", tmp_path, "outside", "slots")

        said(waiter)

        assert holders[1].ask() == "released"
        assert waiter.hear() == "in"


def waiting_for(name, **options):
    """A thread that waits for the lock, and returns whether it got it."""

    def wait():
        with lockutils.lock(name, **options):
            return True

    return Background(wait)


class TestWhen:
    def test_at_doubled_intervals(self, notices):
        with lockutils.lock("db"):
            waiting = waiting_for("db")
            until(lambda: len(notices) >= 5, "five notices")
        assert waiting.result()
        waited = [float(line.split(" for ")[2].split(" s")[0]) for line in notices]
        assert waited == sorted(waited)
        assert waited[4] >= 0.1  # the fifth comes at 0.01 * 2**4 s, and is told in tenths

    def test_never(self, notices, monkeypatch):
        monkeypatch.setattr(deadline, "warn_after", None)
        with lockutils.lock("db"):
            handle = lockutils.lock("db", timeout=deadline.LONG + 0.2)
            assert not Background(handle.acquire).result()
        assert notices == []

    def test_not_of_one_that_ends_before(self, notices, monkeypatch):
        monkeypatch.setattr(deadline, "warn_after", 0.5)
        with lockutils.lock("db"):
            assert not Background(lockutils.lock("db", timeout=0.1).acquire).result()
        assert notices == []

    def test_a_time_out_is_kept_all_the_same(self, notices, tmp_path):
        for options in {}, {"external": True, "lock_path": tmp_path}:
            with lockutils.lock("db", **options):
                handle = lockutils.lock("db", timeout=0.1, **options)
                assert not Background(handle.acquire).result()
        assert len(notices) >= 2

    @pytest.mark.parametrize("wrong", [True, "10", [1]])
    def test_of_a_wrong_type(self, wrong):
        with pytest.raises(TypeError, match=r"warn_after must be a number .*, not "):
            lockutils.set_defaults(warn_after=wrong)

    @pytest.mark.parametrize("wrong", [0, -1, float("nan")])
    def test_of_no_time(self, wrong):
        with pytest.raises(ValueError, match=rf"more than 0, .*: {wrong}"):
            lockutils.set_defaults(warn_after=wrong)

    def test_set_and_left_alone(self, monkeypatch):
        monkeypatch.setattr(deadline, "warn_after", 10.0)
        lockutils.set_defaults(warn_after=5)
        lockutils.set_defaults()
        assert deadline.warn_after == 5
        lockutils.set_defaults(warn_after=None)
        assert deadline.warn_after is None


class TestHandlersOfTheLog:
    """What they do while the notice is written changes nothing for the wait."""

    @pytest.fixture(params=["inside", "outside"])
    def options(self, request, tmp_path, monkeypatch):
        monkeypatch.setattr(deadline, "warn_after", 0.01)
        return {} if request.param == "inside" else {"external": True, "lock_path": tmp_path}

    @pytest.fixture
    def handle_by(self):
        """Have a function called with each record of the log."""
        handlers = []

        def start(emit):
            handlers.append(logging.Handler())
            handlers[0].emit = emit
            logging.getLogger("lockutils").addHandler(handlers[0])

        yield start
        for handler in handlers:
            logging.getLogger("lockutils").removeHandler(handler)

    def waits_on(self, options, called):
        with lockutils.lock("db", **options):
            waiting = waiting_for("db", **options)
            until(lambda: len(called) >= 2, "two notices")
        assert waiting.result()

    def test_one_that_raises(self, options, handle_by):
        called = []

        def emit(record):
            called.append(record)
            raise ValueError("a handler that fails")

        handle_by(emit)
        self.waits_on(options, called)

    def test_one_that_asks_for_the_lock(self, options, handle_by):
        called = []

        def emit(record):
            called.append(record)
            with lockutils.lock("db", blocking=False, **options):
                pass

        handle_by(emit)
        self.waits_on(options, called)

    def test_one_that_uses_another_lock(self, options, handle_by):
        called = []

        def emit(record):
            with lockutils.lock("log", **options):
                called.append(record)

        handle_by(emit)
        self.waits_on(options, called)


class TestWhatItSays:
    def test_a_program_without_logging_sees_it_on_stderr(self):
        source = """
import sys, threading, lockutils
lockutils.set_defaults(warn_after=0.01)
assert "logging" not in sys.modules
with lockutils.lock("db"):
    thread = threading.Thread(target=lockutils.lock("db", timeout=0.05).acquire)
    sys.stderr = sys.stdout
    thread.start()
    thread.join()
"""
        lines = run_python(source).splitlines()

        assert lines
        assert all(line.startswith("Waiting for the lock 'db' for 0.") for line in lines)

    def test_where_it_was_acquired_by_hand_if_python_notes_that(self):
        source = """
import threading, lockutils
from lockutils.observe import log
log.notice = print
lockutils.set_defaults(warn_after=0.01)
def hold():
    handle.acquire()  # the seventh line
handle = lockutils.lock("db")
hold()
thread = threading.Thread(target=lockutils.lock("db", timeout=0.05).acquire)
thread.start()
thread.join()
handle.release()
"""
        line, *_ = run_python(source).splitlines()
        assert line.endswith("which acquired it by hand")
        line, *_ = run_python(source, options=("-X", "tracemalloc=20")).splitlines()
        assert line.endswith("which acquired it by hand at <string>:7")

    def test_others_that_hold_it_too(self, notices):
        with lockutils.lock("db", shared=True), lockutils.lock("db", shared=True):
            waiting = waiting_for("db")
            until(lambda: notices, "a notice")
        assert waiting.result()
        assert notices[0].endswith(" and 1 more")

    def test_a_name_cannot_break_the_line(self, notices):
        with lockutils.lock("a\nb"):
            waiting = waiting_for("a\nb")
            until(lambda: notices, "a notice")
        assert waiting.result()
        assert "\n" not in notices[0]


class TestTheWaitGoesOn:
    def test_in_its_place_in_line(self, notices, tmp_path, peers):
        """The first one in line gives notice again and again, and still is the first."""
        source = HOLDER.format(IT.replace("argv[1]", "argv[1], fair=True"))
        holder = peers.python(source, tmp_path)
        assert holder.hear() == "held"
        handle = lockutils.lock("it", external=True, lock_path=tmp_path, fair=True)
        waiting = Background(handle.acquire)
        until_waited_for(tmp_path / "it")
        second = peers.python(source, tmp_path)
        until_waited_for(tmp_path / ".lockutils-queue")
        until(lambda: len(notices) >= 4, "four notices")

        assert holder.ask() == "released"

        assert waiting.result()
        assert not second.has_spoken()
        handle.release()
        assert second.hear() == "held"

    @pytest.mark.parametrize("external", [False, True])
    def test_what_a_look_raises_ends_it_and_leaves_nothing(
        self, monkeypatch, tmp_path, external, peers
    ):
        class Stop(Exception):
            pass

        def stop(line):
            raise Stop

        monkeypatch.setattr(log, "notice", stop)
        monkeypatch.setattr(deadline, "warn_after", 0.01)
        options = {"external": True, "lock_path": tmp_path} if external else {}
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        with lockutils.lock("other" if external else "it"):
            waiting = waiting_for("it", **options)
            with pytest.raises(Stop):
                waiting.result()
        assert holder.ask() == "released"
        assert lockutils.lock("it", blocking=False, **options).acquire()

    def test_a_log_handler_may_take_locks_also_this_one(self, monkeypatch):
        """It comes in the middle of the wait, in the waiter's own thread, as a signal handler."""
        taken = []

        def take(line):
            with lockutils.lock("of the handler"):
                taken.append(lockutils.lock("db").acquire(timeout=0.01))

        monkeypatch.setattr(log, "notice", take)
        monkeypatch.setattr(deadline, "warn_after", 0.02)
        with lockutils.lock("db"):
            waiting = waiting_for("db")
            until(lambda: len(taken) >= 2, "two notices")
        assert waiting.result()
        assert taken[:2] == [False, False]

    def test_a_release_during_the_notice_is_not_missed(self, monkeypatch):
        handle = lockutils.lock("db")
        monkeypatch.setattr(log, "notice", lambda line: handle.release())
        monkeypatch.setattr(deadline, "warn_after", 0.02)
        handle.acquire()
        assert waiting_for("db").result()

    def test_no_timer_is_left(self, notices, tmp_path, peers):
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        waiting = waiting_for("it", external=True, lock_path=tmp_path)
        until(lambda: len(notices) >= 2, "two notices")
        assert holder.ask() == "released"
        assert waiting.result()
        assert Path("/proc/self/timers").read_text() == ""

    def test_where_no_timer_is_to_be_had_it_waits_without_notice(
        self, notices, tmp_path, peers, monkeypatch
    ):
        monkeypatch.setattr(callback.load().c, "timer_create", lambda *_: -1)
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        waiting = waiting_for("it", external=True, lock_path=tmp_path)
        until_waited_for(tmp_path / "it")
        assert holder.ask() == "released"
        assert waiting.result()
        assert notices == []

    def test_what_the_notice_does_is_not_interrupted(self, peers, tmp_path, monkeypatch):
        """The timer that has woken the waiter is silent meanwhile."""
        number = callback.load().signal()
        found = []

        def wait_for_signals(line):
            signal.pthread_sigmask(signal.SIG_BLOCK, (number,))
            found.append(signal.sigtimedwait([number], 0.05))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))

        monkeypatch.setattr(log, "notice", wait_for_signals)
        monkeypatch.setattr(deadline, "warn_after", 0.02)
        holder = peers.python(HOLDER.format(IT), tmp_path)
        assert holder.hear() == "held"
        waiting = waiting_for("it", external=True, lock_path=tmp_path)
        until(lambda: len(found) >= 2, "two notices")
        assert holder.ask() == "released"
        assert waiting.result()
        assert set(found) == {None}

    def test_a_native_thread_among_greenthreads_imports_nothing_for_it(self):
        """Import locks are green then: see tests/test_import.py."""
        printed = run_python("""
import sys
import lockutils
from lockutils.parking import deadline, native
from gevent import monkey
monkey.patch_all()
deadline.LONG = deadline.warn_after = 0.01
done = native.SimpleQueue()
def wait():
    done.put(lockutils.lock("it", timeout=0.1).acquire())
with lockutils.lock("it"):
    native.start_new_thread(wait, ())
    print(done.get())
print("lockutils.observe.long_wait" in sys.modules)
""")
        assert printed.split() == ["False", "False"]


class TestAlarm:
    """One timer for all the tasks of a loop."""

    def test_many_tasks_with_one_timer(self, notices, monkeypatch):
        set_for = []

        async def main():
            loop = asyncio.get_running_loop()
            call_later = loop.call_later
            loop.call_later = lambda seconds, *rest: (
                set_for.append(seconds),
                call_later(seconds, *rest),
            )[1]
            handles = [lockutils.lock("db") for _ in range(50)]
            async with lockutils.lock("db"):
                tasks = [asyncio.ensure_future(handle.async_acquire()) for handle in handles]
                await asyncio.sleep(0)
                assert len(set_for) == 1
                while len(notices) < 100:
                    await asyncio.sleep(0.001)
            for handle, task in zip(handles, tasks, strict=True):
                assert await task
                handle.release()

        monkeypatch.setattr(deadline, "warn_after", 0.02)
        asyncio.run(main())

        assert len(notices) >= 100  # two of each

    def test_of_a_cancelled_task(self, notices):
        async def main():
            async with lockutils.lock("db"):
                task = asyncio.ensure_future(lockutils.lock("db").async_acquire())
                other = asyncio.ensure_future(lockutils.lock("db").async_acquire())
                await asyncio.sleep(0)
                task.cancel()
                while len(notices) < 2:
                    await asyncio.sleep(0.001)
            assert await other
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        tasks = {line.partition("(task ")[2] for line in notices}
        assert len(tasks) == 1  # the holder's

    def test_in_one_loop_after_the_other(self, notices):
        async def main():
            async with lockutils.lock("db"):
                task = asyncio.ensure_future(lockutils.lock("db").async_acquire())
                while not notices:
                    await asyncio.sleep(0.001)
            assert await task

        for _ in range(3):
            notices.clear()
            asyncio.run(main())

    def test_gevent_ends_when_nobody_waits_any_more(self):
        """A timer that is still to come is nothing that a loop would wait for."""
        printed = run_python("""
import gevent, lockutils
def take():
    with lockutils.lock("db"):
        gevent.sleep(0.01)
gevent.joinall([gevent.spawn(take) for _ in range(3)])
print(gevent.get_hub().loop.activecnt)
""")
        assert printed == "0\n"
