"""The holders and waiters of a lock, from the queue of this process and from the system."""

from __future__ import annotations

import os

from lockutils.backends.file.proc import begin_of
from lockutils.errors import Holder, LockPathError
from lockutils.local.waiters import snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockutils.backends.base import Backend
    from lockutils.local.wait_queue import WaitQueue


class Status:
    """The holders and waiters of a lock at one moment.

    :ivar name: the name of the lock, with its prefix
    :ivar holders: the holders: several readers or slots, or one at most
    :ivar waiters: the waiters, the next to be served first where the order is known
    """

    __slots__ = ("holders", "name", "waiters")

    def __init__(
        self, name: str, holders: Iterable[Holder] = (), waiters: Iterable[Holder] = ()
    ) -> None:
        self.name = name
        self.holders = tuple(holders)
        self.waiters = tuple(waiters)

    def __repr__(self) -> str:
        return f"Status({self.name!r}, holders={self.holders!r}, waiters={self.waiters!r})"


def look(key: str, queue: WaitQueue | None, backend: Backend | None) -> Status:
    """Return the status of a lock."""
    holders, waiters = _here(queue)
    if backend is None:
        return Status(key, holders, waiters)
    outside, outside_waiters = backend.status(key)
    return Status(key, _joined(holders, queue, outside), _merged(waiters, outside_waiters))


def holders_of(queue: WaitQueue, backend: Backend | None, key: str) -> list[Holder]:
    """Return the holders of a lock, without a search for its waiters."""
    holders, _ = _here(queue)
    if backend is None:
        return holders
    try:
        outside, _ = backend.status(key, waiters=False)
    except LockPathError:
        return holders
    return _joined(holders, queue, outside)


def _here(queue: WaitQueue | None) -> tuple[list[Holder], list[Holder]]:
    """Return the holders and waiters of this process."""
    holders, waiters = [], []
    for waiter in [] if queue is None else snapshot(queue):
        if waiter.scoped is not None:
            holders.append(waiter.as_holder())
            if holders[-1].since is None:
                holders[-1].not_before = begin_of("self")
        elif waiter.parker is not None:  # else it tries, or is about to leave
            waiters.append(waiter.as_holder())
    return holders, waiters


def _joined(here: list[Holder], queue: WaitQueue | None, outside: list[Holder]) -> list[Holder]:
    """Add other processes to the holders of this one, which the system knows, too."""
    # a lock of this process alone says nothing of the file, which another library may hold
    if any(waiter.request is not None for waiter in queue.holders()) if queue else False:
        pid = os.getpid()
        # one of whom nothing is known at all is us, where the system tells of no process
        outside = [holder for holder in outside if holder.pid != pid and holder != Holder()]
    return here + outside


def _merged(here: list[Holder], outside: list[Holder]) -> list[Holder]:
    """Put the waiters of this process in the places in line that it has.

    One place may be enough for all of them: the next one lines up when the first is served.
    """
    pid, rest = os.getpid(), here.copy()
    merged = []
    for waiter in outside:
        if waiter.pid != pid or not here:
            merged.append(waiter)
        elif rest:
            merged.append(rest.pop(0))
    return merged + rest
