"""Programs in which some waiter cannot run.  Each prints "OK" in the end, or hangs.

Run as: programs.py NAME ARGUMENTS
"""

import asyncio
import faulthandler
import gc
import os
import signal
import sys
import threading
import time

import lockutils

PATIENCE = 20.0
faulthandler.dump_traceback_later(PATIENCE + 5, exit=True)


def in_line(name="x"):
    return len(lockutils.lock(name)._queue)


def until(condition):
    watchdog = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < watchdog, "hangs"
        time.sleep(0.001)


def options(mode, directory):
    how = {
        "plain": {},
        "shared": {"shared": True},
        "slots": {"slots": 2},
        "reentrant": {"reentrant": True},
        "fair": {"fair": True},
    }[mode]
    return how if directory == "-" else {**how, "external": True, "lock_path": directory}


def held_by_a_thread(how):
    """Hold all of the lock in another thread; return what makes it release."""
    entered, leave = threading.Event(), threading.Event()
    exclusive = {**how, "shared": False}
    handles = [lockutils.lock("x", **exclusive) for _ in range(how.get("slots", 1))]

    def hold():
        for handle in handles:
            handle.acquire()
        entered.set()
        leave.wait()
        for handle in handles:
            handle.release()

    threading.Thread(target=hold, daemon=True).start()
    entered.wait()
    return leave.set, len(handles)


def exclusive(how):
    """Ask for what the dead one keeps from everybody: of readers, for all of the lock."""
    return {**how, "shared": False} if "shared" in how else how


def serve_a_thread(how, name="x"):
    """Whether a thread that asks now is served."""
    served = threading.Event()

    def ask():
        with lockutils.lock(name, **how):
            served.set()

    threading.Thread(target=ask, daemon=True).start()
    return served


def serve_two_threads(how):
    """Whether two threads that ask for a slot now have one at the same time."""
    together, served = threading.Barrier(2), threading.Event()

    def ask():
        with lockutils.lock("x", **how):
            together.wait()
            served.set()

    for _ in range(2):
        threading.Thread(target=ask, daemon=True).start()
    return served


def interrupted(way, mode, directory):
    """Who waits is interrupted, and what interrupts asks for the same lock."""
    from lockutils.parking import helpers

    if directory == "-":
        helpers.LIMIT = 0  # nobody who looks after a while
    how = options(mode, directory)
    release, holders = held_by_a_thread(how)
    order = []

    def interrupt(*_):
        # the thread below does not wait any more: whoever holds may let this one in now
        releaser = threading.Timer(0.05, release)
        releaser.start()
        with lockutils.lock("x", **how):
            order.append("inner")

    def send(act):
        until(lambda: in_line() > holders)
        act()

    if way == "signal":
        signal.signal(signal.SIGALRM, interrupt)
        main = threading.main_thread().ident
        act = lambda: signal.pthread_kill(main, signal.SIGALRM)  # noqa: E731
        threading.Thread(target=send, args=(act,), daemon=True).start()
        with lockutils.lock("x", **how):
            order.append("outer")
    elif way == "callback":

        async def main():
            async def wait():
                async with lockutils.lock("x", **how):
                    order.append("outer")

            task = asyncio.create_task(wait())
            while in_line() <= holders:
                await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(interrupt)
            await task

        asyncio.run(main())
    elif way in ("task", "trio task"):
        run_task = {"task": _in_asyncio, "trio task": _in_trio}[way]
        run_task(how, holders, interrupt, order)
    assert sorted(order) == ["inner", "outer"], order
    assert order[0] == "inner" or mode in ("shared", "slots"), order
    until(lambda: in_line() == 0)


def _in_asyncio(how, holders, interrupt, order):
    async def main():
        async def wait():
            async with lockutils.lock("x", **how):
                order.append("outer")

        task = asyncio.create_task(wait())
        while in_line() <= holders:
            await asyncio.sleep(0)
        interrupt()  # it blocks its thread, and with it the task that waits
        await task

    asyncio.run(main())


