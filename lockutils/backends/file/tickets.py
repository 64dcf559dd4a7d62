"""Tickets: first come, first served, over all waiters of all processes.

A ticket is a write lock on bytes of the queue file, and its number is their place there.  A new
one is higher than all that exist; the waiter with no lower one before it is first.  Both are
found by asking the kernel, and nothing is written down that a crash could leave wrong.  (The
idea is the queue lock of Craig and of Landin and Hagersten, "CLH", in which each waits for the
one before.)

Two waiters that come at once may ask at once and take different numbers.  So after taking one
the taker asks again: if there is a higher one by now, it gives its own back and takes another.
Hence of two tickets that are kept, the lower was there before the higher was asked for.

A ticket has two bytes.  A waiter in strict order, whom nobody may pass, locks both; any other
the first.

A read lock is nobody's ticket, and nobody waits for it: a process that may only read the queue
file can have one, and keep it.  But a new number is behind those, too.

Numbers go round, and with fewer waiters than half of them it is clear which is before which.
Where nobody has a ticket the next is 0.
"""

from __future__ import annotations

import errno
import os

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import owners
from lockutils.local.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

#: how many numbers there are, and bytes for each
TICKETS, BYTES = 2**22, 2
_HALF = TICKETS // 2
#: how often others may be faster, each time anew, before it is taken for malice
_TRIES = 1000
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
            for old in [*claimed.copy()][:-_REMEMBERED]:
                claimed.pop(old, None)
        return self.newest() == number

    def newest(self) -> int | None:
        """The highest number claimed."""
        return self._first(self._claimed.copy(), -1)

    def lowest(self) -> int | None:
        return self._first(self.numbers.copy(), 1)

    def _first(self, numbers: Iterable[int], sign: int) -> int | None:
        for some in numbers:  # any, to say where the circle begins
            return min(numbers, key=lambda number: sign * ((number - some + _HALF) % TICKETS))
        return None


#: of each lock file, as long as anybody has tickets for it or may take one
local_tickets: Registry[LocalTickets] = Registry(LocalTickets)


class _QueueFile:
    """An open queue file, which closes with its last user."""

    __slots__ = ("_closer", "fd_box", "path")

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.fd_box: list[int] = []
        descriptor = _Descriptor(self.fd_box, path)
        owners.add(descriptor)
        #: A generator, since a signal handler may raise at the entry of ``__del__``.  One that is
        #: dropped is closed by the interpreter, inside its ``try``.
        self._closer = _closing(descriptor)
        next(self._closer)
        writable, _ = syscalls.open_file(self.fd_box, path)
        if not writable:
            raise PermissionError(errno.EACCES, "Queue file cannot be written to")


class _Descriptor:
    __slots__ = ("fd_box", "path")

    def __init__(self, fd_box: list[int], path: bytes) -> None:
        self.fd_box = fd_box
        self.path = path


def _closing(descriptor: _Descriptor) -> Generator[None, None, None]:
    try:
        yield
    finally:
        try:
            syscalls.close(descriptor.fd_box)
        finally:
            owners.discard(descriptor)


