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

from lockutils.backends.file import syscalls
from lockutils.backends.file.queue import BYTES, HALF, TICKETS, local_tickets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.queue import QueueRange

#: how often others may be faster, each time anew, before it is taken for malice
_TRIES = 1000


class QueueEntry:
    """One waiter's place in line.

    :param strict: whether nobody may pass it
    """

    __slots__ = ("_first_byte", "_place", "_strict", "_taken", "tickets")

    def __init__(self, place: QueueRange, *, strict: bool) -> None:
        #: those of this process, for the same lock file
        self.tickets = local_tickets.get(place.path)
        self._place = place
        self._first_byte = place.first_byte
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
        fd = tickets.open(self._place)
        length = BYTES if self._strict else 1
        number: int | None = None
        for _ in range(_TRIES):
            number = self._next_number(fd, number)
            if not tickets.claim(number):
                continue
            self._taken = [number]
            locked = syscalls.span_try(fd, self._bytes(syscalls.WRITE, number, length))
            if locked and self._find(fd, number + 1, HALF - 1) is None:
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
            beyond = self._find(fd, newest + leap, HALF - leap) if leap < HALF else None
            if beyond is not None:
                newest, leap = beyond[0], 2 * leap
            elif leap > 1:
                leap //= 2
            else:
                return (newest + 1) % TICKETS
        raise OSError(errno.EAGAIN, "Queue file has no ticket left")

    def give_back(self) -> None:
        """Leave the line.  Callable any number of times, by any threads."""
        for number in self._taken:
            self.tickets.numbers.pop(number, None)
            self.unlock(number)
        self._taken = []

    # --- whose turn it is

    def ahead(self, number: int | None, count: int) -> list[tuple[int, bool]]:
        """Return the nearest tickets of other processes before one of this process.

        :param number: of that one
        :param count: how many to look for
        :return: number, and whether nobody may pass it; the nearest first
        :raises OSError: if the queue file cannot be used
        """
        fd = self.tickets.open(self._place)
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
        found = self._find(self.tickets.open(self._place), number - HALF, HALF, syscalls.READ)
        return 1 if found is None else (number - found[0]) % TICKETS

    def _nearest(self, fd: int, number: int) -> tuple[int, bool] | None:
        found = self._find(fd, number - HALF, HALF, syscalls.READ)
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
        return self._bytes(syscalls.READ, number)

    def unlock(self, number: int) -> None:
        """Give back a ticket, or what was waited for."""
        for fd in self.tickets.fd_box:
            syscalls.span_unlock(fd, self._bytes(syscalls.UNLOCK, number))

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
        beyond = first + count - TICKETS
        if beyond > 0:
            return self._find(fd, first, count - beyond, kind) or self._find(fd, 0, beyond, kind)
        found = syscalls.span_in_use(fd, self._bytes(kind, first, count * BYTES))
        if found is None:
            return None
        # Neighbouring tickets of one process in strict order are one lock; of them, the newest.
        end = min(found[1] - self._first_byte, (first + count) * BYTES)
        return (end - 1) // BYTES, end % BYTES == 0

    def _bytes(self, kind: int, number: int, length: int = BYTES) -> bytes:
        return syscalls.span(kind, self._first_byte + number * BYTES, length)


def _is_before(number: int, other: int) -> bool:
    return 0 < (other - number) % TICKETS < HALF
