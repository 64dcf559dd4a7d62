"""The watch over the order of locks: what it reports, what it does not, and that it is off."""

import asyncio
import itertools
import logging
import sys
import threading

import pytest
import trio
from lock_peers import GREENTHREADS, WATCHDOG, Background, run_python, until

import lockutils
from lockutils import debug
from lockutils.front.pending import PendingAcquire
from lockutils.observe.lock_order import LockOrder

ORIGINAL = lockutils.Lock._acquire, PendingAcquire.take


@pytest.fixture
def reports():
    found = []
    debug.watch_order(found.append)
    yield found
    debug.stop_watching_order()


def take(*names, **options):
    """Take the locks one inside the other."""
    if names:
        with lockutils.lock(names[0], **options):
            take(*names[1:], **options)


def take_a_then_b():
    with lockutils.lock("A"), lockutils.lock("B"):
        pass


def take_b_then_a():
    with lockutils.lock("B"):
        handle = lockutils.lock("A")
        with handle:
            pass


# --- what is reported


def test_two_threads_one_after_the_other(reports):
    Background(take_a_then_b).result()
    assert reports == []
    Background(take_b_then_a).result()
    (inversion,) = reports
    assert inversion.names == ("B", "A")
    last, first = inversion.stacks
    assert "in take_b_then_a" in last
    assert "in take_a_then_b" in first
    for stack, line in (last, "with handle:"), (first, 'lockutils.lock("B"):'):
        assert line in stack.splitlines()[-1], "our own frames are not at the end"


def test_the_text_names_the_circle_and_has_all_stacks(reports):
    take_a_then_b()
    take_b_then_a()
    text = str(reports[0])
    assert text.startswith("Locks are taken in an order that can deadlock: 'B' -> 'A' -> 'B'\n")
    assert "'A' was asked for while 'B' was held" in text
    assert "'B' was asked for while 'A' was held" in text
    assert text.index("take_b_then_a") < text.index("take_a_then_b")


def test_a_circle_of_three(reports):
    take("A", "B")
    take("B", "C")
    assert reports == []
    take("C", "A")
    (inversion,) = reports
    assert inversion.names == ("C", "A", "B")
    assert len(inversion.stacks) == 3


def test_all_that_is_held_counts(reports):
    take("A", "other", "B")
    take("B", "A")
    assert [inversion.names for inversion in reports] == [("B", "A")]


def test_once_for_the_same_locks(reports):
    for _ in range(3):
        take_a_then_b()
        take_b_then_a()
    assert len(reports) == 1
    take("A", "C")
    take("C", "A")
    assert len(reports) == 2


def test_no_order_is_broken_by_the_same_order(reports):
    for _ in range(2):
        take("A", "B", "C")
        take("A", "C")
        take("B", "C")
    assert reports == []


def test_a_real_deadlock_is_reported_before_the_wait(reports):
    take_a_then_b()
    with lockutils.lock("A"):
        waiter = Background(take_b_then_a)
        until(lambda: reports, "the waiter has reported")
        assert not waiter.join(0)
    waiter.result()


def test_an_acquisition_with_a_time_out_counts(reports):
    take("A", "B", timeout=WATCHDOG)
    take("B", "A", timeout=WATCHDOG)
    assert len(reports) == 1


@pytest.mark.parametrize("once", [{"blocking": False}, {"timeout": 0}])
def test_who_tries_once_waits_for_nothing(reports, once):
    with lockutils.lock("A"):
        take("B", **once)
    take("B", "A")
    assert reports == []


def test_what_was_tried_once_is_held(reports):
    with lockutils.lock("A", blocking=False):
        take("B")
    take("B", "A")
    assert len(reports) == 1


def test_external_locks(reports, tmp_path):
    take("A", "B", external=True, lock_path=tmp_path)
    take("B", "A", external=True, lock_path=tmp_path)
    assert len(reports) == 1