class QueueEntry:
    """One waiter's place in line.

    :param first_byte: of the range of its lock file
    :param strict: whether nobody may pass it
    """

    __slots__ = ("_first_byte", "_queue", "_strict", "_taken", "tickets")

    def __init__(self, path: bytes, queue: bytes, first_byte: int, *, strict: bool) -> None:
        #: those of this process, for the same lock file
        self.tickets = local_tickets.get(path)
        self._queue = queue
        self._first_byte = first_byte
        self._strict = strict
        #: the number that is locked, or about to be
        self._taken: list[int] = []

    @property
    def is_taken(self) -> bool:
        """Whether this entry is in line."""
        return bool(self._taken)

    def take(self) -> None:
        """Take a number behind all others.

        Whatever comes of it, :meth:`give_back` is still to be called.

        :raises OSError: if the queue file cannot be used
        """
        tickets = self.tickets
        fd = tickets.open(self._queue)
        number: int | None = None
        for _ in range(_TRIES):
            number = self._next_number(fd, number)
            if not tickets.claim(number):
                continue
            self._taken = [number]
            locked = syscalls.span_try(fd, self._bytes(syscalls.WRITE, number))
            if locked and self._find(fd, number + 1, _HALF - 1) is None:
                tickets.numbers[number] = None
                # By now a thread of this process that claims another one will see ours; one that
                # claimed it before may sleep for a ticket between the two.
                if tickets.newest() == number and self._taken:
                    return
            self._taken = [number]  # if a signal handler has cancelled meanwhile
            self.give_back()
        raise OSError(errno.EAGAIN, "Somebody locks numbers of the queue file in bad faith")

    def _next_number(self, fd: int, tried: int | None) -> int:
        """Return a number behind all others."""
        newest = self.tickets.newest()
        if newest is None:
            found = self._find(fd, 0, TICKETS)
            newest = None if found is None else found[0]
        if tried is not None and (newest is None or not _is_before(tried, newest)):
            newest = tried
        if newest is None:
            return 0
        # In leaps, twice as far after each that found something beyond.
        leap = 1
        for _ in range(_TRIES):
            beyond = self._find(fd, newest + leap, _HALF - leap) if leap < _HALF else None
            if beyond is not None:
                newest, leap = beyond[0], 2 * leap
            elif leap > 1:
                leap //= 2
            else:
                return (newest + 1) % TICKETS
        raise OSError(errno.EAGAIN, "Queue file has no ticket left")

    def give_back(self) -> None:
        """Leave the line.  Callable any number of times, by any threads."""
        tickets = self.tickets
        for number in self._taken:
            tickets.numbers.pop(number, None)
            if tickets.fd_box:
                syscalls.span_unlock(tickets.fd_box[0], self._bytes(syscalls.UNLOCK, number, BYTES))
        self._taken = []

    # --- whose turn it is

    def ahead(self, number: int | None, count: int) -> list[tuple[int, bool]]:
        """Return the nearest tickets of other processes before one of this process.

        :param number: of that one
        :param count: how many to look for
        :return: number, and whether nobody may pass it; the nearest first
        :raises OSError: if the queue file cannot be used
        """
        fd = self.tickets.open(self._queue)
        found: list[tuple[int, bool]] = []
        while number is not None and len(found) < count:
            nearest = self._nearest(fd, number)
            if nearest is None:
                break
            found.append(nearest)
            number = nearest[0]
        return found

    def distance(self, number: int | None) -> int:
        """Return how far before a number of this process there is a ticket, at least."""
        if number is None:
            return 1
        found = self._find(self.tickets.open(self._queue), number - _HALF, _HALF, syscalls.READ)
        return 1 if found is None else (number - found[0]) % TICKETS

    def _nearest(self, fd: int, number: int) -> tuple[int, bool] | None:
        found = self._find(fd, number - _HALF, _HALF, syscalls.READ)
        if found is None:
            return None
        # Which one the kernel names is up to it: the oldest, as a rule.
        reach = 1
        while reach < (number - found[0]) % TICKETS:
            nearer = self._find(fd, number - reach, reach, syscalls.READ)
            if nearer is not None:
                found = nearer
                break
            reach *= 4
        while gap := (number - found[0] - 1) % TICKETS:
            nearer = self._find(fd, found[0] + 1, gap, syscalls.READ)
            if nearer is None:
                break
            found = nearer
        return found

    def lock_of(self, number: int) -> bytes:
        """What to wait for until the ticket ``number`` is gone."""
        return self._bytes(syscalls.READ, number, BYTES)

    def unlock(self, number: int) -> None:
        """Give back what was waited for."""
        fd_box = self.tickets.fd_box
        if fd_box:
            syscalls.span_unlock(fd_box[0], self._bytes(syscalls.UNLOCK, number, BYTES))

    def _find(
        self, fd: int, first: int, count: int, kind: int = syscalls.WRITE
    ) -> tuple[int, bool] | None:
        """Return a number that is in use elsewhere, and whether nobody may pass it.

        :param count: how many numbers to look at, from ``first`` on
        :param kind: of lock to ask for.  In the way of a read lock is only a ticket of another
            process.  In the way of a write lock is also one that waited for a ticket, and is
            just about to give that back
        """
        first %= TICKETS
        room = TICKETS - first
        found = self._find_straight(fd, first, min(count, room), kind)
        if found is None and count > room:
            found = self._find_straight(fd, 0, count - room, kind)
        return found

    def _find_straight(self, fd: int, first: int, count: int, kind: int) -> tuple[int, bool] | None:
        what = syscalls.span(kind, self._first_byte + first * BYTES, count * BYTES)
        found = syscalls.span_in_use(fd, what) if count > 0 else None
        if found is None:
            return None
        # Neighbouring tickets of one process in strict order are one lock; of them, the newest.
        end = min(found[1] - self._first_byte, (first + count) * BYTES)
        return (end - 1) // BYTES, end % BYTES == 0

    def _bytes(self, kind: int, number: int, length: int = 1) -> bytes:
        if kind == syscalls.WRITE and self._strict:
            length = BYTES
        return syscalls.span(kind, self._first_byte + number * BYTES, length)


def _is_before(number: int, other: int) -> bool:
    return 0 < (other - number) % TICKETS < _HALF


def _forget_parent() -> None:
    """In a forked child: its parent's tickets are not its own, and the copies are closed."""
    for tickets in [found for _, found in local_tickets.items()]:
        tickets.numbers.clear()
    local_tickets.clear()


os.register_at_fork(after_in_child=_forget_parent)
