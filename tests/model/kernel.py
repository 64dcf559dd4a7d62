"""The locks of the processes, and what a system call comes to.

What the kernel promises is here, and no more than that.  Of several locks in the way of an
``F_OFD_GETLK`` it may name any.  Whoever sleeps may go on as soon as nothing is in his way, in
any order, and somebody who just comes may be faster.  When a process dies, all its locks are
gone at once.
"""

from functools import cache
from typing import NamedTuple

import shared as own


class Locks(NamedTuple):
    """What the locks of a process are to others."""

    tickets: int
    reads: frozenset
    flock: bool
    record: bool


class Process(NamedTuple):
    """The locks of a process, what its threads share, and where each of them stands."""

    #: numbers that its line has locked, a bit each
    tickets: int = 0
    #: by claim: the number that its post has a read lock on
    reads: tuple = ()
    #: claims that have the flock, and the record lock, of the lock file
    flock: frozenset = frozenset()
    record: frozenset = frozenset()
    shared: own.Shared = own.Shared()
    threads: tuple = ()


DEAD = Process()


class Kernel:
    """What may come of a system call: pairs of a result and the process then; none if it sleeps.

    In place of the process is what is wrong, or ``None`` if a number is too far round.
    """

    def __init__(self, ring, start, numbers):
        """Know of ``ring`` numbers, of which ``numbers`` from ``start`` on may be used."""
        self._ring = ring
        self._start = start
        self._in_use = numbers

    def call(self, step, arguments, process, others, tool):
        return getattr(self, f"_{step.does}")(process, others, tool, *arguments)

    def _served(self, process, others, tool, me):
        return [(None, process)]

    def _look(self, process, others, tool, first, count, reads=True):
        """F_OFD_GETLK on the descriptor of the line, which does not see its own locks.

        :param reads: whether to ask for a write lock, which read locks are in the way of, too
        """
        found = {
            min(end, first + count) - 1
            for start, end in self._spans(process, others, reads)
            if start < first + count and end > first
        }
        return [(number, process) for number in sorted(found)] or [(None, process)]

    def _look_any(self, process, others, tool):
        if process.shared.cell:
            found = bool(self._spans(process, others))
        else:
            found = bool(process.tickets or self._spans(process, others))
        return [(found, process)]

    def _spans(self, process, others, reads=True):
        """Locks in the queue file in the way of the line of a process, without its own."""
        spans = {
            (number, number + 1)
            for one in ((process, *others) if reads else ())
            for number in one.reads
            if number is not None
        }
        for other in others:
            spans |= _spans_of(other.tickets)
        return spans

    def _set(self, process, others, tool, number):
        if any(start <= number < end for start, end in self._spans(process, others)):
            return [(False, process)]
        taken = 1 << number | process.tickets
        for other in others:
            taken |= other.tickets
        far = (number - self._start) % self._ring >= self._in_use
        if far or not _is_clear(taken, self._ring):
            return [(True, None)]
        return [(True, process._replace(tickets=process.tickets | 1 << number))]

    def _unset(self, process, others, tool, number):
        return [(None, process._replace(tickets=process.tickets & ~(1 << number)))]

    def _wait_read(self, process, others, tool, claim, number):
        """F_OFD_SETLKW on a descriptor of its own: tickets of the process are in the way, too."""
        if any(one.tickets >> number & 1 for one in (process, *others)):
            return []
        return [(None, process._replace(reads=own.put(process.reads, claim, number)))]

    def _unread(self, process, others, tool, claim, number):
        return [(None, process._replace(reads=own.put(process.reads, claim, None)))]

    def _close_line(self, process, others, tool):
        if process.shared.cell:  # what another thread has opened by now is another description
            return [(None, process)]
        known = sum(1 << number for number, _ in process.shared.line)
        if process.tickets & ~known:
            return [(None, "a ticket is left")]
        return [(None, process._replace(tickets=0))]

    def _close_post(self, process, others, tool, claim):
        return self._unread(process, others, tool, claim, None)

    def _flock_try(self, process, others, tool, claim):
        if process.flock - {claim} or any(other.flock for other in others):
            return [(False, process)]
        return [(True, process._replace(flock=frozenset((claim,))))]

    def _flock_wait(self, *what):
        return [(None, after) for got, after in self._flock_try(*what) if got]

    def _flock_unlock(self, process, others, tool, claim):
        return [(None, process._replace(flock=process.flock - {claim}))]

    def _record_try(self, process, others, tool, claim):
        if tool or process.record - {claim} or any(other.record for other in others):
            return [(False, process)]
        return [(True, process._replace(record=frozenset((claim,))))]

    def _record_wait(self, *what):
        return [(None, after) for got, after in self._record_try(*what) if got]

    def _record_unlock(self, process, others, tool, claim):
        return [(None, process._replace(record=process.record - {claim}))]


@cache
def _spans_of(tickets):
    """Return the locks on these numbers: those next to each other are one lock."""
    spans, start = set(), None
    for number in range(tickets.bit_length() + 1):
        if tickets >> number & 1:
            start = number if start is None else start
        elif start is not None:
            spans.add((start, number))
            start = None
    return frozenset(spans)


@cache
def _is_clear(tickets, ring):
    """Whether fewer numbers than half of them are between the first and the last."""
    numbers = [number for number in range(ring) if tickets >> number & 1]
    return any(all((number - first) % ring < ring // 2 for number in numbers) for first in numbers)
