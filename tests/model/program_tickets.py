"""``tickets.py`` as generators of steps that read like the code.

A generator is told the result of each step.  Where it stands, and the values of its variables,
is all that it knows.  So results are in variables, not in the middle of an expression, and a
variable that is not needed any more is deleted: otherwise there were more states than differ.
"""

import calls
import own_tickets as own
from kernel import READ, WRITE
from own_tickets import is_before
from steps import LINED_UP


class Tickets:
    """The programs of a QueueEntry.

    :param ring: how many ticket numbers there are
    :param without: cures that are left out, to see that each is one
    """

    def __init__(self, ring=16, without=()):
        self.ring = ring
        self._half = ring // 2
        self._without = frozenset(without)

    def has(self, cure):
        return cure not in self._without

    def take(self, me, strict):
        yield own.JOINS, (me,)
        tried = None
        while True:
            number = yield from self._next_number(tried)
            del tried
            claimed = yield own.CLAIMS, (number,)
            if claimed and self.has("a claim that is beyond all others"):
                claimed = yield own.IS_NEWEST, (number,)
            if claimed:
                del claimed
                yield own.NOTES, (me, number)
                kept = yield from self._lock(number, strict)
                if kept:
                    yield LINED_UP, (me,)
                    return
                del kept
                yield from self.give_back(me)
            tried = number
            del number

    def _lock(self, number, strict):
        """Return whether the number can be kept."""
        kept = yield calls.LOCKS_NUMBER, (number, strict)
        if kept and self.has("a look after a number is locked"):
            found = yield from self._find(calls.LOOKS_AGAIN, number + 1, self._half - 1)
            kept = found is None
            del found
        if kept:
            yield own.KEEPS, (number,)
            if self.has("a look at its own after a number is noted"):
                kept = yield own.STILL_NEWEST, (number,)
        return kept

    def _next_number(self, tried):
        newest = None
        if self.has("numbers behind those of late"):
            newest = yield own.NEWEST, ()
        if newest is None:
            newest = yield from self._find(calls.LOOKS_FOR_ANY, 0, self.ring)
            if newest is not None:
                newest = newest[0]
        if tried is not None and (newest is None or not is_before(tried, newest, self.ring)):
            newest = tried
        del tried
        if newest is None:
            return 0
        leap = 1
        while True:
            beyond = None
            if leap < self._half:
                beyond = yield from self._find(calls.LOOKS_BEYOND, newest + leap, self._half - leap)
            if beyond is not None:
                newest = beyond[0]
                leap *= 2
            elif leap > 1:
                leap //= 2
            else:
                return (newest + 1) % self.ring

    def give_back(self, me):
        number = yield own.HAS_TAKEN, (me,)
        if number is not None:
            yield own.POPS, (number,)
            yield calls.UNLOCKS_NUMBER, (number,)
        yield own.IS_OUT, (me,)

    def ahead(self, number, count):
        """Return the nearest tickets ahead of a number, the nearest first."""
        found = ()
        while number is not None and len(found) < count:
            nearest = yield from self._nearest(number)
            if nearest is None:
                break
            found = (*found, nearest)
            number = nearest[0]
            del nearest
        return found

    def _nearest(self, number):
        found = yield from self._find(calls.LOOKS_AHEAD, number - self._half, self._half, READ)
        if found is None:
            return None
        reach = 1
        while reach < (number - found[0]) % self.ring:
            nearer = yield from self._find(calls.LOOKS_NEAR, number - reach, reach, READ)
            if nearer is not None:
                found = nearer
                break
            del nearer
            reach *= 4
        while (number - found[0] - 1) % self.ring:
            gap = (number - found[0] - 1) % self.ring
            nearer = yield from self._find(calls.LOOKS_BETWEEN, found[0] + 1, gap, READ)
            del gap
            if nearer is None:
                break
            found = nearer
            del nearer
        return found

    def _find(self, step, start, count, kind=WRITE):
        if not self.has("a look that does not see who waits"):
            kind = WRITE
        start %= self.ring
        room = self.ring - start
        found = yield step, (start, min(count, room), kind)
        if found is None and count > room:
            found = yield step, (0, count - room, kind)
        return found
