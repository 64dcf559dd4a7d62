"""What the threads do while they are preempted: one class for each mode.

``bodies`` returns what the threads of one process run; each body takes turns until the time is
over.  ``KEYS`` are the names that it locks, for the check at the end.
"""

import asyncio
import contextlib
import faulthandler
import gc
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from queue import Empty, SimpleQueue
from types import MappingProxyType

import lockutils

THREADS = 5
WATCHDOG = 12.0


class Mode:
    KEYS = ("k0", "k1")
    #: in addition to where the lock is
    OPTIONS = MappingProxyType({})
    #: how the log calls such a hold: exclusive, shared, one of two slots
    KIND = "x"
    #: "in-process", "external", "two processes"
    PLACES = ("in-process", "external", "two processes")

    def __init__(self, worker):
        self.worker = worker

    def bodies(self):
        return [self.threads_turns] * THREADS

    def threads_turns(self, chance):
        while self.worker.goes_on():
            try:
                self.turn(chance)
            except lockutils.AcquireLockFailedException:
                pass
            except BaseException:
                self.worker.blame()

    def turn(self, chance):
        key = chance.choice(self.KEYS)
        with self.lock(key, chance, **self.OPTIONS):
            self.worker.inside(key, self.KIND, chance)

    def lock(self, key, chance, **options):
        timeout = chance.choice([None, None, 0, 0.002, 0.02])
        return lockutils.lock(key, timeout=timeout, **{**self.worker.where, **options})


class Plain(Mode):
    pass


class Fair(Mode):
    OPTIONS = MappingProxyType({"fair": True})


class Shared(Mode):
    """Readers and writers; some of them fair."""

    def turn(self, chance):
        key = chance.choice(self.KEYS)
        shared = chance.random() < 0.7
        with self.lock(key, chance, shared=shared, fair=chance.random() < 0.3):
            self.worker.inside(key, "s" if shared else "x", chance)


class Slots(Mode):
    OPTIONS = MappingProxyType({"slots": 2})
    KIND = "2"


class Reentrant(Mode):
    """Taken up to three times."""

    def turn(self, chance):
        key = chance.choice(self.KEYS)
        with self.lock(key, chance, reentrant=True), self.worker.hold(key, "x"):
            self.again(key, chance, 2)
            self.worker.nap(chance)

    def again(self, key, chance, depth):
        if depth and chance.random() < 0.6:
            shared = chance.random() < 0.3
            with lockutils.lock(key, reentrant=True, shared=shared, **self.worker.where):
                self.again(key, chance, depth - 1)


class Several(Mode):
    """Two or three of three names, and now and then one alone."""

    KEYS = ("k0", "k1", "k2")

    def turn(self, chance):
        names = chance.sample(self.KEYS, chance.randint(1, 3))
        timeout = chance.choice([None, None, 0, 0.002, 0.02])
        with contextlib.ExitStack() as stack:
            stack.enter_context(lockutils.lock_all(names, timeout=timeout, **self.worker.where))
            for name in names:
                stack.enter_context(self.worker.hold(name, "x"))
            self.worker.nap(chance)


class Mixed(Mode):
    """All that exclude each other, on the same names, and some that look on."""

    PLACES = ("in-process", "external")

    def turn(self, chance):
        key = chance.choice(self.KEYS)
        options = chance.choice(
            [{}, {"fair": True}, {"shared": True}, {"reentrant": True}, {"external": False}]
        )
        shared = options.get("shared", False)
        handle = self.lock(key, chance, **options)
        with handle, self.worker.hold(key, "s" if shared else "x"):
            if chance.random() < 0.2:
                assert key in lockutils.held()
            repr(handle)
            self.worker.nap(chance)
        if chance.random() < 0.1:
            assert not lockutils.held()


