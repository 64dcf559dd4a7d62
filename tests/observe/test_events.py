"""Events: which are told, by whom, to whom, and what a callback may do."""

import asyncio
import gc
import logging
import os
import pickle
import random
import signal
import threading
import time
import weakref
from collections import Counter

import pytest
from lock_peers import GREENTHREADS, WATCHDOG, Background, run_python, until
from stepping import each_step
from ways import MODES, by_hand, by_task, by_with

import lockutils
from lockutils import events, observe


@pytest.fixture
def told():
    """What is told from now on."""
    seen = []
    unsubscribe = events.subscribe(seen.append)
    yield seen
    unsubscribe()


@pytest.fixture
def subscribe():
    """As events.subscribe(), ended with the test."""
    ends = []

    def start(callback):
        ends.append(events.subscribe(callback))
        return ends[-1]

    yield start
    for end in ends:
        end()


def kinds(seen, name=None):
    return [event.kind for event in seen if name in (None, event.name)]


def wait_while_held(wait, **options):
    """Run ``wait`` with a lock that is held until somebody waits for it; then it is released."""
    holder = lockutils.lock("contended", **options)
    assert holder.acquire()
    waits = threading.Event()
    unsubscribe = events.subscribe(lambda event: event.kind == "waiting" and waits.set())
    try:
        waiter = Background(wait, lockutils.lock("contended", **options))
        assert waits.wait(WATCHDOG)
        holder.release()
        return waiter.result()
    finally:
        unsubscribe()


# --- which events


def by_async_hand(lock):
    async def take():
        assert await lock.async_acquire()
        await lock.async_release()

    asyncio.run(take())


def by_trio(lock):
    trio = pytest.importorskip("trio")

    async def take():
        async with lock:
            pass

    trio.run(take)


ways = pytest.mark.parametrize("take", [by_with, by_hand, by_task, by_async_hand, by_trio])
modes = pytest.mark.parametrize("options", MODES.values(), ids=MODES)
places = pytest.mark.parametrize("external", [False, True], ids=["internal", "external"])


@pytest.fixture(autouse=True)
def directory(tmp_path):
    lockutils.set_defaults(lock_path=tmp_path)
    yield
    lockutils.set_defaults(lock_path=None)


@places
@modes
@ways
def test_a_free_lock_is_acquired_and_released(take, options, external, told):
    before = time.time()
    take(lockutils.lock("free", "prefix", external=external, **options))
    acquired, released = told
    assert (acquired.kind, released.kind) == ("acquired", "released")
    for event in told:
        assert (event.name, event.prefix, event.template) == ("free", "prefix", None)
        assert event.external is external
        assert event.mode == next(
            (mode for mode in ("shared", "slots") if mode in options), "exclusive"
        )
        assert event.waited == 0.0
        assert before <= event.time <= time.time()
    assert acquired.held is None
    assert released.held > 0


@places
@pytest.mark.parametrize("take", [by_with, by_task, by_trio])
def test_who_waits_says_so_before_and_how_long_afterwards(take, external, told):
    wait_while_held(take, external=external)
    first, waiting, *rest = told
    assert (first.kind, waiting.kind) == ("acquired", "waiting")
    assert sorted(kinds(rest)) == ["acquired", "released", "released"]
    (acquired,) = (event for event in rest if event.kind == "acquired")
    assert waiting.waited is None
    assert acquired.waited > 0
    released = [event for event in rest if event.kind == "released"]
    assert sorted(event.waited for event in released) == [0.0, acquired.waited]


@places
@modes
def test_a_wait_that_times_out(options, external, told):
    with lockutils.lock("held", external=external):
        del told[:]
        if "slots" in options or "reentrant" in options:
            options = {}
        taker = Background(
            lockutils.lock("held", external=external, **options).acquire, timeout=0.01
        )
        assert taker.result() is False
    waiting, timed_out, _ = told
    assert (waiting.kind, timed_out.kind) == ("waiting", "timed_out")
    assert timed_out.waited >= 0.01
    assert timed_out.held is None


@places
@pytest.mark.parametrize("options", [{"blocking": False}, {"timeout": 0}])
def test_a_try_that_fails_is_refused_and_has_not_waited(options, external, told):
    with lockutils.lock("held", external=external):
        lock = lockutils.lock("held", external=external, **options)
        with pytest.raises(lockutils.AcquireLockFailedException), lock:
            pass
    assert kinds(told) == ["acquired", "refused", "released"]
    assert told[1].waited == 0.0


