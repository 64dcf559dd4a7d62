"""What a handle of a lock does, for whoever uses it."""

import asyncio
import copy
import fcntl
import functools
import gc
import math
import os
import threading
import uuid
import weakref
from unittest import mock

import lock_peers
import pytest
import trio
from lock_peers import WATCHDOG, Background, Peers, until

import lockutils
from lockutils import AcquireLockFailedException, DeadlockError, LockTimeout

NAME = "contested"
run_python = functools.partial(lock_peers.run_python, options=("-W", "ignore::DeprecationWarning"))


def is_held(name=NAME, **options):
    probe = lockutils.lock(name, blocking=False, **options)
    if probe.acquire():
        probe.release()
        return False
    return True


def waiting(handle):
    """How many are in line for it, the holder among them."""
    return len(handle._queue)


@pytest.fixture(params=["internal", "external"])
def options(request, tmp_path):
    if request.param == "internal":
        return {}
    return {"external": True, "lock_path": tmp_path}


@pytest.fixture
def held():
    """A handle that another thread acquired, which goes on to live; anybody may release it."""
    handle = lockutils.lock(NAME)
    acquired, end = threading.Event(), threading.Event()

    def hold():
        handle.acquire()
        acquired.set()
        assert end.wait(WATCHDOG)

    thread = Background(hold)
    assert acquired.wait(WATCHDOG)
    yield handle
    end.set()
    thread.result()
    if handle._holds:
        handle.release()


@pytest.fixture(autouse=True)
def nothing_is_left():
    assert not is_held(), "a test before this one left it held"
    yield
    gc.collect()
    assert not is_held()


# --- the handle


def test_a_new_handle_holds_nothing(options):
    lockutils.lock(NAME, **options)
    assert not is_held(**options)


def test_with_holds_inside(options):
    with lockutils.lock(NAME, **options) as handle:
        assert isinstance(handle, lockutils.Lock)
        assert handle.name == NAME
        assert is_held(**options)
    assert not is_held(**options)


def test_with_releases_on_an_exception(options):
    with pytest.raises(KeyError), lockutils.lock(NAME, **options):
        raise KeyError
    assert not is_held(**options)


def test_acquire_and_release_by_hand(options):
    handle = lockutils.lock(NAME, **options)
    assert handle.acquire() is True
    assert is_held(**options)
    assert handle.release() is None
    assert not is_held(**options)


def test_a_handle_serves_again_and_again(options):
    handle = lockutils.lock(NAME, **options)
    for _ in range(3):
        with handle:
            assert is_held(**options)
        assert handle.acquire()
        handle.release()


def test_a_release_by_another_thread(options):
    handle = lockutils.lock(NAME, **options)
    handle.acquire()
    Background(handle.release).result()
    assert not is_held(**options)


def test_async_with_and_async_by_hand(options):
    async def scenario():
        async with lockutils.lock(NAME, **options) as handle:
            assert is_held(**options)
        assert not is_held(**options)
        assert await handle.async_acquire() is True
        assert await lockutils.lock(NAME, **options).async_acquire(blocking=False) is False
        assert await lockutils.lock(NAME, **options).async_acquire(timeout=0.001) is False
        await handle.async_release()
        assert not is_held(**options)
        with pytest.raises(RuntimeError, match="not held"):
            await handle.async_release()

    asyncio.run(scenario())


def test_its_repr_says_whether_it_holds(tmp_path):
    handle = lockutils.lock("a\nb", external=True, lock_path=tmp_path)
    assert repr(handle) == f"<Lock 'a\\nb' in {tmp_path}, free>"
    with handle:
        assert repr(handle).endswith("held>")


def test_a_dropped_handle_lets_go(options):
    handle = lockutils.lock(NAME, **options)
    handle.acquire()
    assert is_held(**options)
    del handle
    assert not is_held(**options)


def test_a_dropped_handle_wakes_who_waits():
    handle = lockutils.lock(NAME)
    handle.acquire()
    queue = handle._queue
    waiter = Background(lockutils.lock(NAME).acquire)
    until(lambda: len(queue) == 2, "the thread waits")
    del handle
    assert waiter.result() is True


@pytest.mark.parametrize("times", [0, 1])
def test_a_release_of_what_is_not_held(times, options):
    handle = lockutils.lock(NAME, **options)
    for _ in range(times):
        handle.acquire()
        handle.release()
    with pytest.raises(RuntimeError, match=f"{NAME!r} is released, but not held"):
        handle.release()


