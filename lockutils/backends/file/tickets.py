"""Tickets: strict first come, first served, over all waiters of all processes.

A ticket is a write lock on one byte of the queue file, and its number is the byte's.  A new
one is higher than all that exist; whoever has no lower one before it is first.  Both are found
by asking the kernel, and nothing is written down that a crash could leave wrong.  (The idea is
the queue lock of Craig and of Landin and Hagersten, "CLH", in which each waits for the one
before.)

Two that come at once may ask at once and take different numbers.  So after taking one the
taker asks again: if there is a higher one by now, it gives its own back and takes another.
Hence of two tickets that are kept, the lower was there before the higher was asked for.

A read lock is nobody's ticket, and nobody waits for it: whoever may only read the queue file
can have one, and keep it.  But a new number is behind those, too.

Numbers go round, and with fewer waiters than half of them it is clear which is before which.
Where nobody has a ticket the next is 0.
"""

from __future__ import annotations

import errno

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import opened
from lockutils.parking.native import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.queue import Place

#: how many numbers there are
TICKETS = 2**22
_HALF = TICKETS // 2
#: how often others may be faster, each time anew, before it is taken for malice
_TRIES = 1000


class Line(dict[int, "Ticket | None"]):
    """The tickets of this process for one lock file, by number, in the order they were taken.

    All are locked by one descriptor, so that two thousand greenthreads can wait.  It is open
    while it has users.  ``None`` is a ticket that is being given back.

    No guard keeps threads apart here, as in :mod:`lockutils.local.waiters`.  Where several
    steps must be one, there is no call in them, nor a jump back: only there CPython
    runs another thread or a signal handler.
    """

    __slots__ = ("__weakref__", "cell", "newest", "sleepers", "users")

    def __init__(self) -> None:
        #: the descriptor, if it is open
        self.cell: list[int] = []
        #: the number that was taken last
        self.newest = 0
        #: the tickets that are taken, or about to be
        self.users: dict[Ticket, None] = {}
        #: how many threads of ours sleep for a ticket of another process
        self.sleepers = 0

    def forget_parent(self) -> None:
        """In a forked child: its parent's tickets are not its own, and the copy is closed."""
        self.clear()
        self.users = {}
        self.sleepers = 0
        self.cell = []