def test_another_process_holds_it(told, tmp_path, peers):
    holder = peers.python(
        "import lockutils, sys\n"
        "with lockutils.lock('name', external=True, lock_path=sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.readline()\n",
        tmp_path,
    )
    assert holder.hear() == "held"
    lock = lockutils.lock("name", external=True)
    assert not lock.acquire(blocking=False)
    assert not lock.acquire(timeout=0.01)
    waiter = Background(lock.acquire)
    until(lambda: len(told) == 4, "somebody waits")
    holder.tell()
    assert waiter.result()
    lock.release()
    expected = ["refused", "waiting", "timed_out", "waiting", "acquired", "released"]
    assert kinds(told) == expected


async def cancelled_in_asyncio():
    task = asyncio.ensure_future(lockutils.lock("held").async_acquire())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def cancelled_in_trio():
    import trio

    with trio.move_on_after(0) as scope:
        await lockutils.lock("held").async_acquire(timeout=WATCHDOG)
    assert scope.cancelled_caught


def test_a_wait_that_is_cancelled_is_aborted(told):
    trio = pytest.importorskip("trio")
    with lockutils.lock("held"):
        Background(asyncio.run, cancelled_in_asyncio()).result()
        assert kinds(told)[1:] == ["waiting", "aborted"]
        assert told[-1].waited > 0
        Background(trio.run, cancelled_in_trio).result()
    # trio may find the cancellation before it waits
    assert kinds(told)[3:] in (["waiting", "aborted", "released"], ["released"])


def test_a_deadlock_is_aborted(told):
    with lockutils.lock("held"), pytest.raises(lockutils.DeadlockError), lockutils.lock("held"):
        pass
    assert kinds(told) == ["acquired", "waiting", "aborted", "released"]


def test_a_wait_that_a_signal_handler_ends_is_aborted(told, subscribe):
    class Alarm(Exception):
        pass

    def handler(*_):
        raise Alarm

    def alarm(event):
        if event.kind == "waiting":
            signal.setitimer(signal.ITIMER_REAL, 0.01)

    previous = signal.signal(signal.SIGALRM, handler)
    held = lockutils.lock("held")
    try:
        held.acquire()
        subscribe(alarm)
        with pytest.raises(Alarm):
            lockutils.lock("held").acquire(timeout=WATCHDOG)
    finally:
        signal.signal(signal.SIGALRM, previous)
        held.release()
    assert kinds(told) == ["acquired", "waiting", "aborted", "released"]


def test_of_a_reentrant_lock_a_hold_is_from_the_first_level_to_the_last(told):
    first, second = (lockutils.lock("again", reentrant=True) for _ in range(2))
    first.acquire()
    second.acquire()
    assert kinds(told) == ["acquired"]
    first.release()  # whoever has a handle may release it
    assert kinds(told) == ["acquired"]
    second.release()
    assert kinds(told) == ["acquired", "released"]


def test_each_of_several_locks_is_told_and_those_that_are_given_back(told):
    with lockutils.lock("b"):
        assert not lockutils.lock_all(["a", "b"]).acquire(blocking=False)
    with lockutils.lock_all(["b", "a"]):
        pass
    both = ["acquired", "released"]
    assert kinds(told, "a") == 2 * both
    assert kinds(told, "b") == ["acquired", "refused", "released", *both]


def test_a_handle_that_is_dropped_has_released(told):
    holds = [lockutils.lock("dropped")]
    holds[0].acquire()
    with pytest.warns(ResourceWarning):
        holds.clear()
    assert kinds(told) == ["acquired", "released"]
    assert told[1].held > 0


def test_locks_by_key_are_told_by_their_keys(told):
    with lockutils.LockByKey()[42], lockutils.Semaphores()["place"]:
        pass
    assert [event.name for event in told] == ["42", "place", "place", "42"]