def test_a_release_by_a_handle_that_does_not_hold(held):
    with pytest.raises(RuntimeError, match="not held"):
        lockutils.lock(NAME).release()
    assert is_held()


def test_many_threads_share_a_handle(options):
    handle = lockutils.lock(NAME, **options)
    inside, overlaps = [], []

    def work(me):
        for turn in range(200):
            if turn % 2:
                with handle:
                    visit(me)
            else:
                assert handle.acquire(timeout=WATCHDOG)
                visit(me)
                handle.release()

    def visit(me):
        inside.append(me)
        if inside != [me]:
            overlaps.append(me)
        inside.remove(me)

    for thread in [Background(work, me) for me in range(6)]:
        thread.result()
    assert not overlaps
    assert not is_held(**options)


# --- names


def test_a_prefix_and_a_name_meet_the_equal_plain_name():
    with lockutils.lock("b", "a"):
        assert is_held("a-b")
        assert is_held("b", lock_file_prefix="a-")
        assert not is_held("b")
        assert not is_held("ab")


def test_one_name_within_and_beyond_the_process(tmp_path):
    outside = {"external": True, "lock_path": tmp_path}
    with lockutils.lock(NAME):
        assert is_held(**outside)
    with lockutils.lock(NAME, **outside):
        assert is_held()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\0", "/", "..", 300 * "x", "\udc80", "é"])
def test_any_string_is_a_name(name, options):
    with lockutils.lock(name, **options):
        assert is_held(name, **options)
        assert not is_held(name + "-", **options)


@pytest.mark.parametrize("args", [(None,), (b"x",), (bytearray(b"x"),), ("x", 7)])
def test_what_is_not_a_name(args):
    with pytest.raises(TypeError, match="str"):
        lockutils.lock(*args)


@pytest.mark.parametrize("what", [7, uuid.UUID(int=7), mock.Mock(), ("x",)])
def test_another_object_stands_for_its_str(what, options):
    handle = lockutils.lock(what, **options)
    assert handle.name == str(what)
    with handle:
        assert is_held(str(what), **options)
        assert lockutils.lock_all([what], **options).names == [str(what)]
        assert str(what) in lockutils.held()


# --- how long to wait


@pytest.mark.parametrize("given", [{"blocking": False}, {"timeout": 0}, {"timeout": 0.0}])
def test_a_single_try(given, held, options):
    kind = lockutils.LockTimeout if "timeout" in given else AcquireLockFailedException
    handle = lockutils.lock(NAME, **given, **options)
    assert handle.acquire() is False
    assert lockutils.lock(NAME, **options).acquire(**given) is False
    with pytest.raises(AcquireLockFailedException, match=NAME) as caught, handle:
        pass
    assert type(caught.value) is kind
    assert (caught.value.lock_name, caught.value.waited) == (NAME, 0)
    held.release()
    assert handle.acquire() is True
    handle.release()


def test_a_time_out(held, options):
    handle = lockutils.lock(NAME, timeout=0.01, **options)
    assert handle.acquire() is False
    assert lockutils.lock(NAME, **options).acquire(timeout=0.01) is False
    with pytest.raises(LockTimeout, match=NAME) as caught, handle:
        pass
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, AcquireLockFailedException)
    assert caught.value.lock_name == NAME
    assert caught.value.waited >= 0.01
    assert waiting(handle) == 1
    held.release()
    with handle:
        pass


def test_an_acquire_has_its_own_time_out(held):
    handle = lockutils.lock(NAME, timeout=WATCHDOG)
    assert handle.acquire(blocking=False) is False
    assert handle.acquire(timeout=0.001) is False
    assert lockutils.lock(NAME, blocking=False).acquire(timeout=0.001) is False


def test_a_time_out_names_the_holder_in_this_process(held):
    held.release()
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with lockutils.lock(NAME):
            entered.set()
            leave.wait(WATCHDOG)

    holder = threading.Thread(target=hold, name="the-holder", daemon=True)
    holder.start()
    assert entered.wait(WATCHDOG)
    for given in {"timeout": 0.001}, {"blocking": False}:
        with pytest.raises(AcquireLockFailedException) as caught, lockutils.lock(NAME, **given):
            pass
        assert caught.value.holder.pid == os.getpid()
        assert "the-holder" in str(caught.value)
    leave.set()
    holder.join(WATCHDOG)


