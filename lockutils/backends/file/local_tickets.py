"""The tickets that this process has for a lock file."""

from __future__ import annotations

import errno
import os

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import owners
from lockutils.local.registry import Registry
from lockutils.parking.native import closer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

#: how many numbers there are
TICKETS = 2**22
HALF = TICKETS // 2
#: how many numbers of its own a process remembers; more than those that a thread can be late
_REMEMBERED = 64


class LocalTickets:
    """The tickets of this process for one lock file.

    The waiter that is first in the process waits with the lowest of them, whoever took it, and
    gives back its own.  So two threads that enter the in-process queue in one order, and take
    their tickets in the other, need not exchange them.

    All are locked by one descriptor, so that two thousand greenthreads can wait.  It closes
    with its last user.  No guard keeps threads apart, since a signal handler or finaliser may
    come in at any place, and wait: what must be one step is one call into C, on one object.
    """

    __slots__ = ("__weakref__", "_claimed", "_file", "numbers")

    def __init__(self) -> None:
        #: those that are locked: no thread waits with a number that is not
        self.numbers: dict[int, None] = {}
        #: The numbers claimed last.  Each is claimed once and never again.  So a number can be
        #: unlocked twice, or late, without harm.
        self._claimed: dict[int, object] = {}
        #: at most one, once it is open: of threads that open it at the same time the first counts
        self._file: dict[None, _QueueFile] = {}

    def open(self, path: bytes) -> int:
        """Return the descriptor, opened if it is not yet.

        :raises OSError: if the queue file cannot be used
        """
        file = self._file.get(None) or self._file.setdefault(None, _QueueFile(path))
        return file.fd_box[0]

    @property
    def fd_box(self) -> list[int]:
        """The descriptor, if it is open."""
        file = self._file.get(None)
        return [] if file is None else file.fd_box

    def claim(self, number: int) -> bool:
        """Claim a number for the calling entry; ``False`` if it is not beyond all others."""
        claimed, mine = self._claimed, object()
        if claimed.setdefault(number, mine) is not mine:
            return False  # another thread was faster
        if len(claimed) > _REMEMBERED:
            for old in list(claimed)[:-_REMEMBERED]:
                claimed.pop(old, None)
        return self.newest() == number

    def newest(self) -> int | None:
        """The highest number claimed."""
        return self._first(list(self._claimed), -1)

    def lowest(self) -> int | None:
        return self._first(list(self.numbers), 1)

    def _first(self, numbers: Iterable[int], sign: int) -> int | None:
        for some in numbers:  # any, to say where the circle begins
            return min(numbers, key=lambda number: sign * ((number - some + HALF) % TICKETS))
        return None


#: of each lock file, as long as anybody has tickets for it or may take one
local_tickets: Registry[LocalTickets] = Registry(LocalTickets)


class _QueueFile:
    """An open queue file, which closes with its last user."""

    __slots__ = ("_closer", "fd_box")

    def __init__(self, path: bytes) -> None:
        self.fd_box: list[int] = []
        #: what closes the descriptor when it is dropped
        self._closer: list[Any] = []
        descriptor = _Descriptor(self.fd_box, path)
        owners.add(descriptor)
        try:
            writable, _ = syscalls.open_file(self.fd_box, path)
            if not writable:
                raise PermissionError(errno.EACCES, "Queue file cannot be written to")
            self._closer.extend(map(closer_of, self.fd_box))
        finally:
            if not self._closer:
                syscalls.close(self.fd_box)
            owners.discard(descriptor)

    def forget_parent(self) -> None:
        """In a forked child: close the copy."""
        for closer in self._closer:
            closer.close()
        self.fd_box.clear()


class _Descriptor:
    __slots__ = ("fd_box", "path")

    def __init__(self, fd_box: list[int], path: bytes) -> None:
        self.fd_box = fd_box
        self.path = path


def _forget_parent() -> None:
    """In a forked child: its parent's tickets are not its own, and the copies are closed."""
    for tickets in [found for _, found in local_tickets.items()]:
        tickets.numbers.clear()
        for file in list(tickets._file.values()):
            file.forget_parent()
        tickets._file.clear()
    local_tickets.clear()


os.register_at_fork(after_in_child=_forget_parent)