class Worker:
    @lockutils.synchronized("image-{number}", "prefix")
    def of_template(self, number): ...

    @lockutils.synchronized("constant")
    def of_constant(self): ...

    @lockutils.synchronized(["z-{number}", "a-{number}", "constant"], shared=True)
    def of_several(self, number): ...

    @lockutils.synchronized("task-{number}")
    async def of_task(self, number): ...

    @lockutils.synchronized("items-{number}")
    def of_generator(self, number):
        yield number


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("of_template", [("image-7", "image-{number}")]),
        ("of_constant", [("constant", "constant")]),
        ("of_several", [("a-7", "a-{number}"), ("constant",) * 2, ("z-7", "z-{number}")]),
        ("of_task", [("task-7", "task-{number}")]),
        ("of_generator", [("items-7", "items-{number}")]),
    ],
)
def test_the_lock_of_a_decorated_function_has_its_template(method, expected, told):
    arguments = () if method == "of_constant" else (7,)
    outcome = getattr(Worker(), method)(*arguments)
    if method == "of_task":
        asyncio.run(outcome)
    elif method == "of_generator":
        assert list(outcome) == [7]
    pairs = [(event.name, event.template) for event in told]
    assert pairs == expected + expected[::-1]
    assert {event.prefix for event in told} == {"prefix" if method == "of_template" else None}


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize("patched", ["patched", "not patched"])
def test_greenthreads_are_told_each_in_its_turn(library, patched):
    pytest.importorskip(library)
    printed = run_python(
        GREENTHREADS
        + """
import lockutils
from lockutils import events
def callback(event):
    # it switches to others, which are told meanwhile, and not forgotten
    sleep(0.001)
    seen.append(event.kind)
seen = []
events.subscribe(callback)
def work():
    with lockutils.lock("green"):
        sleep(0.001)
for one in [spawn(work) for _ in range(4)]:
    join(one)
print(*sorted(seen))
""",
        library,
        patched,
    )
    expected = ["acquired"] * 4 + ["released"] * 4 + ["waiting"] * 3
    assert printed.split() == expected


# --- what a callback finds


def try_and_release(lock):
    free = lock.acquire()
    if free:
        lock.release()
    return free


@pytest.mark.parametrize("external", [False, True])
def test_the_lock_is_held_when_it_is_told_acquired_and_free_when_released(external, subscribe):
    seen = []
    me = threading.get_ident()

    def is_free():
        return try_and_release(lockutils.lock("told", external=external, blocking=False))

    def callback(event):
        if threading.get_ident() == me:  # another thread is another caller, and told again
            seen.append((event.kind, Background(is_free).result()))

    subscribe(callback)
    with lockutils.lock("told", external=external):
        pass
    assert seen == [("acquired", False), ("released", True)]


def test_it_is_called_in_the_thread_of_the_acquisition(subscribe):
    threads = set()
    subscribe(lambda _: threads.add(threading.get_ident()))
    other = Background(lambda: by_with(lockutils.lock("x")) or threading.get_ident())
    assert threads == {other.result()}


def test_a_callback_may_use_locks_and_that_is_not_told(subscribe):
    seen = []

    def callback(event):
        seen.append(event.kind)
        with lockutils.lock("mine"), lockutils.lock("external", external=True):
            assert not lockutils.lock("mine").acquire(blocking=False)

    subscribe(callback)
    subscribe(callback)
    by_with(lockutils.lock("x"))
    assert seen == ["acquired", "acquired", "released", "released"]


def test_what_a_callback_acquired_and_others_release_is_not_told(subscribe):
    seen, kept = [], []

    def callback(event):
        seen.append(event.name)
        if not kept:
            kept.append(lockutils.lock("kept"))
            kept[0].acquire()

    subscribe(callback)
    by_with(lockutils.lock("x"))
    kept[0].release()
    assert seen == ["x", "x"]


@pytest.mark.parametrize("handler", ["SIGALRM", "finaliser"])
def test_what_ends_while_a_callback_runs_is_told_after_it(handler, subscribe):
    """As a finaliser or signal handler does it: the callback is not called below itself."""
    held = lockutils.lock("held")
    held.acquire()
    seen = []

    def release(*_):
        held.release()

    class Dropped:
        __del__ = release

    def callback(event):
        seen.append(f"{event.name} {event.kind}")
        if event.kind == "acquired" and event.name == "x":
            if handler == "SIGALRM":
                signal.raise_signal(signal.SIGALRM)
            else:
                Dropped()
            assert not held._holds
        seen.append("end")

    held.release()
    previous = signal.signal(signal.SIGALRM, release)
    try:
        subscribe(callback)
        held.acquire()
        by_with(lockutils.lock("x"))
    finally:
        signal.signal(signal.SIGALRM, previous)
    told = [line for line in seen if line != "end"]
    assert told == ["held acquired", "x acquired", "held released", "x released"]
    assert seen[1::2] == ["end"] * 4


