"""One process of the stress test of readers, writers and slots.

Run as: sharing_worker.py LOCK_DIR LOG.  Takes turns until it is killed or told to stop.  Each
holder writes a line to the log when it has got the lock and one before it lets go: BEGIN or
END, its key, how it holds, and who it is.  A write to a file opened with O_APPEND is one step,
so the order of the lines is that of the events, but for the instant between lock and line, in
which the lock is held.
"""

import asyncio
import itertools
import os
import random
import select
import sys
import threading
import time

import lockutils

LOCK_DIR, LOG = sys.argv[1:]
SLOTS = 3
log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
numbers = itertools.count()


def is_over():
    return select.select([sys.stdin], [], [], 0)[0]


def pick(chance):
    """What to hold, and how."""
    timeout = chance.choice([None, None, None, 0.001, 0.01])
    options = {"external": True, "lock_path": LOCK_DIR, "timeout": timeout}
    options["fair"] = chance.random() < 0.3
    if chance.random() < 0.5:
        return "slots", lockutils.lock("slots", slots=SLOTS, **options)
    shared = chance.random() < 0.8
    how = "reader" if shared else "writer"
    return how, lockutils.lock("rw", shared=shared, reentrant=chance.random() < 0.3, **options)


def say(event, how, me):
    os.write(log, f"{event} {how} {me}\n".encode())


def take_turns(seed):
    chance = random.Random(seed)
    while not is_over():
        how, lock = pick(chance)
        me = f"{os.getpid()}.{next(numbers)}"
        try:
            with lock:
                say("BEGIN", how, me)
                time.sleep(chance.random() / 1000)
                say("END", how, me)
        except lockutils.LockTimeout:
            pass


async def take_turns_in_task(seed):
    chance = random.Random(seed)
    while not is_over():
        how, lock = pick(chance)
        task = asyncio.ensure_future(take_turn(how, lock, chance.random() / 1000))
        if chance.random() < 0.2:
            await asyncio.wait([task], timeout=chance.random() / 100)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def take_turn(how, lock, nap):
    me = f"{os.getpid()}.{next(numbers)}"
    async with lock:
        say("BEGIN", how, me)
        try:
            await asyncio.sleep(nap)
        finally:
            say("END", how, me)


async def all_tasks():
    await asyncio.gather(*(take_turns_in_task(random.random()) for _ in range(3)))


others = [threading.Thread(target=take_turns, args=(random.random(),)) for _ in range(2)]
for other in others:
    other.start()
asyncio.run(all_tasks())
for other in others:
    other.join()
# nobody was left holding, or first in line
for _ in range(2):
    for options in {"name": "slots", "slots": SLOTS}, {"name": "rw"}:
        with lockutils.lock(**options, external=True, lock_path=LOCK_DIR, timeout=30):
            pass
