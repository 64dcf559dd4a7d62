"""Each kind of waiter behind one interface, so that a scenario is written once for all.

A scenario is a coroutine function.  Tasks run it in their event loop; for greenthreads and
threads its awaits block, so that it ends in one step.
"""

import asyncio
import sys
import time

IN, DONE, CANCELLED, TIMED_OUT = "in", "done", "cancelled", "timed out"
PATIENCE = 30.0  # seconds; reached only by a hang


class Waiter:
    """Acquires a lock, says so, and keeps it until it is told to let go."""

    def __init__(self, lock, note=lambda waiter: None):
        self.lock = lock
        self.note = note
        self.state = None
        self.may_leave = False

    def entered(self):
        self.state = IN
        self.note(self)


class Kind:
    can_cancel = True

    async def until(self, condition):
        """Let others run until ``condition()`` holds."""
        watchdog = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < watchdog, "hangs"
            await self.pause()


class _Blocking(Kind):
    """What greenthreads and threads have in common."""

    def run(self, scenario, *args):
        try:
            scenario(self, *args).send(None)
        except StopIteration:
            return
        raise AssertionError("a blocking scenario was suspended")

    async def pause(self):
        self.sleep(0.0005)

    def body(self, waiter):
        import lockutils

        try:
            with waiter.lock:
                waiter.entered()
                while not waiter.may_leave:
                    self.sleep(0.0005)
            waiter.state = DONE
        except lockutils.LockTimeout:
            waiter.state = TIMED_OUT
        except BaseException:
            waiter.state = CANCELLED
            raise


class Threads(_Blocking):
    can_cancel = False

    def __init__(self):
        self.sleep = time.sleep

    async def start(self, waiter):
        from lockutils.parking import native

        native.start_new_thread(self.body, (waiter,))


class Eventlet(_Blocking):
    def __init__(self):
        import eventlet

        self.sleep = eventlet.sleep
        self._spawn = eventlet.spawn
        eventlet.sleep(0)

    async def start(self, waiter):
        waiter.thread = self._spawn(self.body, waiter)

    def cancel(self, waiter):
        from eventlet import hubs

        # not GreenThread.kill, which switches to the hub first
        hubs.get_hub().schedule_call_global(0, self._throw, waiter)

    def _throw(self, waiter):
        import greenlet

        waiter.thread.throw(greenlet.GreenletExit)


class Gevent(_Blocking):
    def __init__(self):
        import gevent

        self.sleep = gevent.sleep
        self._spawn = gevent.spawn
        gevent.sleep(0)

    async def start(self, waiter):
        waiter.greenlet = self._spawn(self.body, waiter)

    def cancel(self, waiter):
        waiter.greenlet.kill(block=False)


class Asyncio(Kind):
    def run(self, scenario, *args):
        asyncio.run(scenario(self, *args))

    async def pause(self):
        await asyncio.sleep(0.0005)

    async def start(self, waiter):
        waiter.task = asyncio.ensure_future(self._body(waiter))
        waiter.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _body(self, waiter):
        import lockutils

        try:
            async with waiter.lock:
                waiter.entered()
                while not waiter.may_leave:
                    await self.pause()
            waiter.state = DONE
        except lockutils.LockTimeout:
            waiter.state = TIMED_OUT
        except BaseException:
            waiter.state = CANCELLED
            raise

    def cancel(self, waiter):
        waiter.task.cancel()


class Trio(Kind):
    def run(self, scenario, *args):
        import trio

        async def main():
            async with trio.open_nursery() as self._nursery:
                await scenario(self, *args)

        trio.run(main)

    async def pause(self):
        import trio

        await trio.sleep(0.0005)

    async def start(self, waiter):
        import trio

        waiter.scope = trio.CancelScope()
        self._nursery.start_soon(self._body, waiter)

    async def _body(self, waiter):
        import lockutils

        try:
            with waiter.scope:
                async with waiter.lock:
                    waiter.entered()
                    while not waiter.may_leave:
                        await self.pause()
        except lockutils.LockTimeout:
            waiter.state = TIMED_OUT
        else:
            waiter.state = CANCELLED if waiter.scope.cancelled_caught else DONE

    def cancel(self, waiter):
        waiter.scope.cancel()


def make(name):
    """Return the kind ``name``, having patched the interpreter if it says so."""
    if name == "eventlet-patched":
        import eventlet

        eventlet.monkey_patch()
    elif name == "gevent-patched":
        from gevent import monkey

        monkey.patch_all()
    return {
        "thread": Threads,
        "eventlet": Eventlet,
        "eventlet-patched": Eventlet,
        "gevent": Gevent,
        "gevent-patched": Gevent,
        "asyncio": Asyncio,
        "trio": Trio,
    }[name]()


_GREENTHREADS = ("eventlet", "eventlet-patched", "gevent", "gevent-patched")
NAMES = ("thread", *(_GREENTHREADS if "t" not in sys.abiflags else ()), "asyncio", "trio")
