"""One process of the mixed stress test: every kind of waiter at once on one external key.

Run as: mixed_worker.py FLAVOUR LOCK_DIR WITNESS TURNS SEED; FLAVOUR says who patched the
interpreter.  Prints what became of each turn, as JSON, and fails if two holders met.
"""

import sys

FLAVOUR, LOCK_DIR, WITNESS = sys.argv[1:4]
TURNS, SEED = map(int, sys.argv[4:])
sys.argv[1:] = []

if FLAVOUR == "eventlet":
    import eventlet

    eventlet.monkey_patch()
elif FLAVOUR == "gevent":
    from gevent import monkey

    monkey.patch_all()

import asyncio  # noqa: E402
import collections  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import selectors  # noqa: E402

import lockutils  # noqa: E402
from lockutils.parking import native  # noqa: E402

TIMEOUT, CANCELLED, DONE, OVERLAP = "timeout", "cancelled", "done", "overlap"
results = collections.Counter()
errors = []
finished = native.SimpleQueue()
loop_made = native.SimpleQueue()


def lock(chance):
    timeout = chance.choice([None, None, 0, 0.001, 0.01, 0.1])
    fair = chance.random() < 0.3
    return lockutils.lock("stressed", external=True, lock_path=LOCK_DIR, timeout=timeout, fair=fair)


def write_witness(me):
    with open(WITNESS, "w") as file:
        file.write(me)


def witness_says(me):
    with open(WITNESS) as file:
        return file.read() == me


def blocking_turns(me, nap, doomed=lambda chance: None):
    """The turns of one native thread or greenthread."""
    chance = random.Random(f"{SEED} {me}")
    for turn in range(TURNS):
        mark = f"{os.getpid()} {me} {turn}"
        try:
            with lock(chance):
                write_witness(mark)
                nap(chance.random() / 2000)
                results[DONE if witness_says(mark) else OVERLAP] += 1
        except lockutils.AcquireLockFailedException:
            results[TIMEOUT] += 1


async def task_turns(me):
    """The turns of one task: some are cancelled while they wait, or while they hold."""
    chance = random.Random(f"{SEED} {me}")

    async def one(mark):
        try:
            async with lock(chance):
                write_witness(mark)
                await asyncio.sleep(chance.random() / 2000)
                results[DONE if witness_says(mark) else OVERLAP] += 1
        except lockutils.AcquireLockFailedException:
            results[TIMEOUT] += 1

    for turn in range(TURNS):
        task = asyncio.ensure_future(one(f"{os.getpid()} {me} {turn}"))
        if chance.random() < 0.3:
            await asyncio.wait([task], timeout=chance.random() / 100)
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            results[CANCELLED] += 1


def in_native_thread(function, *args):
    def body():
        try:
            function(*args)
        except BaseException as error:
            errors.append(repr(error))
        finished.put(None)

    native.start_new_thread(body, ())


def run_loop(first):
    # The selector of the platform, since the patched one needs the hub of its own thread.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop_made.put(None)

    async def all_tasks():
        await asyncio.gather(*(task_turns(f"task {first + n}") for n in range(4)))

    try:
        loop.run_until_complete(all_tasks())
    finally:
        loop.close()


def main():
    libraries = {"eventlet", "gevent"} if FLAVOUR == "plain" else {FLAVOUR}
    if "t" in sys.abiflags:  # they need the GIL
        libraries = set()
    # Here and now, not by several threads at once: eventlet shuffles sys.modules while it is
    # imported, and gevent imports this and that when the first hub is made.
    if "eventlet" in libraries:
        import eventlet.hubs  # noqa: F401
    if "gevent" in libraries:
        import gevent

        gevent.get_hub()
    native_sleep = _original_sleep()
    for first in 0, 4:
        # One after the other: under gevent each makes a hub, and two threads that make their
        # hubs at the same time can stop each other in the import of a module (gevent 26.9).
        in_native_thread(run_loop, first)
        loop_made.get()
    for n in range(8):
        in_native_thread(blocking_turns, f"thread {n}", native_sleep)
    others = 10
    if "eventlet" in libraries:
        others += 1
        in_native_thread(eventlet_turns) if FLAVOUR == "plain" else eventlet_turns()
    if "gevent" in libraries:
        others += 1
        in_native_thread(gevent_turns) if FLAVOUR == "plain" else gevent_turns()
    wait_for_all(others if FLAVOUR == "plain" else others - 1)
    again = lockutils.lock("stressed", external=True, lock_path=LOCK_DIR, timeout=60)
    again.acquire()
    again.release()
    print(json.dumps({"results": results, "errors": errors}))


def wait_for_all(count):
    for _ in range(count):
        finished.get()


def _original_sleep():
    if FLAVOUR == "eventlet":
        from eventlet import patcher

        return patcher.original("time").sleep
    if FLAVOUR == "gevent":
        return monkey.get_original("time", "sleep")
    import time

    return time.sleep


def eventlet_turns():
    import eventlet

    for thread in [eventlet.spawn(greenthread_turns, eventlet, n) for n in range(8)]:
        thread.wait()


def gevent_turns():
    import gevent

    greenlets = [gevent.spawn(greenthread_turns, gevent, n) for n in range(8)]
    gevent.joinall(greenlets, raise_error=True)


def greenthread_turns(library, number):
    """The turns of one greenthread: some of them give up by the library's own time-out."""
    me = f"{library.__name__} {number}"
    chance = random.Random(me)
    if chance.random() < 0.5:
        blocking_turns(me, library.sleep)
        return
    for _ in range(TURNS):
        with library.Timeout(chance.random() / 50, False):
            one_turn_of_greenthread(me, chance, library.sleep)
            continue
        results[CANCELLED] += 1


def one_turn_of_greenthread(me, chance, nap):
    mark = f"{os.getpid()} {me} {chance.random()}"
    try:
        with lock(chance):
            write_witness(mark)
            nap(chance.random() / 2000)
            outcome = DONE if witness_says(mark) else OVERLAP
    except lockutils.AcquireLockFailedException:
        outcome = TIMEOUT
    results[outcome] += 1


main()