def _in_trio(how, holders, interrupt, order):
    import trio

    async def wait():
        async with lockutils.lock("x", **how):
            order.append("outer")

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            while in_line() <= holders:
                await trio.lowlevel.checkpoint()
            interrupt()

    trio.run(main)


def finaliser(mode, directory):
    """The collector runs a finaliser that asks for the lock in the middle of an acquisition."""
    how = options(mode, directory)

    class Trash:
        def __init__(self):
            self.me = self

        def __del__(self):
            if lockutils.lock("x", **how).acquire(timeout=1):
                taken.append(None)

    taken = []
    gc.disable()
    gc.set_threshold(1)
    for _ in range(300):
        Trash()
        gc.enable()
        handle = lockutils.lock("x", **how)
        got = handle.acquire()
        gc.disable()
        assert got
        handle.release()
        gc.collect()
        assert in_line() == 0
    assert taken


def dead(way, mode, arrives):
    """The first in line was woken, and what must run it never does."""
    from lockutils.local import watcher

    how = options(mode, "-")
    release, holders = held_by_a_thread(how)
    keep = []
    _WAYS[way](how, holders, release, keep, arrives)
    assert serve_a_thread(exclusive(how)).wait(PATIENCE)
    until(lambda: watcher._idle and not watcher._watched)


def dead_with_a_grant(end, directory):
    """A task was given the lock of the file, and its loop is closed, or stopped, before it runs."""
    how = options("plain", directory)
    elsewhere = lockutils.lock("x", **how, semaphores=lockutils.Semaphores())
    elsewhere.acquire()
    loop = asyncio.new_event_loop()

    async def wait():
        async with lockutils.lock("x", **how):
            raise AssertionError("it does not run any more")

    task = loop.create_task(wait())
    task._log_destroy_pending = False
    while not in_line() or lockutils.lock("x")._queue[0].parker is None:
        loop.run_until_complete(asyncio.sleep(0))
    elsewhere.release()
    waiter = lockutils.lock("x")._queue[0]
    until(lambda: waiter.passed or waiter.request.grant is not None)
    if end == "closed":
        loop.close()
    until(lambda: elsewhere.acquire(blocking=False))


def _loop(how, holders, release, keep, arrives, end=lambda loop: loop.close()):
    loop = asyncio.new_event_loop()

    async def wait():
        async with lockutils.lock("x", **how):
            raise AssertionError("it does not run any more")

    task = loop.create_task(wait())
    task._log_destroy_pending = False
    keep.append(task)
    while in_line() <= holders:
        loop.run_until_complete(asyncio.sleep(0))
    _behind(how, holders, release, lambda: end(loop), arrives)


def _trio(how, holders, release, keep, arrives):
    import trio

    class Waiter:
        pass

    async def main():
        # as a task whose run ended while it waited, which trio itself does not allow
        from lockutils.local.waiters import Waiter as RealWaiter
        from lockutils.parking.tasks import TrioParker

        waiter = RealWaiter()
        waiter.token, waiter.woken = [None], 0.0
        waiter.parker = TrioParker()
        queue = lockutils.lock("x")._queue
        keep.append(queue)
        queue.__dict__.setdefault("kinds", set()).add(id(waiter.parker.loop))
        queue.append(waiter)

    trio.run(main)
    _behind(how, holders, release, lambda: None, arrives)


def _hub(library, destroyed):
    def end(how, holders, release, keep, arrives):
        waits, finish, destroying = (threading.Event() for _ in range(3))

        def wait():
            with lockutils.lock("x", **how):
                raise AssertionError("it does not run any more")

        def body():
            if library == "gevent":
                import gevent

                keep.append(gevent.spawn(wait))
                gevent.sleep(0)
            else:
                import eventlet

                keep.append(eventlet.spawn(wait))
                eventlet.sleep(0)
            waits.set()
            finish.wait()
            if destroyed:
                gevent.get_hub().destroy(destroy_loop=True)
                destroying.set()
                threading.Event().wait()  # the thread goes on without a hub

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        waits.wait()
        until(lambda: in_line() > holders)

        def finish_it():
            finish.set()
            if destroyed:
                destroying.wait()
            else:
                thread.join()
            gc.collect()

        _behind(how, holders, release, finish_it, arrives)

    return end