HOLDER = """
import sys, lockutils
with lockutils.lock(sys.argv[1], external=True, lock_path=sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def peers():
    started = Peers()
    yield started
    started.close()


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="tells who holds a file")
@pytest.mark.parametrize("given", [{"timeout": 0.001}, {"blocking": False}])
def test_it_names_the_process_that_holds(given, peers, tmp_path):
    peer = peers.python(HOLDER, NAME, str(tmp_path))
    assert peer.hear() == "held"
    handle = lockutils.lock(NAME, external=True, lock_path=tmp_path, **given)
    with pytest.raises(AcquireLockFailedException) as caught, handle:
        pass
    assert caught.value.holder.pid == peer.process.pid
    assert str(peer.process.pid) in str(caught.value)
    assert peer.end() == 0
    with handle:
        pass


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**12])
def test_as_long_as_you_like(timeout, options):
    handle = lockutils.lock(NAME, **options)
    handle.acquire()
    waiter = Background(lockutils.lock(NAME, **options).acquire, True, timeout)
    until(lambda: waiting(handle) == 2, "the thread waits")
    handle.release()
    assert waiter.result() is True


BAD = [
    ({"timeout": -1}, ValueError),
    ({"timeout": -1e-9}, ValueError),
    ({"timeout": -math.inf}, ValueError),
    ({"timeout": math.nan}, ValueError),
    ({"timeout": True}, TypeError),
    ({"timeout": False}, TypeError),
    ({"timeout": "1"}, TypeError),
    ({"timeout": [1]}, TypeError),
    ({"timeout": 1, "blocking": False}, ValueError),
    ({"timeout": 0, "blocking": False}, ValueError),
]


@pytest.mark.parametrize(("given", "error"), BAD)
def test_a_bad_time_out(given, error):
    with pytest.raises(error, match="timeout"):
        lockutils.lock(NAME, **given)
    handle = lockutils.lock(NAME)
    with pytest.raises(error, match="timeout"):
        handle.acquire(**given)
    with pytest.raises(error, match="timeout"):
        asyncio.run(handle.async_acquire(**given))
    assert waiting(handle) == 0


# --- whose turn it is


def test_threads_are_served_in_the_order_they_came(held):
    order = []

    def work(me):
        with lockutils.lock(NAME):
            order.append(me)

    threads = []
    for me in range(20):
        threads.append(Background(work, me))
        until(lambda me=me: waiting(held) == me + 2, "the thread waits")
    held.release()
    for thread in threads:
        thread.result()
    assert order == list(range(20))


def test_who_gives_up_leaves_the_order_of_the_others(held):
    order = []

    def work(me, **given):
        if lockutils.lock(NAME).acquire(**given):
            order.append(me)

    first = Background(work, "first")
    until(lambda: waiting(held) == 2, "the thread waits")
    work("gives up", timeout=0.001)
    assert waiting(held) == 2
    second = Background(work, "second")
    until(lambda: waiting(held) == 3, "the thread waits")
    held.release()
    first.result()
    second.result()
    assert order == ["first", "second"]


# --- waiting for oneself


def test_a_thread_that_waits_for_itself(options):
    def scenario():
        with lockutils.lock(NAME, **options) as handle:
            for again in (lockutils.lock(NAME, **options), handle):
                with pytest.raises(DeadlockError, match=NAME):
                    again.acquire()
                with pytest.raises(DeadlockError, match=NAME), again:
                    pass
                assert again.acquire(blocking=False) is False
                assert again.acquire(timeout=0.001) is False
            timed = lockutils.lock(NAME, timeout=0.001, **options)
            with pytest.raises(LockTimeout), timed:
                pass
            assert waiting(handle) == 1
            assert is_held(**options)
        assert not is_held(**options)

    Background(scenario).result()


def test_it_does_so_with_an_external_lock_inside_of_an_internal_one(tmp_path):
    def scenario():
        with lockutils.lock(NAME):
            outside = lockutils.lock(NAME, external=True, lock_path=tmp_path)
            with pytest.raises(DeadlockError), outside:
                pass

    Background(scenario).result()


def test_a_thread_waits_for_another(held):
    waiter = Background(lockutils.lock(NAME).acquire)
    until(lambda: waiting(held) == 2, "the thread waits")
    held.release()
    assert waiter.result() is True


#: so often that at least one newcomer gets the identity of who was there before
NEWCOMERS = 50


def test_a_thread_does_not_wait_for_itself_behind_a_dead_one_of_its_identity():
    handle = lockutils.lock("behind a thread")
    for _ in range(NEWCOMERS):
        dead = threading.Thread(target=handle.acquire)
        dead.start()
        dead.join(WATCHDOG)
        newcomer = Background(lockutils.lock("behind a thread").acquire)
        until(lambda one=newcomer: waiting(handle) == 2 or one.join(0), "the thread waits")
        handle.release()
        assert newcomer.result() is True
        del newcomer


# A loop runs in a thread of its own, so that a wait that stops the whole loop fails, too.


class Asyncio:
    event = asyncio.Event
    checkpoint = staticmethod(lambda: asyncio.sleep(0))

    @staticmethod
    def run(scenario):
        Background(asyncio.run, asyncio.wait_for(scenario(), WATCHDOG)).result()

    @staticmethod
    async def together(*functions):
        await asyncio.gather(*(function() for function in functions))


class Trio:
    event = trio.Event
    checkpoint = staticmethod(trio.lowlevel.checkpoint)

    @staticmethod
    def run(scenario):
        async def watched():
            with trio.fail_after(WATCHDOG):
                await scenario()

        Background(trio.run, watched).result()

    @staticmethod
    async def together(*functions):
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)


loops = pytest.mark.parametrize("loop", [Asyncio, Trio])


@loops
def test_a_task_that_waits_for_itself(loop, options):
    async def scenario():
        async with lockutils.lock(NAME, **options) as handle:
            again = lockutils.lock(NAME, **options)
            for one in (handle, again):
                with pytest.raises(DeadlockError, match=NAME):
                    await one.async_acquire()
                with pytest.raises(DeadlockError, match=NAME):
                    async with one:
                        pass
                assert await one.async_acquire(blocking=False) is False
                assert await one.async_acquire(timeout=0.001) is False
            with pytest.raises(LockTimeout):
                async with lockutils.lock(NAME, timeout=0.001, **options):
                    pass
            assert waiting(handle) == 1
        assert not is_held(**options)

    loop.run(scenario)


@loops
@pytest.mark.parametrize("holds", ["async with", "with"])
def test_a_task_that_waits_for_itself_one_way_and_the_other(loop, holds):
    async def scenario():
        first, second = lockutils.lock(NAME), lockutils.lock(NAME)
        if holds == "with":
            with first, pytest.raises(DeadlockError):
                await second.async_acquire()
        else:
            async with first:
                with pytest.raises(DeadlockError):
                    second.acquire()

    loop.run(scenario)


@loops
def test_a_task_that_stops_the_loop_of_the_holder_waits_for_itself(loop):
    async def scenario():
        entered, refused = loop.event(), loop.event()

        async def hold():
            async with lockutils.lock(NAME):
                entered.set()
                await refused.wait()

        async def stop():
            await entered.wait()
            with pytest.raises(DeadlockError), lockutils.lock(NAME):
                pass
            assert lockutils.lock(NAME).acquire(timeout=0.001) is False
            refused.set()

        await loop.together(hold, stop)

    loop.run(scenario)


@loops
def test_a_task_that_stops_the_loop_of_who_is_next_passes_it(loop, held):
    served = []

    async def scenario():
        async def wait():
            async with lockutils.lock(NAME):
                served.append("next")

        async def stop():
            while waiting(held) < 2:
                await loop.checkpoint()
            stopped = held._queue[1]
            release = Background(
                lambda: (until(lambda: stopped not in held._queue, "passed"), held.release())
            )
            with lockutils.lock(NAME):
                served.append("who stops the loop")
            release.result()

        await loop.together(wait, stop)

    loop.run(scenario)
    assert served == ["who stops the loop", "next"]


@loops
def test_a_task_waits_for_another(loop):
    order = []

    async def scenario():
        handle = lockutils.lock(NAME)

        async def first():
            async with handle:
                while waiting(handle) < 3:
                    await loop.checkpoint()
                order.append("first")

        async def later():
            while not is_held():
                await loop.checkpoint()
            async with lockutils.lock(NAME):
                order.append("later")

        await loop.together(first, later, later)

    loop.run(scenario)
    assert order == ["first", "later", "later"]


@loops
def test_a_task_waits_for_a_task_that_holds_by_the_blocking_call(loop):
    async def scenario():
        handle = lockutils.lock(NAME)
        entered = loop.event()

        async def hold():
            with handle:
                entered.set()
                while waiting(handle) < 2:
                    await loop.checkpoint()

        async def wait():
            await entered.wait()
            async with lockutils.lock(NAME):
                pass

        await loop.together(hold, wait)

    loop.run(scenario)


@loops
def test_a_task_waits_for_a_thread_and_a_thread_for_a_task(loop, held):
    async def scenario():
        async def wait():
            async with lockutils.lock(NAME) as handle:
                thread = Background(lockutils.lock(NAME).acquire)
                while waiting(handle) < 2:
                    await loop.checkpoint()
            assert thread.result() is True

        async def release():
            while waiting(held) < 2:
                await loop.checkpoint()
            held.release()

        await loop.together(wait, release)

    loop.run(scenario)


@loops
def test_a_task_does_not_wait_for_itself_behind_a_dead_one_of_its_identity(loop):
    async def scenario():
        handle = lockutils.lock(f"behind a task of {loop}")

        async def newcomer():
            async with lockutils.lock(f"behind a task of {loop}"):
                pass

        async def release():
            while waiting(handle) < 2:  # together() or run() ends it
                await loop.checkpoint()
            handle.release()

        for _ in range(NEWCOMERS):
            await loop.together(handle.async_acquire)
            await loop.checkpoint()
            await loop.together(newcomer, release)

    loop.run(scenario)


GREEN = """
import sys
import lockutils
from lockutils import DeadlockError, LockTimeout, lock

