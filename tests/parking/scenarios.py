"""Run as: scenarios.py SCENARIO KIND PLACE MODE LOCK_DIR.  Exits with 0 if the scenario held.

PLACE says where the waiters meet the holder: "inside", in the queue of the process;
"outside", at the lock file; "in-order", there too, with tickets of the queue file.  MODE says
what waits: "exclusive"; "readers", for a writer; "slots", for two slots that are both in use.
"""

import os
import sys

import kinds

SCENARIO, KIND, PLACE, MODE, LOCK_DIR = sys.argv[1:]
SLOTS = 2 if MODE == "slots" else 1
kind = kinds.make(KIND)

import lockutils  # noqa: E402
from lockutils.parking import helpers  # noqa: E402

# The holder is a stranger to the waiters' in-process queue, as another process would be.
elsewhere = None if PLACE == "inside" else lockutils.Semaphores()


def handle(shared=MODE == "readers", **options):
    return lockutils.lock(
        "it",
        external=PLACE != "inside",
        lock_path=LOCK_DIR,
        fair=PLACE == "in-order",
        shared=shared,
        slots=SLOTS,
        **options,
    )


class Holder:
    """Has all of the lock, whatever of it a waiter asks for."""

    def __init__(self):
        self._handles = [handle(shared=False, semaphores=elsewhere) for _ in range(SLOTS)]

    def acquire(self, blocking=True):
        for position, one in enumerate(self._handles):
            if not one.acquire(blocking):
                for taken in self._handles[:position]:
                    taken.release()
                return False
        return True

    def release(self):
        for one in self._handles:
            one.release()


holder = Holder


def in_line():
    """How many have the in-process turn or wait for it."""
    return len(handle()._queue)


def is_free():
    return in_line() == 0 and holder().acquire(blocking=False)


async def at_the_file(waiters):
    """Wait until somebody sleeps in the kernel for the lock file, or gave up already."""
    if PLACE != "inside":
        await kind.until(lambda: somebody_sleeps() or any(waiter.state for waiter in waiters))


def somebody_sleeps():
    if MODE == "slots":  # it sleeps until somebody closes the file
        fds = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        return any(os.path.islink(fd) and "inotify" in os.readlink(fd) for fd in fds)
    file = f":{os.stat(os.path.join(LOCK_DIR, 'it')).st_ino} "
    with open("/proc/locks") as locks:
        return any("->" in line and file in line for line in locks)


async def started(count, **options):
    """Start so many waiters, one after the other."""
    waiters = []
    for _ in range(count):
        waiter = kinds.Waiter(handle(**options))
        waiters.append(waiter)
        before = set(handle()._queue)
        await kind.start(waiter)
        await kind.until(lambda: waiter.state or set(handle()._queue) - before)  # noqa: B023
    await at_the_file(waiters)
    return waiters


async def finish(waiter):
    await kind.until(lambda: waiter.state == kinds.IN)
    waiter.may_leave = True
    await kind.until(lambda: waiter.state == kinds.DONE)


async def served_in_order(kind):
    held = holder()
    held.acquire()
    waiters = await started(20)
    held.release()
    for position, waiter in enumerate(waiters):
        await kind.until(lambda: waiter.state == kinds.IN)  # noqa: B023
        assert all(later.state is None for later in waiters[position + 1 :])
        await finish(waiter)
    assert is_free()


async def come_in_together(kind):
    """As many as may hold at a time do; who comes later and asks for all of it waits for them."""
    held = holder()
    held.acquire()
    waiters = await started(20)
    (writer,) = await started(1, shared=False)
    (late,) = await started(1)
    held.release()
    room = 20 if MODE == "readers" else SLOTS
    while waiters:
        inside = waiters[:room]
        for waiter in inside:
            await kind.until(lambda: waiter.state == kinds.IN)  # noqa: B023
        assert not any(waiter.state for waiter in [*waiters[room:], writer, late])
        await finish(inside[0])
        waiters.remove(inside[0])
        if MODE == "readers":
            room -= 1
            for _ in range(3):
                await kind.pause()
            assert not late.state
            assert not writer.state or not waiters
        elif len(waiters) < SLOTS:
            break
    for waiter in [*waiters, writer]:
        await finish(waiter)
    await finish(late)
    assert is_free()