def test_decorated_functions(reports):
    inner = lockutils.synchronized("inner")(lambda: None)

    @lockutils.synchronized("outer")
    def call_inner():
        inner()

    call_inner()
    with lockutils.lock("inner"):
        take("outer")
    (inversion,) = reports
    assert inversion.names == ("inner", "outer")
    assert "in call_inner" in inversion.stacks[1].splitlines()[-2]


def test_what_is_held_already_is_not_waited_for(reports):
    with lockutils.lock("A"), lockutils.lock("B"), pytest.raises(lockutils.DeadlockError):
        lockutils.lock("A").acquire()
    assert reports == []


def test_equal_names_in_two_places_are_two_locks(reports):
    one, two = lockutils.Semaphores(), lockutils.Semaphores()
    take("A", "B", semaphores=one)
    take("B", "A", semaphores=two)
    assert reports == []
    take("B", "A", semaphores=one)
    assert len(reports) == 1
    with lockutils.lock("A", semaphores=one):
        take("A", semaphores=two)
    with lockutils.lock("A", semaphores=two):
        take("A", semaphores=one)
    assert reports[1].names == ("A", "A")


def test_locks_of_a_container_of_keys_are_no_names(reports):
    locks = lockutils.LockByKey()
    with lockutils.lock("A"), locks["B"]:
        pass
    take("B", "A")
    with locks["C"], lockutils.lock("A"):
        pass
    take("A", "C")
    assert reports == []


def test_subclasses_of_lock(reports):
    class Special(lockutils.Lock):
        def _acquire(self, *how):
            return super()._acquire(*how)

    def special(name):
        queue = lockutils.lock(name)._queue
        return Special(name, name, queue)

    with special("A"), special("B"):
        pass
    with special("B"), special("A"):
        pass
    assert len(reports) == 1


# --- who holds


def test_asyncio_tasks(reports):
    async def one_then(name, other):
        async with lockutils.lock(name):
            await asyncio.sleep(0)
            async with lockutils.lock(other):
                pass

    async def main():
        # what another task holds, or the thread, is not held by the one that asks
        await asyncio.gather(one_then("A", "B"), one_then("X", "Y"))
        assert reports == []
        await one_then("B", "A")

    with lockutils.lock("of the thread"):
        asyncio.run(main())
    (inversion,) = reports
    assert all("in one_then" in stack.splitlines()[-2] for stack in inversion.stacks)


def test_trio_tasks(reports):
    async def one_then(name, other):
        async with lockutils.lock(name):
            await trio.lowlevel.checkpoint()
            async with lockutils.lock(other):
                pass

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one_then, "A", "B")
            nursery.start_soon(one_then, "X", "Y")
        assert reports == []
        await one_then("B", "A")

    trio.run(main)
    (inversion,) = reports
    assert all("in one_then" in stack.splitlines()[-2] for stack in inversion.stacks)


GREEN = (
    GREENTHREADS
    + """
import lockutils

reports = []
lockutils.debug.watch_order(reports.append)

def one_then(name, other):
    with lockutils.lock(name):
        sleep(0)
        with lockutils.lock(other):
            sleep(0)

with lockutils.lock("main"):
    for greenlet in [spawn(one_then, "A", "B"), spawn(one_then, "X", "Y")]:
        join(greenlet)
    assert reports == []
    join(spawn(one_then, "B", "A"))
(report,) = reports
assert report.names == ("B", "A"), report
for stack in report.stacks:
    assert "in one_then" in stack, stack
"""
)


@pytest.mark.parametrize("patched", ["patched", "plain"])
@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_greenthreads(library, patched):
    run_python(GREEN, library, patched)


def test_a_forked_child_holds_nothing_but_knows_the_order():
    run_python("""
import os
import lockutils
reports = []
lockutils.debug.watch_order(reports.append)

def take(outer, inner):
    with lockutils.lock(outer), lockutils.lock(inner):
        pass

def in_child():
    take("C", "A")
    assert reports == []
    take("B", "A")
    assert len(reports) == 1

take("A", "B")
with lockutils.lock("A"):
    pid = os.fork()
    if pid == 0:
        try:
            in_child()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
""")