class Ticket:
    """One waiter's ticket.

    Tickets of one process can be exchanged.  A thread may enter the in-process queue before
    another, and get a higher ticket: whoever is first in the process uses the lowest.
    """

    __slots__ = ("_dropped_by", "_line", "_place", "number")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._line = place.line
        #: ``None`` if it is not taken, or given back
        self.number: int | None = None
        #: the thread that is about to give the number back
        self._dropped_by: int | None = None

    def take(self) -> None:
        """Take a number behind all others.

        Whatever comes of it, :meth:`give_back` is still to be called.

        :raises OSError: if the queue file cannot be used
        """
        line = self._line
        while self not in line.users:
            if not line.cell:
                self._open()
            # one step: from here on nobody closes the descriptor
            if line.cell:
                line.users[self] = None
        tries = 0
        while self.number is None:
            tries += 1
            if tries > _TRIES:
                raise _no_ticket()
            # While a thread of ours sleeps, whose waiter may have given up and who may be for us
            # next, our number is to be behind what it sleeps for: the one who has that by now
            # may wait for us, or be us.
            newest = line.newest if line or line.sleepers else None
            number = self._next_number(newest)
            # One step.  If a thread of ours has taken one meanwhile, the number may be lower
            # than others of ours: as the newest, it would send the next takers to a number
            # that is in use, over and over.
            if newest != (line.newest if line or line.sleepers else None):
                continue
            line[number] = self
            self.number = line.newest = number
            taken = syscalls.span_try(line.cell[0], self._byte(syscalls.WRITE, number))
            # Who exchanged for it meanwhile may have seen it in use by another process, and
            # sleep until it is free; so it must not stay locked by us.
            exchanged = self.number != number
            if not taken or exchanged or self._find(number + 1, _HALF - 1) is not None:
                self._take_back(number)
                if self.number == number:
                    self.drop_number()
                elif taken:  # who exchanged for it has given it back already
                    syscalls.span_unlock(line.cell[0], self._byte(syscalls.UNLOCK, number))

    def drop_number(self) -> None:
        """Let the next one be first.  Callable by any thread, any number of times."""
        me = get_ident()
        line, number = self._line, self.number
        # one step: from here on nobody exchanges this number, or takes it
        if number is None or number not in line:
            return
        # A thread that was interrupted in the middle of this begins again, and no other one
        # does: it might unlock what somebody else has by then.
        if line[number] is not self and self._dropped_by != me:
            return
        line[number] = None
        self._dropped_by = me
        try:
            syscalls.span_unlock(line.cell[0], self._byte(syscalls.UNLOCK, number))
        except IndexError:
            pass  # closed meanwhile, and so unlocked
        # one step
        if number in line:
            del line[number]
        self.number = self._dropped_by = None

    def give_back(self) -> None:
        """Leave the line.  Callable by any thread, any number of times."""
        line = self._line
        if self.number is not None:
            self.drop_number()
        # one step, and nothing in a forked child
        if self in line.users:
            del line.users[self]
        if line.users or not line.cell:
            return
        descriptor = line.cell[0]
        del line.cell[0]
        try:
            opened.discard(descriptor)
        finally:
            syscalls.close_number(descriptor)

    def _open(self) -> None:
        line = self._line
        cell: list[int] = []
        try:
            writable, _ = syscalls.open_file(cell, self._place.queue)
            if not writable:
                raise PermissionError(errno.EACCES, "Queue file cannot be written to")
            # one step
            if not line.cell:
                line.cell = cell
        finally:
            # no call before the one that closes: a signal handler may raise at the end of any
            if line.cell is not cell and cell:
                syscalls.close_number(cell[0])
        opened.update(line.cell)

    def _next_number(self, newest: int | None) -> int:
        """Return a number behind all others.

        :param newest: the newest of this process, if it has any
        """
        if newest is None:
            newest = self._find(0, TICKETS)
        if newest is None:
            return 0
        # The newest of all: in leaps, twice as far after each that found something beyond.
        leap = 1
        for _ in range(_TRIES):
            if leap >= _HALF:
                break
            beyond = self._find(newest + leap, _HALF - leap)
            if beyond is not None:
                newest = beyond
                leap *= 2
            elif leap > 1:
                leap //= 2
            else:
                return (newest + 1) % TICKETS
        raise _no_ticket()

    def is_first(self) -> bool:
        """Whether no other process has a lower ticket.

        Called by who is first in this process.
        """
        self._be_first_of_ours()
        number = self.number
        # A number got by exchange may not be taken yet: another process may have this one.
        return number is not None and self._find(number - _HALF, _HALF + 1, syscalls.READ) is None

    def wait_until_first(self, descriptor: int) -> bool:
        """Sleep in the calling native thread until no other process has a lower ticket.

        :param descriptor: of the queue file, and of nobody else: what is granted to it in the
            end must not take the place of a ticket
        :return: ``False`` if the ticket was given back in the meantime
        """
        try:
            return self._wait_until_first(descriptor)
        except (IndexError, OSError):
            # Whoever gave it back may have closed the line before we have looked at that.
            if self.number is None:
                return False
            raise

    def _wait_until_first(self, descriptor: int) -> bool:
        while not self.is_first():
            line, number = self._line, self.number
            # one step
            if number is None or line[number] is not self:
                return False
            # The nearest before us, or nearly.  If all waited for one and the same, all would
            # be woken at each turn.
            reach, ahead = 1, None
            while ahead is None and reach <= _HALF:
                ahead = self._find(number - reach, reach + 1, syscalls.READ)
                reach *= 2
            if ahead is not None:
                self._wait_for(ahead, descriptor)
        return self.number is not None

    def _wait_for(self, ahead: int, descriptor: int) -> None:
        """Sleep until ``ahead`` is free, unless this ticket is being given back."""
        line, number = self._line, self.number
        # one step: from here on the numbers that we take are higher
        if number is None or line[number] is not self:
            return
        line.sleepers += 1
        try:
            syscalls.span_wait(descriptor, self._byte(syscalls.READ, ahead))
            syscalls.span_unlock(descriptor, self._byte(syscalls.UNLOCK, ahead))
        finally:
            # one step, and nothing in a forked child
            if line.sleepers:
                line.sleepers -= 1

    def _be_first_of_ours(self) -> None:
        line = self._line
        # one step
        for first in line:
            other, number = line[first], self.number
            if other is None:
                break
            if other is not self and number is not None and line[number] is self:
                line[first], line[number] = self, other
                self.number, other.number = first, number
            return
        # The lowest is being given back, and by a thread that may be stopped in the middle of
        # it.  The lowest that is kept must be ours all the same: another process may wait for
        # it, and we would wait for that process.
        for first in list(line):
            # one step
            if first in line:
                other, number = line[first], self.number
                if other is not None:
                    # not for one that is being given back itself, by another thread
                    if other is not self and number is not None and line[number] is self:
                        line[first], line[number] = self, other
                        self.number, other.number = first, number
                    return

    def _take_back(self, number: int) -> None:
        """Exchange again with whoever exchanged for ``number``, which was not good."""
        line, mine = self._line, self.number
        # one step
        if mine is not None and mine != number and number in line:
            other = line[number]
            if other is not None:
                line[number], line[mine] = self, other
                self.number, other.number = number, mine

    def _find(self, first: int, count: int, kind: int = syscalls.WRITE) -> int | None:
        """Return a number that is in use elsewhere, among ``count`` from ``first`` on.

        :param kind: of lock to ask for.  In the way of a read lock is only a ticket of another
            process.  In the way of a write lock is also who waited for one, and is just about
            to let go of it: two of those who waited for each other would go round and round.
        """
        first %= TICKETS
        room = TICKETS - first
        if count <= room:
            return self._find_straight(first, count, kind)
        found = self._find_straight(first, room, kind)
        return self._find_straight(0, count - room, kind) if found is None else found

    def _find_straight(self, first: int, count: int, kind: int) -> int | None:
        start = self._place.first_ticket
        what = syscalls.span(kind, start + first, count)
        found = syscalls.span_in_use(self._line.cell[0], what)
        # neighbouring tickets of one process are one lock; of them, the newest
        return None if found is None else min(found[1] - start, first + count) - 1

    def _byte(self, kind: int, number: int) -> bytes:
        return syscalls.span(kind, self._place.first_ticket + number, 1)


def _no_ticket() -> OSError:
    """Nobody comes here in good faith: somebody locks numbers that are not his turn."""
    return OSError(errno.EAGAIN, "Queue file has no ticket to be had")