def _behind(how, holders, release, end, arrives):
    """Let the first in line be woken and then end, with another one behind it or not."""
    if arrives == "before":
        served = serve_a_thread(exclusive(how)) if holders == 1 else serve_two_threads(how)
        until(lambda: in_line() > holders + holders)
    release()
    until(lambda: in_line() <= 1 + holders)
    end()
    if arrives == "before":
        assert served.wait(PATIENCE)


_WAYS = {
    "closed loop": _loop,
    "stopped loop": lambda *how: _loop(*how, end=lambda loop: None),
    "ended trio run": _trio,
    "gevent hub": _hub("gevent", False),
    "destroyed gevent hub": _hub("gevent", True),
}


def resumed():
    """A task is passed, since its loop was stopped; it goes on near the front of the line."""
    release, _ = held_by_a_thread({})
    loop, order = asyncio.new_event_loop(), []

    async def wait():
        async with lockutils.lock("x"):
            order.append("task")

    def hold(name, leave):
        with lockutils.lock("x"):
            order.append(name)
            leave.wait()

    def start(name):
        leave = threading.Event()
        before = in_line()
        thread = threading.Thread(target=hold, args=(name, leave), daemon=True)
        thread.start()
        until(lambda: in_line() > before or name in order)
        return leave.set

    task = loop.create_task(wait())
    while in_line() < 2:
        loop.run_until_complete(asyncio.sleep(0))
    release()
    first = start("first")
    until(lambda: order)
    second = start("second")
    for _ in range(10):
        loop.run_until_complete(asyncio.sleep(0))
    assert order == ["first"]
    assert in_line() == 3
    first()
    loop.run_until_complete(task)
    second()
    until(lambda: in_line() == 0)
    assert order == ["first", "task", "second"]


def fork(way, where):
    """A child of a process in which others wait: it holds nothing, and its own waiters go on."""
    how = options("plain", where)
    if way in ("gevent", "gevent os"):
        from gevent import monkey

        monkey.patch_all()
        import gevent

        spawn, sleep = gevent.spawn, gevent.sleep
    elif way == "eventlet":
        import eventlet

        eventlet.monkey_patch()
        spawn, sleep = eventlet.spawn, eventlet.sleep
    else:
        return _fork_of_threads(way, how)
    handle = lockutils.lock("x", **how)
    handle.acquire()
    order = []

    def wait(number):
        with lockutils.lock("x", **how):
            order.append(number)

    waiting = [spawn(wait, number) for number in range(3)]
    while in_line() < 4:
        sleep(0)
    pid = gevent.fork() if way == "gevent" else os.fork()
    if pid == 0:
        watchdog = time.monotonic() + PATIENCE
        while len(order) < 3 and time.monotonic() < watchdog:
            sleep(0.001)
        try:
            handle.release()
        except RuntimeError:
            os._exit(order != [0, 1, 2])
        os._exit(3)
    if how:  # the child waits for the parent
        handle.release()
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        sleep(0.001)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    if not how:
        assert order == []
        handle.release()
    while len(order) < 3:
        sleep(0.001)
    del waiting
    return None


def _fork_of_threads(way, how):
    release, _ = held_by_a_thread(how)
    main = threading.main_thread().ident
    pids = []

    def forks(*_):
        pid = os.fork()
        if pid:
            pids.append(pid)
            release()

    if way == "handler":  # in the middle of a wait: the child goes on with it
        signal.signal(signal.SIGALRM, forks)

        def send():
            until(lambda: in_line() == 2)
            signal.pthread_kill(main, signal.SIGALRM)

        threading.Thread(target=send, daemon=True).start()
    else:  # another thread, while this one waits: the child has none of the two waiters

        def fork_here():
            until(lambda: in_line() == 2)
            pid = os.fork()
            if pid == 0:
                got = lockutils.lock("x", **how).acquire(blocking=how == {})
                os._exit(0 if got or how else 1)
            pids.append(pid)
            release()

        threading.Thread(target=fork_here, daemon=True).start()
    with lockutils.lock("x", **how):
        if way == "handler" and not pids:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0