def test_a_signal_handler_that_takes_locks():
    run_python("""
import signal
import lockutils
reports = []
lockutils.debug.watch_order(reports.append)
done = []
busy = False

def take(*names):
    if names:
        with lockutils.lock(names[0]):
            take(*names[1:])

def handler(*_):
    global busy
    if not busy:
        busy = True
        number = len(done)
        take(f"A-{number}", f"B-{number}")
        take(f"B-{number}", f"A-{number}")
        done.append(True)
        busy = False

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
turn = 0
while len(done) < 200:
    take(f"X-{turn}", f"Y-{turn}")
    take(f"Y-{turn}", f"X-{turn}")
    turn += 1
signal.setitimer(signal.ITIMER_REAL, 0)
circles = {frozenset(report.names) for report in reports if len(report.names) == 2}
assert {frozenset((f"A-{n}", f"B-{n}")) for n in range(len(done))} <= circles
assert {frozenset((f"X-{n}", f"Y-{n}")) for n in range(turn)} <= circles
assert len(circles) == len([r for r in reports if len(r.names) == 2])
""")


# --- the graph, from several sides at once


def test_who_closes_a_circle_from_both_sides_at_once_reports_it_once():
    """Whatever happens between any two instructions, as by a thread or a signal handler."""

    def reported(step):
        order, steps, found = LockOrder(100), [], []
        one, other = (None, "A"), (None, "B")

        def trace(frame, event, _):
            if frame.f_globals.get("__name__") != "lockutils.observe.lock_order":
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                steps.append(frame.f_lasti)
                if len(steps) == step:
                    found.extend(order.note([other], one, lambda: "the other"))
            return trace

        sys._getframe().f_trace_opcodes = True  # Python 3.12 takes no notice of the first one
        sys.settrace(trace)
        try:
            found += order.note([one], other, lambda: "the one")
        finally:
            sys.settrace(None)
        return len(found), len(steps) >= step

    def scenario():
        for step in itertools.count(1):
            count, went_so_far = reported(step)
            if not went_so_far:
                return step
            assert count == 1, f"{count} reports, at instruction {step}"
        return None

    assert Background(scenario).result() > 50


def test_threads_that_close_a_circle_at_once_report_it_once(reports):
    rounds = 300
    barrier = threading.Barrier(2)

    def work(me):
        for turn in range(rounds):
            names = [f"A-{turn}", f"B-{turn}"]
            barrier.wait(WATCHDOG)
            try:
                take(*(names if me else reversed(names)), timeout=0.001)
            except lockutils.LockTimeout:
                pass

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in [Background(work, me) for me in range(2)]:
            thread.result()
    finally:
        sys.setswitchinterval(before)
    circles = [frozenset(inversion.names) for inversion in reports]
    assert len(circles) == len(set(circles))
    for turn in range(rounds):
        # who did not get the first lock has not asked for the second
        take(f"A-{turn}", f"B-{turn}")
        take(f"B-{turn}", f"A-{turn}")
    assert len(reports) == rounds


# --- how it is reported


def test_the_log(caplog):
    debug.watch_order()
    try:
        take_a_then_b()
        take_b_then_a()
    finally:
        debug.stop_watching_order()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("lockutils", logging.WARNING)
    assert "'B' -> 'A' -> 'B'" in record.getMessage()
    assert "take_a_then_b" in record.getMessage()


def test_a_name_cannot_forge_a_line(reports):
    take("A\nall is lost", "B")
    take("B", "A\nall is lost")
    assert r"'A\nall is lost'" in str(reports[0]).splitlines()[0]
    assert "\nall is lost" not in str(reports[0])


class Name(str):
    """Its methods are the program's own, and not for the watch to call."""

    __slots__ = ()

    def __repr__(self):
        raise AssertionError("called")

    __str__ = __repr__


def test_a_name_of_another_type(reports):
    one, other = Name("A"), Name("B")
    take(one, other)
    take(other, one)
    (inversion,) = reports
    assert set(map(type, inversion.names)) == {str}
    assert "'B' -> 'A' -> 'B'" in str(inversion)


