"""Which waits cannot end, because each waits for what another one of them holds.

A waiter for an exclusive lock, and a reader, waits until *all* who are in the way have released;
a waiter for one of several slots until *any* of the holders has.  So the first is stuck if one
holder is, and the second if all of them are.
"""

from __future__ import annotations

import os

from lockutils.backends.file.status import Snapshot
from lockutils.observe.wait_records import Wait, waits_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Deadlock:
    """Waits that go on without end.

    :ivar cycle: each waits for what the next one holds, and the last for what the first does
    :ivar members: those of the cycle, and all others that depend on them and they on those: one
        of them has to give up
    """

    def __init__(self, cycle: list[Wait], members: list[Wait]) -> None:
        self.cycle = cycle
        self.members = members

    def lines(self) -> list[str]:
        """Return what is to be told, a line for each wait of the cycle."""
        return [
            f"{wait} waits for {wait.name!r}, held by process {holder.pid}"
            for wait, holder in zip(self.cycle, self._after(), strict=True)
        ]

    def __str__(self) -> str:
        steps = [
            f"waits for {wait.name!r}, held by {holder}"
            for wait, holder in zip(self.cycle, self._after(), strict=True)
        ]
        return f"{self.cycle[0]} {', which '.join(steps)}"

    def _after(self) -> list[Wait]:
        return [*self.cycle[1:], self.cycle[0]]

    @property
    def youngest(self) -> Wait:
        """Who began to wait last, of those that are to end a deadlock; the same for all who ask."""
        return max(
            [wait for wait in self.members if wait.watches] or self.members,
            key=lambda wait: (wait.since, wait.pid, wait.number),
        )


def deadlock_of(wait: Wait, *, certain: bool = False) -> Deadlock | None:
    """Return why ``wait`` will not end, if that is so.

    What is found has been found twice.  So there was a moment, between the two, at which all the
    waits in it went on.

    :param certain: whether to leave out what somebody else could release, as what was acquired by
        hand
    """
    first = _stuck(_reachable(wait), certain)
    if wait not in first:
        return None
    again = _stuck([one for one in _reachable(wait) if one in first], certain)
    if wait not in again:
        return None
    return _deadlock(wait, again, certain)


def _reachable(start: Wait) -> list[Wait]:
    """Return ``start``, and all published waits of those it waits for."""
    found = {start: None}
    todo = [start]
    known: dict[int, list[Wait]] = {}
    for wait in todo:
        for pid in _holders(wait):
            if pid not in known:
                known[pid] = waits_of(pid)
            for other in known[pid]:
                if other not in found and _blocks(other, wait, certain=False):
                    found[other] = None
                    todo.append(other)
    return list(found)


def _holders(wait: Wait) -> set[int]:
    """Return the processes that may hold what ``wait`` is for."""
    pids = {wait.pid} if wait.pid else set()
    if wait.path:
        try:
            path = os.fsencode(wait.path)
            holders, _ = Snapshot(os.path.dirname(path)).status_of(path, waiters=False)
            pids |= {holder.pid for holder in holders if holder.pid is not None}
        except OSError:
            pass  # nobody can know
    return pids


def _blocks(holder: Wait, wait: Wait, *, certain: bool) -> int:
    """Return how often ``holder`` holds what is in the way of ``wait``."""
    if holder is wait and wait.slots == 1:
        return 0  # that is told at once, where it is certain
    return sum(
        not (hold.shared and wait.shared)
        and (hold.certain or not certain)
        and not set(wait.ids).isdisjoint(hold.ids)
        for hold in holder.holds
    )


def _stuck(waits: Iterable[Wait], certain: bool) -> list[Wait]:
    """Return those of ``waits`` that cannot end before another one of those that are returned."""
    left = list(waits)
    while True:
        stay = [
            wait
            for wait in left
            if sum(_blocks(other, wait, certain=certain) for other in left) >= wait.slots
        ]
        if len(stay) == len(left):
            return left
        left = stay


def _deadlock(start: Wait, stuck: list[Wait], certain: bool) -> Deadlock:
    after = {
        wait: [other for other in stuck if _blocks(other, wait, certain=certain)] for wait in stuck
    }
    # the nearest one that waits for itself in the end: there is one, since every one waits for one
    for wait in (start, *_ways(start, after)):
        circle = _ways(wait, after).get(wait)
        if circle is not None:
            break
    assert circle is not None
    members = [one for one in _ways(wait, after) if wait in _ways(one, after)]
    return Deadlock([wait, *circle[:-1]], members)


def _ways(start: Wait, after: dict[Wait, list[Wait]]) -> dict[Wait, list[Wait]]:
    """Return a shortest way from ``start`` to each wait that it depends on, the nearest first.

    A way ends with that wait, and is without ``start``, unless that comes again.
    """
    ways: dict[Wait, list[Wait]] = {}
    todo: list[tuple[Wait, list[Wait]]] = [(start, [])]
    for wait, way in todo:
        for other in after[wait]:
            if other not in ways:
                ways[other] = [*way, other]
                todo.append((other, ways[other]))
    return ways