def test_a_signal_handler_and_a_finaliser_are_told(told):
    def use(*_):
        by_with(lockutils.lock("handler"))

    class Dropped:
        __del__ = use

    previous = signal.signal(signal.SIGALRM, use)
    try:
        with lockutils.lock("x"):
            signal.raise_signal(signal.SIGALRM)
            Dropped()
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert kinds(told, "handler") == 2 * ["acquired", "released"]


# --- who is told


def test_a_callback_may_unsubscribe_itself_and_end_it_twice(subscribe):
    seen = []

    def once(event):
        seen.append(event.kind)
        unsubscribe()

    unsubscribe = subscribe(once)
    with lockutils.lock("x"):
        unsubscribe()
    assert seen == ["acquired"]


def test_a_callback_may_subscribe_another(subscribe):
    seen = []

    def first(event):
        seen.append(f"first {event.kind}")
        if len(seen) == 1:
            subscribe(lambda event: seen.append(f"second {event.kind}"))

    subscribe(first)
    by_with(lockutils.lock("x"))
    by_with(lockutils.lock("x"))
    # the second is not told of the end of what it does not know of
    assert seen[:2] == ["first acquired", "first released"]
    assert seen[2:] == [
        f"{who} {kind}" for kind in ("acquired", "released") for who in ("first", "second")
    ]


def test_the_same_callback_twice_is_two_subscriptions(subscribe):
    seen = []
    first, _ = subscribe(seen.append), subscribe(seen.append)
    lock = lockutils.lock("x")
    lock.acquire()
    first()
    lock.release()
    assert kinds(seen) == ["acquired", "acquired", "released"]


def test_who_subscribes_while_a_lock_is_held_is_not_told_of_its_release(subscribe):
    seen = []
    with lockutils.lock("x"):
        subscribe(seen.append)
    assert seen == []


def test_subscribers_come_and_go_while_others_use_locks():
    stop = threading.Event()
    balance, guard = {}, threading.Lock()

    def subscribe_again_and_again():
        while not stop.is_set():
            counts = {"acquired": 0, "released": 0}
            unsubscribe = events.subscribe(
                lambda event, counts=counts: counts.update(
                    {event.kind: counts.get(event.kind, 0) + 1}
                )
            )
            by_with(lockutils.lock("mine"))
            unsubscribe()
            with guard:
                balance[id(counts)] = counts

    def use():
        while not stop.is_set():
            by_with(lockutils.lock("used"))

    threads = [Background(call) for call in (subscribe_again_and_again, use) * 3]
    until(lambda: len(balance) > 100, "many subscriptions")
    stop.set()
    for thread in threads:
        thread.result()
    assert all(counts["acquired"] >= 1 for counts in balance.values())
    assert observe.subscribers == []


@pytest.mark.parametrize("callback", [None, "callback", 3])
def test_what_cannot_be_called_is_refused(callback):
    with pytest.raises(TypeError, match=repr(callback)):
        events.subscribe(callback)


def test_a_coroutine_function_is_refused():
    async def callback(event): ...

    with pytest.raises(TypeError, match=r"coroutine function.*callback"):
        events.subscribe(callback)


# --- exceptions


class Broken(Exception):
    pass


@places
def test_what_a_callback_raises_changes_nothing_and_is_logged_once(
    external, subscribe, told, caplog
):
    def callback(event):
        raise Broken if event.kind != "refused" else KeyError("other")

    subscribe(callback)
    seen = []
    subscribe(seen.append)
    for _ in range(3):
        with lockutils.lock("x", external=external):
            assert not lockutils.lock("x", external=external).acquire(blocking=False)
    assert kinds(seen) == kinds(told) == 3 * ["acquired", "refused", "released"]
    assert [line.levelno for line in caplog.records] == [logging.ERROR] * 2
    assert [line.exc_info[0] for line in caplog.records] == [Broken, KeyError]
    assert "callback" in caplog.records[0].getMessage()
    assert caplog.records[0].name == "lockutils"


def test_a_log_that_fails_too_changes_nothing(subscribe):
    class Handler(logging.Handler):
        def emit(self, record):
            raise Broken

    def callback(event):
        raise Broken

    handler = Handler()
    logging.getLogger("lockutils").addHandler(handler)
    try:
        subscribe(callback)
        by_with(lockutils.lock("x"))
    finally:
        logging.getLogger("lockutils").removeHandler(handler)