async def others_run_meanwhile(kind):
    """While one waits, its loop or hub serves others."""
    held = holder()
    held.acquire()
    (waiter,) = await started(1)
    for _ in range(20):
        await kind.pause()
    assert waiter.state is None
    held.release()
    await finish(waiter)
    assert is_free()


async def cancelled_while_waiting(kind):
    held = holder()
    held.acquire()
    for victim in 0, 1, 2:
        waiters = await started(3)
        kind.cancel(waiters[victim])
        await kind.until(lambda: waiters[victim].state == kinds.CANCELLED)  # noqa: B023
        held.release()
        for waiter in waiters:
            if waiter is not waiters[victim]:
                await finish(waiter)
        await kind.until(is_free_again(held))
    held.release()
    assert is_free()


def is_free_again(held):
    # An errand that was given up lets go by itself, a moment later.
    return lambda: in_line() == 0 and held.acquire(blocking=False)


async def cancelled_while_handed_over(kind):
    """The lock is released and its heir cancelled before the heir can run."""
    held = holder()
    for _ in range(30):
        await kind.until(is_free_again(held))
        first, second = await started(2)
        held.release()
        kind.cancel(first)
        await kind.until(lambda: second.state == kinds.IN or first.state == kinds.IN)  # noqa: B023
        first.may_leave = second.may_leave = True
        await kind.until(lambda: second.state == kinds.DONE)  # noqa: B023
        await kind.until(lambda: first.state in (kinds.CANCELLED, kinds.DONE))  # noqa: B023
    await kind.until(is_free_again(held))


async def timed_out(kind):
    """One in the middle gives up; the one behind it moves up, the lock stays whole."""
    held = holder()
    held.acquire()
    (first,) = await started(1)
    (impatient,) = await started(1, timeout=0.05)
    (last,) = await started(1)
    await kind.until(lambda: impatient.state == kinds.TIMED_OUT)
    assert (first.state, last.state) == (None, None)
    held.release()
    await finish(first)
    await finish(last)
    assert is_free()


async def timed_out_while_handed_over(kind):
    """Time-outs that end at about the moment of the release."""
    held = holder()
    for step in range(30):
        await kind.until(is_free_again(held))
        (impatient,) = await started(1, timeout=0.02)
        (patient,) = await started(1)
        for _ in range(step):
            await kind.pause()
        held.release()
        await kind.until(lambda: impatient.state is not None)  # noqa: B023
        impatient.may_leave = patient.may_leave = True
        await kind.until(lambda: patient.state == kinds.DONE)  # noqa: B023
    await kind.until(is_free_again(held))


async def without_helpers(kind):
    """No thread to be had: waiters poll, and are served all the same."""
    helpers.LIMIT = 0
    helpers._idle.clear()
    held = holder()
    held.acquire()
    waiter, impatient = kinds.Waiter(handle(timeout=60)), kinds.Waiter(handle(timeout=0.01))
    await kind.start(waiter)
    await kind.until(lambda: in_line() >= 1)
    await kind.start(impatient)
    await kind.until(lambda: impatient.state == kinds.TIMED_OUT)
    for _ in range(20):
        await kind.pause()
    held.release()
    await finish(waiter)
    assert is_free()


async def gives_up_again_and_again(kind):
    """Who tries for ever and ever leaves one helper behind, not a helper each time."""
    held = holder()
    held.acquire()
    for _ in range(20):
        waiter = kinds.Waiter(handle(timeout=0.003))
        await kind.start(waiter)
        await kind.until(lambda: waiter.state == kinds.TIMED_OUT)  # noqa: B023
    # a few, where a waiter gave up before its helper had even begun, or one was about to end

    assert len(helpers._running) <= 10, helpers._running
    # for the lock, or one for each slot
    await kind.until(lambda: len(helpers._running) - len(helpers._idle) <= SLOTS)
    (last,) = await started(1)
    held.release()
    await finish(last)
    await kind.until(is_free_again(held))


kind.run(globals()[SCENARIO])