if {library!r} == "eventlet":
    import eventlet
    eventlet.monkey_patch()
    spawn, pause = eventlet.spawn, eventlet.sleep
    join = lambda thread: thread.wait()
else:
    from gevent import monkey
    monkey.patch_all()
    import gevent
    spawn, pause = gevent.spawn, gevent.sleep
    join = lambda thread: thread.get()

def waiting(handle):
    return len(handle._queue)

def refused():
    with lock("x") as handle:
        for again in handle, lock("x"):
            try:
                again.acquire()
            except DeadlockError:
                pass
            else:
                raise AssertionError("no DeadlockError")
            assert again.acquire(timeout=0.001) is False
            assert again.acquire(blocking=False) is False
        try:
            with lock("x", timeout=0.001):
                raise AssertionError("two inside")
        except LockTimeout:
            pass
        assert waiting(handle) == 1
    return "refused"

def served():
    order = []
    handle = lock("x")
    def work(me):
        with lock("x"):
            order.append(me)
            pause()
    with handle:
        threads = []
        for me in range(5):
            threads.append(spawn(work, me))
            while waiting(handle) < me + 2:
                pause()
    for thread in threads:
        join(thread)
    assert order == list(range(5)), order
    return "served"

def reborn():
    handle = lock("x")
    refused = []
    def newcomer():
        try:
            with lock("x"):
                pass
        except DeadlockError as error:
            refused.append(error)
    for _ in range(50):
        dead = spawn(handle.acquire)
        join(dead)
        del dead
        threads = [spawn(newcomer) for _ in range(5)]
        while waiting(handle) + len(refused) < 6:
            pause()
        handle.release()
        for thread in threads:
            join(thread)
        assert not refused, refused
    return "reborn"

