"""Waiters whose event loop or hub is gone do not keep those behind them waiting."""

import asyncio
import threading

import trio

import lockutils

PATIENCE = 30.0


def thread_that_waits(name):
    entered = threading.Event()

    def body():
        with lockutils.lock(name):
            entered.set()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return entered


def wait_until_in_line(name, count):
    reached = threading.Event()
    while len(lockutils.lock(name)._queue) < count:
        assert not reached.wait(0.001)


def test_closed_event_loop():
    held = lockutils.lock("dead loop")
    held.acquire()
    loop = asyncio.new_event_loop()

    async def wait():
        async with lockutils.lock("dead loop"):
            pass

    task = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0))
    wait_until_in_line("dead loop", 2)
    task._log_destroy_pending = False
    loop.close()
    entered = thread_that_waits("dead loop")
    wait_until_in_line("dead loop", 3)
    held.release()
    assert entered.wait(PATIENCE)
    del task


def test_finished_trio_run():
    held = lockutils.lock("dead run")
    held.acquire()
    left_behind = []

    async def main():
        left_behind.append(lockutils.lock("dead run")._queue)
        from lockutils.local.waiters import Waiter
        from lockutils.parking.tasks import TrioParker

        waiter = Waiter()
        waiter.token, waiter.woken = [None], 0.0
        waiter.parker = TrioParker()
        left_behind[0].append(waiter)  # as if its task were never run again

    trio.run(main)
    entered = thread_that_waits("dead run")
    wait_until_in_line("dead run", 3)
    held.release()
    assert entered.wait(PATIENCE)