class Handed(Mode):
    """Acquired by one thread, then released or dropped by another."""

    PLACES = ("in-process", "external")

    def __init__(self, worker):
        super().__init__(worker)
        self.passed_on = SimpleQueue()

    def turn(self, chance):
        if chance.random() < 0.5:
            self.let_go(chance)
        key = chance.choice(self.KEYS)
        # with a time-out always: what all wait for may be in the queue
        handle = lockutils.lock(key, **self.worker.where)
        if handle.acquire(timeout=chance.choice([0.002, 0.02])):
            self.worker.log("BEGIN", key, "x")
            self.passed_on.put((key, handle))
        del handle
        self.let_go(chance)

    def let_go(self, chance):
        try:
            key, handle = self.passed_on.get_nowait()
        except Empty:
            return
        self.worker.log("END", key, "x")
        self.worker.turns += 1
        if chance.random() < 0.6:
            handle.release()
        elif chance.random() < 0.5:
            ring = [handle]
            ring.append(ring)
            del ring, handle
        # each time: a call does nothing while another thread collects
        gc.collect()

    def threads_turns(self, chance):
        super().threads_turns(chance)
        while not self.passed_on.empty():
            self.let_go(chance)


class OneHandle(Mode):
    """Threads share the handles: an exclusive one, one for readers and one with slots."""

    KEYS = ("x", "s", "2")
    PLACES = ("in-process", "external")

    def __init__(self, worker):
        super().__init__(worker)
        where = worker.where
        self.handles = {
            "x": lockutils.lock("x", **where),
            "s": lockutils.lock("s", shared=True, **where),
            "2": lockutils.lock("2", slots=2, **where),
        }

    def turn(self, chance):
        key = chance.choice(self.KEYS)
        if chance.random() < 0.3:
            if not self.handles[key].acquire(timeout=0.002):
                return
        else:
            self.handles[key].acquire()
        try:
            self.worker.inside(key, key, chance)
        finally:
            self.handles[key].release()


class ByKey(Mode):
    """LockByKey with its own locks, and with those of a factory."""

    PLACES = ("in-process",)

    def __init__(self, worker):
        super().__init__(worker)
        self.own = lockutils.LockByKey()
        self.made = lockutils.LockByKey(threading.Lock)

    def turn(self, chance):
        key = (chance.randrange(3),)
        if chance.random() < 0.5:
            with self.own(key):
                self.worker.inside(f"own{key[0]}", "x", chance)
        else:
            with self.made[key]:
                self.worker.inside(f"made{key[0]}", "x", chance)
        if chance.random() < 0.1:
            assert len(self.own) <= 3
            assert len(self.made) <= 3


class FirstUse(Mode):
    """A name that nobody has used, several at the same time; a directory, too, now and then."""

    PLACES = ("in-process", "external")
    MODES = ({}, {}, {"fair": True}, {"shared": True}, {"reentrant": True})

    def turn(self, chance):
        number = int(time.monotonic() * 300)
        where = dict(self.worker.where)
        if "lock_path" in where:
            # in a directory of its own a name is another lock
            where["lock_path"] = f"{where['lock_path']}/{number // 20}"
        options = chance.choice(self.MODES)
        key, timeout = f"n{number}", chance.choice([None, 0, 0.002])
        with lockutils.lock(key, timeout=timeout, **where, **options):
            self.worker.inside(key, "s" if "shared" in options else "x", chance)


class Cancelled(Mode):
    """Tasks in two loops, many of them cancelled, and native threads beside."""

    TASKS = 3

    def bodies(self):
        return [self.loop, self.loop, self.threads_turns, self.threads_turns]

    def options(self, chance):
        return chance.choice([{}, {"fair": True}, {"shared": True}, {"reentrant": True}])

    def turn(self, chance):
        self.turn_with(chance, self.options(chance))

    def turn_with(self, chance, options):
        key = chance.choice(self.KEYS)
        with self.lock(key, chance, **options):
            self.worker.inside(key, "s" if "shared" in options else "x", chance)

    async def task_turn(self, chance, sleep):
        options = self.options(chance)
        key, kind = chance.choice(self.KEYS), "s" if "shared" in options else "x"
        try:
            async with self.lock(key, chance, **options):
                with self.worker.hold(key, kind):
                    await sleep(chance.choice([0, 0, 0.001]))
        except lockutils.AcquireLockFailedException:
            pass
        except Exception:
            self.worker.blame()

    def loop(self, chance):
        async def turns():
            while self.worker.goes_on():
                task = asyncio.ensure_future(self.task_turn(chance, asyncio.sleep))
                if chance.random() < 0.5:
                    await asyncio.wait([task], timeout=chance.choice([0, 0.001, 0.005]))
                    task.cancel()
                await asyncio.wait([task])

        async def main():
            await asyncio.gather(*(turns() for _ in range(self.TASKS)))

        asyncio.run(main())