# in the main greenlet and in another one
function = globals()[sys.argv[1]]
print(function(), join(spawn(function)))
"""


@pytest.mark.parametrize("library", ["eventlet", "gevent"])
@pytest.mark.parametrize("what", ["refused", "served", "reborn"])
def test_a_greenthread_that_waits_for_itself_and_one_that_does_not(library, what):
    source = GREEN.replace("{library!r}", repr(library))
    assert run_python(source, what).split() == [what, what]


# --- after a fork

FORK = """
import os, sys, traceback
import fcntl
import functools
import lockutils

where = {"external": True, "lock_path": sys.argv[2]} if sys.argv[1] == "external" else {}

def lock(name="forked", **options):
    return lockutils.lock(name, **where, **options)

def in_child(function):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
"""


@pytest.fixture(params=["internal", "external"])
def run_forked(request, tmp_path):
    def run(source):
        run_python(FORK + source, request.param, str(tmp_path))

    return run


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
def test_a_child_cannot_release_what_its_parent_holds(run_forked):
    run_forked("""
handle = lock()
handle.acquire()

def child():
    for message in "before a fork", "not held":
        try:
            handle.release()
        except RuntimeError as error:
            assert message in str(error), error
        else:
            raise AssertionError("released")

in_child(child)
assert not lock().acquire(blocking=False)
if where:
    with open(sys.argv[2] + "/forked", "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            raise AssertionError("the child unlocked the file")
handle.release()
assert lock().acquire(blocking=False)
""")


@needs_fork
def test_a_child_leaves_a_with_silently(run_forked):
    run_forked("""
with lock():
    pid = os.fork()
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0

# and the parent still holds, when the child has left
with lock():
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
    else:
        os.close(writing)
        assert os.read(reading, 1) == b"!"
        assert not lock().acquire(blocking=False)
if pid == 0:
    os.write(writing, b"!")
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert lock().acquire(blocking=False)
""")


@needs_fork
def test_a_child_holds_nothing_and_its_registry_is_fresh(run_forked):
    run_forked("""
handle = lock()

def child():
    if where:  # the parent has the file
        again = lock(blocking=False)
        try:
            with again:
                raise AssertionError("two inside")
        except lockutils.AcquireLockFailedException as error:
            assert error.holder.pid == os.getppid(), error
    else:
        with lock():
            assert not lock().acquire(blocking=False)
        with lock(), lock("another"):
            pass
    with lockutils.lock("forked"):  # of this process alone
        pass

with handle:
    in_child(child)
    assert not lock().acquire(blocking=False)
in_child(lambda: lock().__enter__())
assert lock().acquire(blocking=False)
""")


@needs_fork
def test_a_handle_of_the_parent_serves_the_child(run_forked):
    run_forked("""
handle = lock()

def child():
    with handle:
        assert not lock().acquire(blocking=False)
    assert lock().acquire(blocking=False)

in_child(child)
handle.acquire()

def child():
    try:
        handle.release()
    except RuntimeError:
        pass
    if not where:
        with handle:
            assert not lock().acquire(blocking=False)

in_child(child)
handle.release()
""")


@needs_fork
def test_a_child_does_not_wait_behind_the_threads_of_its_parent(run_forked):
    run_forked("""
import threading, time
handle = lock()
handle.acquire()
thread = threading.Thread(target=lambda: lock().__enter__().release(), daemon=True)
thread.start()
while len(handle._queue) < 2:
    time.sleep(0)

def child():
    assert len(handle._queue) == 0
    with lockutils.lock("forked"):
        pass

in_child(child)
handle.release()
thread.join(20)
assert not thread.is_alive()
""")


@needs_fork
def test_a_child_that_drops_or_outlives_does_not_let_go_for_its_parent(tmp_path):
    """Nor does what it inherited keep the lock, once the parent has released."""
    run_python(
        FORK
        + """
handle = lock()
handle.acquire()

def child():
    global handle
    del handle

in_child(child)
assert not lock().acquire(blocking=False)
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(writing)
    os.read(reading, 1)
    os._exit(0)
handle.release()
with open(sys.argv[2] + "/forked", "wb") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.close(writing)
assert os.waitpid(pid, 0)[1] == 0
""",
        "external",
        str(tmp_path),
    )


def test_an_external_lock_is_held_outside(tmp_path):
    with (
        lockutils.lock(NAME, external=True, lock_path=tmp_path),
        open(tmp_path / NAME, "wb") as file,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with open(tmp_path / NAME, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("given", [{}, {"shared": True}, {"slots": 2}, {"reentrant": True}])
@pytest.mark.parametrize("name", [NAME, "a/b", ".dot", 300 * "n"])
def test_an_external_lock_tells_its_file(name, given, tmp_path):
    handle = lockutils.lock(name, "app", external=True, lock_path=tmp_path / "locks", **given)
    assert not handle.exists()
    with handle as held:
        (file,) = (tmp_path / "locks").iterdir()
        assert held.path == str(file)
        assert held.exists()
        assert copy.copy(handle).path == held.path
    file.unlink()
    assert not handle.exists()


@pytest.mark.parametrize(
    "handle", [lockutils.lock(NAME), lockutils.LockByKey()[NAME], lockutils.Semaphores().get(NAME)]
)
def test_a_lock_of_this_process_has_no_file(handle):
    assert not hasattr(handle, "path")
    with pytest.raises(AttributeError, match=f"{NAME!r} has no lock file"):
        handle.exists()


@pytest.mark.parametrize("external", [False, True])
def test_what_has_a_lock_may_be_referenced_weakly(external, tmp_path):
    semaphores = lockutils.Semaphores()
    options = {"external": external, "lock_path": tmp_path if external else None}
    for what in (
        lockutils.lock(NAME, **options),
        lockutils.lock(NAME, shared=True, **options),
        lockutils.lock_all([NAME], **options),
        lockutils.internal_lock(NAME),
        lockutils.internal_fair_lock(NAME),
        lockutils.external_lock(NAME, lock_path=tmp_path),
        semaphores.get(NAME),
        semaphores,
    ):
        assert weakref.ref(what)() is what