@pytest.mark.parametrize("options", [{}, {"shared": True}, {"reentrant": True}])
@ways
def test_an_interrupt_in_a_callback_undoes_the_acquisition(take, options, subscribe, told):
    def callback(event):
        if event.kind == "acquired":
            raise KeyboardInterrupt

    end = subscribe(callback)
    seen = []
    subscribe(seen.append)
    with pytest.raises(KeyboardInterrupt):
        take(lockutils.lock("x", **options))
    assert kinds(seen) == kinds(told) == ["acquired", "released"]
    end()
    assert try_and_release(lockutils.lock("x", blocking=False))
    # this caller is not taken for one that is in a callback
    assert kinds(told) == 2 * ["acquired", "released"]


def test_an_interrupt_in_a_callback_keeps_no_handle_alive(subscribe):
    def callback(event):
        raise KeyboardInterrupt

    subscribe(callback)
    lock = lockutils.lock("x")
    reference = weakref.ref(lock)
    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt) as interrupt:
            by_with(lock)
        del lock, interrupt
        assert reference() is None
    finally:
        gc.enable()


def test_an_interrupt_after_a_wait_is_a_release_and_no_wait_that_was_aborted(subscribe, told):
    me = threading.get_ident()

    def callback(event):
        if event.kind == "acquired" and threading.get_ident() != me:
            raise KeyboardInterrupt

    subscribe(callback)
    with pytest.raises(KeyboardInterrupt):
        wait_while_held(by_with)
    assert sorted(kinds(told)) == ["acquired", "acquired", "released", "released", "waiting"]


def test_an_interrupt_in_a_callback_comes_out_of_a_release_that_is_done(subscribe, told):
    def callback(event):
        if event.kind == "released":
            raise KeyboardInterrupt

    end = subscribe(callback)
    with pytest.raises(KeyboardInterrupt), lockutils.lock("x"):
        pass
    assert kinds(told) == ["acquired", "released"]
    end()
    assert try_and_release(lockutils.lock("x", blocking=False))


def test_a_callback_of_waiting_may_take_the_very_lock(subscribe):
    """It is passed by what runs below it, as by a signal handler, and waits again."""
    holder = lockutils.lock("contended")
    holder.acquire()
    seen = []

    def callback(event):
        seen.append(event.kind)
        if event.kind == "waiting":
            releaser = Background(holder.release)
            with lockutils.lock("contended", timeout=WATCHDOG):
                releaser.result()

    subscribe(callback)
    Background(by_with, lockutils.lock("contended", timeout=WATCHDOG)).result()
    assert seen == ["waiting", "acquired", "released"]


class Interrupt(BaseException):
    pass


def interrupt():
    raise Interrupt


def test_an_interrupt_anywhere_leaves_a_free_lock_and_a_caller_that_is_told(told):
    off = []
    for step in each_step(interrupt, only_handlers=True):
        del told[:]
        try:
            with step:
                by_with(lockutils.lock("x"))
        except Interrupt:
            pass
        step._last.clear()  # the frames, which have the handle
        if kinds(told) not in ([], ["acquired", "released"]):
            off.append(step.where)
        del told[:]
        assert try_and_release(lockutils.lock("x", blocking=False)), step.where
        assert kinds(told) == ["acquired", "released"], step.where
    # nobody can say whether a callback that was interrupted before its first line has run
    assert len(off) <= 3
    assert {where.partition(":")[0] for where in off} <= {events.subscribe.__code__.co_filename}


def test_the_events_of_each_lock_add_up(told):
    """Threads and tasks, some of which are cancelled, or wait in vain, or have no time."""

    def use(chance):
        for _ in range(100):
            lock = lockutils.lock(f"lock-{chance.randrange(3)}", shared=chance.random() < 0.3)
            if lock.acquire(timeout=chance.choice([0, 0.0001, WATCHDOG])):
                lock.release()

    async def use_once(chance):
        async with lockutils.lock(f"lock-{chance.randrange(3)}"):
            await asyncio.sleep(0.0001 * chance.random())

    async def use_and_cancel(chance):
        for _ in range(20):
            tasks = [asyncio.ensure_future(use_once(chance)) for _ in range(5)]
            await asyncio.sleep(0.001 * chance.random())
            for task in tasks:
                if chance.random() < 0.5:
                    task.cancel()
            await asyncio.wait(tasks)

    threads = [Background(use, random.Random(seed)) for seed in range(4)]
    threads += [Background(asyncio.run, use_and_cancel(random.Random(seed))) for seed in range(2)]
    for thread in threads:
        thread.result()
    for name in ("lock-0", "lock-1", "lock-2"):
        of_name = [event for event in told if event.name == name]
        counts = Counter(kinds(of_name))
        waited = sum(event.kind == "acquired" and event.waited > 0 for event in of_name)
        assert counts["acquired"] == counts["released"] > 0
        assert counts["waiting"] == waited + counts["timed_out"] + counts["aborted"] > 0