class CancelledTrio(Cancelled):
    """As Cancelled, with trio in the place of asyncio."""

    def loop(self, chance):
        import trio

        async def turns():
            while self.worker.goes_on():
                limit = chance.choice([0, 0.001, 0.005, 1000, 1000, 1000])
                with trio.move_on_after(limit):
                    await self.task_turn(chance, trio.sleep)

        async def main():
            async with trio.open_nursery() as nursery:
                for _ in range(self.TASKS):
                    nursery.start_soon(turns)

        trio.run(main)


class Greenthreads(Cancelled):
    """Greenthreads of one hub, many of them killed by a time-out, and native threads beside."""

    LIBRARY = None

    def __init__(self, worker):
        super().__init__(worker)
        # here: eventlet puts modules of its own in sys.modules while it is imported
        self.library = importlib.import_module(self.LIBRARY)

    def bodies(self):
        return [self.hub, self.threads_turns, self.threads_turns]

    def hub(self, chance):
        library = self.library

        def turns():
            while self.worker.goes_on():
                library.sleep(0)
                try:
                    limit = chance.choice([0.001, 0.005, 1000, 1000])
                    with library.Timeout(limit, False):
                        self.green_turn(chance, library.sleep)
                except lockutils.AcquireLockFailedException:
                    pass
                except Exception:
                    self.worker.blame()

        running = [library.spawn(turns) for _ in range(self.TASKS)]
        for one in running:
            one.get() if self.LIBRARY == "gevent" else one.wait()

    def green_turn(self, chance, sleep):
        options = self.options(chance)
        key, kind = chance.choice(self.KEYS), "s" if "shared" in options else "x"
        with self.lock(key, chance, **options), self.worker.hold(key, kind):
            sleep(chance.choice([0, 0, 0.001]))


class Gevent(Greenthreads):
    LIBRARY = "gevent"


class Eventlet(Greenthreads):
    LIBRARY = "eventlet"


class Forks(Mode):
    """One thread forks at any instant of the others; its children acquire, too."""

    PLACES = ("in-process", "external")

    def bodies(self):
        return [self.forks, *[self.threads_turns] * (THREADS - 1)]

    def turn(self, chance):
        key, shared = chance.choice(self.KEYS), chance.random() < 0.3
        with self.lock(key, chance, shared=shared, fair=chance.random() < 0.3):
            self.worker.inside(key, "s" if shared else "x", chance)

    def forks(self, chance):
        while self.worker.goes_on():
            number = chance.random()
            child = os.fork()
            if child == 0:
                self.live_as_child(number)
            _, status = os.waitpid(child, 0)
            if status:
                self.worker.blame(f"a child ended with status {status:#x}")

    def live_as_child(self, number):
        status = 1
        try:
            faulthandler.register(signal.SIGALRM, chain=True)  # where it hangs, and its end
            signal.alarm(int(WATCHDOG))
            external = "external" in self.worker.where
            for key in self.KEYS:
                with lockutils.lock(
                    key, fair=number < 0.3, shared=number > 0.7, **self.worker.where
                ):
                    if external:  # else nobody else is excluded
                        self.worker.log("BEGIN", key, "s" if number > 0.7 else "x")
                        self.worker.log("END", key, "s" if number > 0.7 else "x")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)


MODES = {
    "plain": Plain,
    "fair": Fair,
    "shared": Shared,
    "slots": Slots,
    "reentrant": Reentrant,
    "several": Several,
    "mixed": Mixed,
    "handed": Handed,
    "one-handle": OneHandle,
    "by-key": ByKey,
    "first-use": FirstUse,
    "cancelled": Cancelled,
    "trio": CancelledTrio,
    "gevent": Gevent,
    "eventlet": Eventlet,
    "forks": Forks,
}
NEEDS = {"trio": "trio", "gevent": "gevent", "eventlet": "eventlet"}
