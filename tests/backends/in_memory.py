"""Run as: in_memory.py SCENARIO KIND.  Waiters of one kind behind handles of a memory backend.

Exits with 0 if the scenario held.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "parking"))

import kinds

SCENARIO, KIND = sys.argv[1:]
kind = kinds.make(KIND)

from memory import MemoryBackend, Server  # noqa: E402

import lockutils  # noqa: E402
from lockutils.front import settings  # noqa: E402

server = Server()
backend = MemoryBackend(server)
#: another process
elsewhere = MemoryBackend(server)
settings.lock_directory = lambda path: backend


def handle(**options):
    return lockutils.lock("key", external=True, **options)


class Holder:
    """Holds the lock in the other process."""

    def __init__(self, **mode):
        self._request = elsewhere.request("key", **mode)
        self.is_in = False

    def begin(self):
        self._request.start(self._enter)
        return self

    def _enter(self):
        self.is_in = True

    def leave(self):
        self._request.cancel()


async def held_elsewhere(**mode):
    holder = Holder(**mode).begin()
    await kind.until(lambda: holder.is_in)
    return holder


async def waiting(count=1, **options):
    waiters = []
    for _ in range(count):
        waiters.append(kinds.Waiter(handle(**options)))
        await kind.start(waiters[-1])
    await kind.until(lambda: any(node.session is backend for node in server.nodes()))
    return waiters


async def nothing_is_left():
    await kind.until(lambda: not server.nodes())
    assert not handle()._queue


async def excluded_until_the_other_leaves(kind):
    holder = await held_elsewhere()
    (waiter,) = await waiting()
    assert waiter.state is None
    holder.leave()
    await kind.until(lambda: waiter.state == kinds.IN)
    assert [node.session for node in server.nodes()] == [backend]
    late = Holder().begin()
    await kind.until(lambda: len(server.nodes()) == 2)
    assert not late.is_in
    waiter.may_leave = True
    await kind.until(lambda: late.is_in)
    late.leave()
    await nothing_is_left()


async def served_one_after_the_other(kind, **options):
    waiters = await waiting(6, **options)
    order = []
    for waiter in waiters:
        waiter.note = order.append
    served = set()
    while len(served) < len(waiters):
        await kind.until(lambda: any(w.state == kinds.IN for w in waiters))
        inside = [w for w in waiters if w.state == kinds.IN]
        assert len(inside) == 1
        served.update(inside)
        inside[0].may_leave = True
        await kind.until(lambda: not any(w.state == kinds.IN for w in inside))  # noqa: B023
    await nothing_is_left()


async def served_one_after_the_other_in_order(kind):
    await served_one_after_the_other(kind, fair=True)


async def readers_come_in_together(kind):
    holder = await held_elsewhere()
    readers = await waiting(3, shared=True)
    holder.leave()
    await kind.until(lambda: all(reader.state == kinds.IN for reader in readers))
    for reader in readers:
        reader.may_leave = True
    await kind.until(lambda: all(reader.state == kinds.DONE for reader in readers))
    await nothing_is_left()


async def slots_are_shared_with_the_other(kind):
    holder = await held_elsewhere(slots=2)
    both = await waiting(2, slots=2)
    await kind.until(lambda: any(waiter.state == kinds.IN for waiter in both))
    first, second = sorted(both, key=lambda waiter: waiter.state is None)
    assert second.state is None
    holder.leave()
    await kind.until(lambda: second.state == kinds.IN)
    first.may_leave = second.may_leave = True
    await kind.until(lambda: first.state == second.state == kinds.DONE)
    await nothing_is_left()


async def a_time_out_leaves_nothing(kind):
    holder = await held_elsewhere()
    (waiter,) = await waiting(timeout=0.05)
    await kind.until(lambda: waiter.state == kinds.TIMED_OUT)
    holder.leave()
    await nothing_is_left()


async def a_cancelled_waiter_leaves_nothing(kind):
    holder = await held_elsewhere()
    (waiter,) = await waiting()
    kind.cancel(waiter)
    await kind.until(lambda: waiter.state == kinds.CANCELLED)
    holder.leave()
    await nothing_is_left()


async def an_error_is_raised_where_it_waits(kind):
    holder = await held_elsewhere(slots=3)
    errors = []

    class Waiter(kinds.Waiter):
        def __setattr__(self, name, value):
            if name == "state" and value == kinds.CANCELLED:
                errors.append(type(sys.exc_info()[1]))
            super().__setattr__(name, value)

    waiter = Waiter(handle(slots=2))
    if KIND == "trio":
        try:
            async with waiter.lock:
                pass
        except lockutils.SlotsMismatchError as error:
            errors.append(type(error))
    else:
        await kind.start(waiter)
        await kind.until(lambda: errors)
    assert errors == [lockutils.SlotsMismatchError]
    holder.leave()
    await nothing_is_left()


kind.run(globals()[SCENARIO])
