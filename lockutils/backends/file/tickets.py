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
from lockutils.backends.file.local_tickets import HALF, TICKETS, local_tickets

#: bytes for each number
BYTES = 2
#: how often others may be faster, each time anew, before it is taken for malice
_TRIES = 1000


class QueueEntry:
    """One waiter's place in line.

    :param first_byte: of the range of its lock file
    :param strict: whether nobody may pass it
    """

    __slots__ = (
        "_dropped",
        "_first_byte",
        "_note",
        "_queue",
        "_strict",
        "_taken",
        "_unlock",
        "tickets",
    )

    def __init__(self, path: bytes, queue: bytes, first_byte: int, *, strict: bool) -> None:
        #: those of this process, for the same lock file
        self.tickets = local_tickets.get(path)
        self._queue = queue
        self._first_byte = first_byte
        self._strict = strict
        #: the note of the number to take, and what then stands for the number
        self._note: list[int] | None = None
        self._taken: list[list[int]] = []
        #: the note of the number that is being given back
        self._dropped: list[list[int]] = []
        self._unlock = b""

    @property
    def is_taken(self) -> bool:
        """Whether this entry has added a number to those of its process."""
        return any(taken is self._note for taken in self._taken)

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
            note = self._note = [number]
            # one step: whether the number is ours alone
            self._taken.extend(map(tickets.numbers.setdefault, (number,), (note,)))
            if not self.is_taken:
                self._taken.clear()
                continue  # another thread was faster
            tickets.recent.append(number)
            self._unlock = self._bytes(syscalls.UNLOCK, number, BYTES)
            locked = syscalls.span_try(fd, self._bytes(syscalls.WRITE, number))
            if locked and number not in tickets.numbers:
                # A waiter that gave up has given it back in place of its own, which was used.
                # It could not unlock what was not locked yet.
                syscalls.span_unlock(fd, self._bytes(syscalls.UNLOCK, number, BYTES))
                return
            if locked and not self._is_late(fd, number):
                return
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

    def _is_late(self, fd: int, number: int) -> bool:
        """Whether a higher number has been taken meanwhile."""
        newest = self.tickets.newest()
        if newest is not None and _is_before(number, newest):
            return True
        return self._find(fd, number + 1, HALF - 1) is not None

    def give_back(self, *, lowest: bool = False) -> None:
        """Leave the line.  Callable any number of times.

        :param lowest: by the waiter that is served: it was first in the process, and used the
            lowest number.  Any other gives back its own, or a later one if that was used
        """
        tickets, taken = self.tickets, self._taken
        # The common case, inlined: this is what the next in line waits for.
        if lowest and len(tickets.numbers) == 1 and taken and not self._dropped:
            try:
                self._dropped.extend(map(tickets.numbers.pop, taken[0]))
                syscalls.span_try(tickets.fd_box[0], self._unlock)
            except (KeyError, IndexError, OSError):
                pass
            else:
                self._taken, self._dropped = [], []
                return
        # The numbers of a process are as many as those who have taken one.  Each is taken out in
        # one step by one of them; so none is unlocked twice, and none is left.
        while self.is_taken and not self._dropped:
            note = self._note
            assert note is not None
            number = tickets.lowest() if lowest else tickets.highest()
            if not lowest and tickets.numbers.get(note[0]) is note:
                number = note[0]
            if number is None:
                break  # in a forked child, or it was begun by an interrupted call
            try:
                self._dropped.extend(map(tickets.numbers.pop, (number,)))
            except KeyError:
                continue  # another thread was faster
        for dropped in self._dropped:
            for fd in tickets.fd_box:
                syscalls.span_unlock(fd, self._bytes(syscalls.UNLOCK, dropped[0], BYTES))
        self._taken.clear()
        self._dropped.clear()

    # --- whose turn it is

    def ahead(self, count: int) -> list[tuple[int, bool]]:
        """Return the nearest tickets of other processes before those of this one.

        :param count: how many to look for
        :return: number, and whether nobody may pass it; the nearest first
        :raises OSError: if the queue file cannot be used
        """
        fd = self.tickets.open(self._queue)
        number = self.tickets.lowest()
        found: list[tuple[int, bool]] = []
        while number is not None and len(found) < count:
            nearest = self._nearest(fd, number)
            if nearest is None:
                break
            found.append(nearest)
            number = nearest[0]
        return found

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
        """Give back what was waited for."""
        fd_box = self.tickets.fd_box
        if fd_box:
            syscalls.span_unlock(fd_box[0], self._bytes(syscalls.UNLOCK, number))

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
    return 0 < (other - number) % TICKETS < HALF