def test_what_the_report_raises_goes_to_who_asks():
    class Wrong(Exception):
        pass

    def fail(inversion):
        raise Wrong(inversion)

    debug.watch_order(fail)
    try:
        take_a_then_b()
        with pytest.raises(Wrong):
            take_b_then_a()
        assert lockutils.held() == frozenset()
        assert lockutils.lock("A").acquire(blocking=False)
    finally:
        debug.stop_watching_order()


def test_a_report_may_take_locks():
    found = []

    def report(inversion):
        found.append(inversion)
        take_a_then_b()
        take("log", "A", "B")

    debug.watch_order(report)
    try:
        take_a_then_b()
        with lockutils.lock("C"):
            take("D")
        with lockutils.lock("D"):
            take("C")
    finally:
        debug.stop_watching_order()
    assert [inversion.names for inversion in found] == [("D", "C")]


def test_a_bound_for_names_without_end():
    printed = run_python("""
import logging, sys
import lockutils
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
reports = []
import lockutils.observe.debug
lockutils.observe.debug.LIMIT = 100
lockutils.debug.watch_order(reports.append)

def take(outer, inner):
    with lockutils.lock(outer), lockutils.lock(inner):
        pass

take("A", "B")
for number in range(300):
    take(f"outer-{number}", f"inner-{number}")
take("B", "A")
after = lockutils.observe.debug._order._after
assert sum(map(len, after.values())) == len(after) == 100
assert reports == []
""")
    assert printed == "WARNING The order of locks: 100 pairs have been seen, no more are noted\n"


# --- on and off


def test_off_is_as_if_it_had_never_been():
    assert (lockutils.Lock._acquire, PendingAcquire.take) == ORIGINAL
    debug.watch_order([].append)
    assert lockutils.Lock._acquire is not ORIGINAL[0]
    assert PendingAcquire.take is not ORIGINAL[1]
    debug.stop_watching_order()
    assert (lockutils.Lock._acquire, PendingAcquire.take) == ORIGINAL
    debug.stop_watching_order()


def test_to_start_it_twice_changes_who_is_told(reports):
    take_a_then_b()
    later = []
    debug.watch_order(later.append)
    take_b_then_a()
    assert (len(reports), len(later)) == (0, 1)
    debug.stop_watching_order()
    assert lockutils.Lock._acquire is ORIGINAL[0]


def test_to_stop_it_forgets(reports):
    take_a_then_b()
    debug.stop_watching_order()
    debug.watch_order(reports.append)
    take_b_then_a()
    assert reports == []


def test_locks_taken_before_it_started_are_held():
    found = []
    try:
        with lockutils.lock("A"):
            debug.watch_order(found.append)
            take("B")
        take_b_then_a()
    finally:
        debug.stop_watching_order()
    assert len(found) == 1


STARTED = """
import sys
import lockutils
if len(sys.argv) > 1:
    print("lockutils.observe.debug" in sys.modules, "logging" in sys.modules)
    sys.exit()
with lockutils.lock("A"), lockutils.lock("B"):
    pass
import logging
logging.basicConfig(stream=sys.stdout)
with lockutils.lock("B"), lockutils.lock("A"):
    pass
"""


def test_the_environment_variable(monkeypatch):
    monkeypatch.setenv("LOCKUTILS_WATCH_ORDER", "1")
    assert "'B' -> 'A' -> 'B'" in run_python(STARTED)


@pytest.mark.parametrize("value", [None, "", "0"])
def test_without_the_variable_nothing_is_watched_or_imported(value, monkeypatch):
    if value is None:
        monkeypatch.delenv("LOCKUTILS_WATCH_ORDER", raising=False)
    else:
        monkeypatch.setenv("LOCKUTILS_WATCH_ORDER", value)
    assert run_python(STARTED) == ""
    assert run_python(STARTED, "what is imported", options=("-S",)) == "False False\n"


def test_it_is_found_after_a_plain_import():
    run_python("""
import lockutils
assert callable(lockutils.debug.watch_order)
try:
    lockutils.nothing
except AttributeError as error:
    assert "no attribute 'nothing'" in str(error)
else:
    raise AssertionError
""")