# --- processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_keeps_the_subscribers_and_is_not_told_of_what_its_parent_held():
    printed = run_python("""
import os
import lockutils
from lockutils import events

events.subscribe(lambda event: print(where, event.kind, event.name, flush=True))
where = "parent"
with lockutils.lock("parents"):
    child = os.fork()
    if child == 0:
        where = "child"
        with lockutils.lock("childs"):
            pass
    else:
        os.waitpid(child, 0)
""")
    assert printed.splitlines() == [
        "parent acquired parents",
        "child acquired childs",
        "child released childs",
        "parent released parents",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_of_a_thread_that_forks_while_another_is_in_a_callback_is_told():
    printed = run_python("""
import os, threading
import lockutils
from lockutils import events

entered, go_on = threading.Event(), threading.Event()
def callback(event):
    if event.name == "slow":
        entered.set()
        go_on.wait(30)
    else:
        print(event.kind, flush=True)
events.subscribe(callback)
def use():
    with lockutils.lock("slow"):
        pass
thread = threading.Thread(target=use)
thread.start()
entered.wait(30)
child = os.fork()
if child == 0:
    def use():
        with lockutils.lock("quick"):
            pass
    # one of them has the number that the parent's thread had
    for _ in range(4):
        other = threading.Thread(target=use)
        other.start()
        other.join()
    os._exit(0)
os.waitpid(child, 0)
go_on.set()
thread.join()
""")
    assert printed.split() == 4 * ["acquired", "released"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_hold_that_is_moved_to_a_child_has_ended_in_the_parent(tmp_path):
    printed = run_python(
        """
import os, sys
import lockutils
from lockutils import events

where = "parent"
events.subscribe(lambda event: print(where, event.kind, flush=True))
lock = lockutils.lock("moved", external=True, lock_path=sys.argv[1])
lock.acquire()
lock.hand_to_child()
child = os.fork()
if child == 0:
    where = "child"
    lock.release()
    os._exit(0)
os.waitpid(child, 0)
""",
        str(tmp_path),
    )
    assert printed.splitlines() == ["parent acquired", "parent released"]


def test_who_does_not_subscribe_imports_nothing():
    printed = run_python("""
import sys
import lockutils
with lockutils.lock("x"):
    pass
print([name for name in sys.modules if "events" in name])
print(lockutils.events.subscribe.__module__)
""")
    assert printed.splitlines() == ["[]", "lockutils.observe.events"]


def test_an_event_shows_what_it_carries(told):
    by_with(lockutils.lock("x", "prefix"))
    text = repr(told[1])
    assert text.startswith("Event(")
    for part in ("kind='released'", "name='x'", "prefix='prefix'", "waited=0.0", "held="):
        assert part in text
    assert "_" not in text.replace("lock_", "")


def test_the_template_goes_with_a_decorated_functions_failure(told):
    @lockutils.synchronized("busy-{number}", blocking=False)
    def work(number): ...

    with lockutils.lock("busy-1"), pytest.raises(lockutils.AcquireLockFailedException) as failure:
        work(1)
    assert [(event.kind, event.template) for event in told][1] == ("refused", "busy-{number}")
    assert str(pickle.loads(pickle.dumps(failure.value))) == str(failure.value)


def test_logging_and_events_are_told_of_the_same_hold(told, caplog):
    caplog.set_level(logging.DEBUG, logger="lockutils")
    by_with(lockutils.lock("x"))
    by_with(lockutils.lock("silent", do_log=False))
    assert [line.getMessage().split(" ::")[0] for line in caplog.records] == [
        "Acquiring lock 'x'",
        "Acquired lock 'x'",
        "Released lock 'x'",
    ]
    assert kinds(told) == 2 * ["acquired", "released"]


def test_with_subscribers_alone_nothing_is_logged(told, caplog):
    caplog.set_level(logging.INFO, logger="lockutils")
    by_with(lockutils.lock("x"))
    assert caplog.records == []
