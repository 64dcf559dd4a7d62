"""A DeadlockError only where it is certain: what nobody but the caller can release."""

import asyncio
import functools
import gc
import sys
import threading
import types

import lock_peers
import pytest
import trio
from lock_peers import WATCHDOG, Background, until

import lockutils

run_python = functools.partial(lock_peers.run_python, options=("-W", "ignore"))
NAME = "owned"


def waiting():
    return len(lockutils.lock(NAME)._queue)


def release_when_waited_for(handle):
    return Background(lambda: (until(lambda: waiting() == 2, "it is waited for"), handle.release()))


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    gc.collect()
    assert waiting() == 0


@pytest.mark.parametrize("options", [{}, {"reentrant": True}], ids=str)
def test_what_was_acquired_by_hand_may_be_released_by_anybody(options):
    def scenario():
        handle = lockutils.lock(NAME, **options)
        handle.acquire()
        releaser = release_when_waited_for(handle)
        with lockutils.lock(NAME):
            pass
        releaser.result()

    Background(scenario).result()


def test_what_was_acquired_shared_by_hand_is_waited_for():
    def scenario():
        handle = lockutils.lock(NAME, shared=True)
        handle.acquire()
        releaser = release_when_waited_for(handle)
        with lockutils.lock(NAME):
            pass
        releaser.result()

    Background(scenario).result()


@pytest.mark.parametrize("run", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)])
@pytest.mark.parametrize("options", [{}, {"shared": True}], ids=str)
def test_a_loop_inside_of_a_with(run, options):
    async def ask():
        with pytest.raises(lockutils.DeadlockError, match="release it before the event loop"):
            async with lockutils.lock(NAME):
                pass

    def scenario():
        with lockutils.lock(NAME, **options):
            run(ask())

    Background(scenario).result()


def test_the_same_by_hand_waits():
    async def ask():
        async with lockutils.lock(NAME):
            pass

    def scenario():
        handle = lockutils.lock(NAME)
        handle.acquire()
        releaser = release_when_waited_for(handle)
        asyncio.run(ask())
        releaser.result()

    Background(scenario).result()


def test_a_task_that_blocks_for_its_own_lock_is_told_of_reentrant():
    async def main():
        async with lockutils.lock(NAME):
            with pytest.raises(lockutils.DeadlockError, match="reentrant=True"):
                lockutils.lock(NAME).acquire()
        async with lockutils.lock(NAME, reentrant=True):
            assert lockutils.lock(NAME, reentrant=True).acquire()

    Background(asyncio.run, main()).result()


def test_a_finished_task_is_nobodys_himself():
    """wait_for() runs what it waits for in a task of its own, on Python 3.10 and 3.11."""

    async def main():
        handle = lockutils.lock(NAME)
        assert await asyncio.wait_for(handle.async_acquire(), WATCHDOG)
        second = asyncio.create_task(lockutils.lock(NAME).async_acquire())
        while waiting() < 2:
            await asyncio.sleep(0)
        handle.release()
        assert await second

    Background(asyncio.run, main()).result()


def test_an_async_with_that_is_entered_in_a_task_that_ends():
    async def main():
        handle = lockutils.lock(NAME)
        await asyncio.create_task(handle.__aenter__())
        releaser = release_when_waited_for(handle)
        with lockutils.lock(NAME):  # blocks the loop; but its holder has finished anyway
            pass
        releaser.result()

    Background(asyncio.run, main()).result()


def test_a_with_that_is_entered_by_a_thread_that_ends():
    handle = lockutils.lock(NAME)
    for _ in range(20):
        thread = threading.Thread(target=handle.__enter__)
        thread.start()
        thread.join()
        releaser = release_when_waited_for(handle)
        with lockutils.lock(NAME):
            pass
        releaser.result()


GREENLETS = """
import greenlet, threading, time
import lockutils

handle = lockutils.lock("x")
dead = greenlet.greenlet(handle.__enter__)
dead.switch()
assert dead.dead

def release():
    while len(handle._queue) < 2:
        time.sleep(0.001)
    handle.release()

threading.Thread(target=release).start()
def ask():
    with lockutils.lock("x"):
        pass
greenlet.greenlet(ask).switch()
"""


def test_plain_greenlets():
    run_python(GREENLETS)


def test_asyncio_code_inside_of_trio(monkeypatch):
    """As trio-asyncio has it: sniffio says which of the two is running."""
    sniffio = sys.modules.get("sniffio") or types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "sniffio", sniffio)

    async def in_asyncio():
        async with lockutils.lock(NAME):
            return True

    async def main():
        loop = asyncio.new_event_loop()
        monkeypatch.setattr(sniffio, "current_async_library", lambda: "asyncio", raising=False)
        try:
            asyncio._set_running_loop(None)
            return loop.run_until_complete(in_asyncio())
        finally:
            monkeypatch.undo()
            loop.close()

    assert Background(trio.run, main).result()