def handler_raises(library):
    """A handler raises while a greenthread parks or unparks: the hub still hears others."""
    import random

    import greenlet

    if library == "gevent":
        import gevent

        spawn, sleep = gevent.spawn, gevent.sleep
        from lockutils.parking.on_gevent import GeventWaker as Kind
    else:
        import eventlet

        spawn, sleep = eventlet.spawn, eventlet.sleep
        from lockutils.parking.on_eventlet import EventletWaker as Kind

    class Raised(Exception):
        pass

    me, armed, chance, raised = greenlet.getcurrent(), False, random.Random(0), 0

    def handler(*_):
        if armed and greenlet.getcurrent() is me:
            raise Raised

    def quiet(call):
        while True:
            try:
                return call()
            except Raised:
                pass

    signal.signal(signal.SIGALRM, handler)
    sleep(0)
    waker = Kind.of_this_thread()

    def listens():
        if library == "gevent":
            return waker._watcher.active
        return bool(waker._pipe) and waker._pipe[0] in waker.hub.listeners["read"]

    def hold(handle):
        handle.acquire()
        sleep(0)
        sleep(0)
        handle.release()

    while raised < 1500:
        handle = lockutils.lock("x")
        spawn(hold, handle)
        sleep(0)
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, chance.random() / 8000 + 1e-6)
            with lockutils.lock("x"):
                pass
            armed = False
        except Raised:
            raised += 1
        armed = False
        quiet(lambda: signal.setitimer(signal.ITIMER_REAL, 0))
        for _ in range(6):
            quiet(lambda: sleep(0))
        assert not waker._parked
        assert not listens()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    handle = lockutils.lock("y")
    handle.acquire()
    threading.Timer(0.05, handle.release).start()
    done = []

    def wait():
        with lockutils.lock("y"):
            done.append(None)

    spawn(wait)
    watchdog = time.monotonic() + PATIENCE
    while not done:
        assert time.monotonic() < watchdog, "the hub is deaf"
        sleep(0.001)


def deep_release(mode):
    """A release at the recursion limit: if it raises, the handle still holds the lock."""
    sys.setrecursionlimit(300)
    how = options(mode, "-")
    for depth in range(270, 300):
        name = f"x{depth}"
        handle = lockutils.lock(name, **how)
        handle.acquire()
        released = False

        def down(left, handle=handle):
            nonlocal released
            if left:
                down(left - 1)
            else:
                handle.release()
                released = True

        try:
            down(depth)
        except RecursionError:
            pass
        if handle._holds:
            handle.release()
        assert lockutils.lock(name).acquire(blocking=False), depth
    assert sys.getrecursionlimit() <= 320


def long_timeout(library):
    handle = lockutils.lock("x")
    handle.acquire()

    def release():
        until(lambda: in_line() == 2)
        time.sleep(0.05)  # for no event; if it were not asleep by then, less would be tested
        handle.release()

    threading.Thread(target=release).start()

    def wait():
        with lockutils.lock("x", timeout=1e17):
            pass

    async def wait_in_task():
        async with lockutils.lock("x", timeout=1e17):
            pass

    if library == "eventlet":
        import eventlet

        eventlet.spawn(wait).wait()
    elif library == "gevent":
        import gevent

        gevent.spawn(wait).get()
    elif library == "asyncio":
        asyncio.run(wait_in_task())
    elif library == "trio":
        import trio

        trio.run(wait_in_task)
    else:
        wait()


globals()[sys.argv[1]](*sys.argv[2:])
print("OK", flush=True)
os._exit(0)
