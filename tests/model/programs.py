"""The protocol, as generators of steps that read like the code.

A generator is told the result of each step.  Where it stands, and what its variables are, is
all that it knows: so a value is in a variable when a step is taken, and not in the middle of
an expression or a ``for``; and a variable that is not needed any more is deleted, or there
would be more states than differ.

``without`` names the cures that are left out, to see that each is one.
"""

import calls
import errands
import shared as own
from steps import GONE, LINED_UP, SERVED


class Protocol:
    """The programs, with ``ring`` ticket numbers."""

    def __init__(self, ring=8, without=()):
        self.ring = ring
        self._half = ring // 2
        self._without = frozenset(without)

    def _has(self, cure):
        return cure not in self._without

    # --- the threads

    def plain(self, me, tries=True, waits=True):
        """A thread that waits as long as it takes, or not at all."""
        yield from self._acquire_and_release(me, tries, waits, False)

    def leaving(self, number):
        """A thread that is about to let go of its number."""
        yield calls.DROPS, (number,)

    def timed(self, first, last, tries=True):
        """A thread that gives up at any time, and comes again."""
        while first <= last:
            yield from self._acquire_and_release(first, tries, True, True)
            first += 1

    def helper(self, me):
        """The thread of an errand."""
        yield errands.BEGINS, (me,)
        whose = "again"
        while whose == "again":
            held = yield from self._block(me)
            whose = yield errands.ENDS, (me, held)
        if whose is None:
            yield from self._release(me)

    def _acquire_and_release(self, me, tries, waits, timed):
        yield own.ENTERS, (me,)
        held = yield from self._acquire(me, tries, waits, timed)
        errand = None
        if held is not False and held is not True:
            errand, held = held
        if held:
            yield SERVED, (me,)
        else:
            yield GONE, (me,)
        del held
        if errand is not None:
            yield from self._leave_errand(errand)
        if errand is None or errand != me:
            yield from self._release(me)
        yield own.LEAVES, (me,)

    def _acquire(self, me, tries, waits, timed):
        """Return whether the lock is held; with the errand, if there is one.

        :param tries: ``False`` if somebody has the lock when it is tried first
        """
        first = yield own.IS_FIRST_INSIDE, (me,)
        if first and tries:
            held = yield from self._try_acquire(me, False)
            if held:
                return True
        if not waits:
            return False
        yield own.HAS_TICKET, (me,)
        yield from self._take(me)
        yield LINED_UP, (me,)
        turn = yield own.TURN, (me, timed)
        if not turn:
            return False
        del turn
        if not first:
            held = yield from self._try_acquire(me, True)
            if held:
                return True
            del held
        if not timed:
            held = yield from self._block(me)
            return held
        errand = yield errands.POPS, ()
        if errand is not None:
            adopted = yield errands.ADOPTS, (me, errand)
            if not adopted:
                errand = None
        if errand is None:
            errand = me
            yield errands.STARTS, (me,)
        held = yield errands.END, (errand,)
        return errand, held

    def _leave_errand(self, errand):
        ended = yield errands.TAKES_GUARD, (errand,)
        if ended:
            yield from self._release(errand)
        else:
            if self._has("ticket dropped on giving up"):
                yield from self._leave_post(errand)
            waits = yield own.IS_UNWANTED, (errand,)
            if waits and self._has("flock let go on giving up"):
                yield calls.LETS_PASS, (errand,)
        yield errands.ABANDONS, (errand, ended)

    # --- backends/file/request.py

    def _try_acquire(self, me, has_post):
        if has_post:
            first = yield from self._may_try(me)
        else:
            used = yield calls.LOOKS_AT_QUEUE, ()
            first = not used or not self._has("a look at the queue before a try")
            del used
        if not first:
            return False
        held = yield calls.TRIES_FLOCK, (me,)
        if not held:
            return False
        held = yield calls.TRIES_RECORD, (me,)
        if not held:
            yield calls.UNLOCKS_FLOCK, (me,)
            held = yield calls.STEP_FLOCK, (me,)
            if not held:
                return False
            held = yield calls.STEP_RECORD, (me,)
            if not held:
                yield calls.STEP_UNDO, (me,)
                return False
        if has_post:
            yield from self._drop(me)
        return True

    def _block(self, claim):
        while True:
            ticket = yield own.TICKET, (claim,)
            if ticket is not None:
                waited = yield from self._wait_until_first(ticket, claim)
                if not waited:
                    return False
                del waited
            yield from self._wait_in_kernel(claim)
            now = yield own.NOW_TICKET, (claim,)
            good = True
            if now != ticket and self._has("a second look after an adopted wait"):
                good = yield from self._may_try(claim)
            del ticket
            if good:
                good = yield own.ENDS_FOR, (claim, now, self._has("an end to taking over"))
            del now
            if good:
                ticket = yield own.SERVED_TICKET, (claim,)
                if ticket is not None:
                    yield from self._drop(ticket)
                return True
            del good
            yield from self._let_go(claim)

    def _may_try(self, claim):
        ticket = yield own.MAY_TRY, (claim,)
        if ticket is None:
            return True
        first = yield from self._is_first(ticket)
        return first

    def _wait_in_kernel(self, claim):
        yield calls.WAITS_FLOCK, (claim,)
        held = yield calls.THEN_RECORD, (claim,)
        while not held:
            yield calls.AGAIN_FLOCK, (claim,)
            held = yield calls.AGAIN_RECORD, (claim,)
            if held:
                return
            unwanted = yield own.WAITS_FOR_RECORD, (claim,)
            if unwanted:
                yield calls.NOT_WANTED, (claim,)
            del unwanted
            yield calls.WAITS_RECORD, (claim,)
            yield own.WAITS_NO_MORE, (claim,)
            held = yield calls.STILL_FLOCK, (claim,)
            if not held:
                yield calls.LOST_FLOCK, (claim,)

    def _let_go(self, claim):
        if self._has("record lock before flock"):
            yield calls.UNLOCKS_RECORD, (claim,)
            yield calls.UNLOCKS_FLOCK, (claim,)
        else:
            yield calls.UNLOCKS_FLOCK, (claim,)
            yield calls.UNLOCKS_RECORD, (claim,)

    def _release(self, claim):
        yield from self._let_go(claim)
        yield from self._leave_post(claim)
        yield calls.CLOSES_POST, (claim,)

    def _leave_post(self, claim):
        ticket = yield own.SERVED_TICKET, (claim,)
        if ticket is None:
            return
        yield from self._drop(ticket)
        closes = yield own.QUITS, (ticket,)
        if closes:
            yield calls.CLOSES_LINE, ()
        yield own.HAS_NO_TICKET, (claim,)

    # --- backends/file/tickets.py

    def _take(self, me):
        yield own.JOINS, (me,)
        mine = None
        while mine is None:
            newest = yield own.NEWEST, ()
            number = yield from self._next_number(newest)
            entered = yield (
                own.REGISTERS,
                (
                    me,
                    newest,
                    number,
                    self._has("a number that is the newest of the process"),
                ),
            )
            del newest
            if not entered:
                continue
            taken = yield calls.TRIES_NUMBER, (number,)
            kept = taken
            if kept and self._has("no number that was exchanged before it was taken"):
                mine = yield own.NUMBER, (me,)
                kept = mine == number
                del mine
            if kept and self._has("a second look after taking a number"):
                found = yield from self._find(calls.LOOKS_AGAIN, number + 1, self._half - 1)
                kept = found is None
                del found
            if not kept:
                good = yield own.TAKES_BACK, (me, number)
                if good:
                    yield from self._drop(me, calls.UNDOES_NUMBER)
                elif taken and self._has("unlock what was given back before it was taken"):
                    yield calls.UNLOCKS_TOO, (number,)
                del good
            del taken, kept, entered, number
            mine = yield own.NUMBER, (me,)

    def _next_number(self, newest):
        if newest is None:
            newest = yield from self._find(calls.LOOKS_FOR_ANY, 0, self.ring)
        if newest is None:
            return 0
        leap = 1
        while leap:
            beyond = yield from self._find(calls.LOOKS_BEYOND, newest + leap, self._half - leap)
            if beyond is None:
                leap //= 2
            else:
                newest = beyond
                leap *= 2
        return (newest + 1) % self.ring

    def _drop(self, ticket, step=calls.DROPS):
        number = yield own.BEGINS_TO_DROP, (ticket,)
        if number is None:
            return
        yield step, (number,)
        yield own.HAS_DROPPED, (ticket, number)

    def _is_first(self, ticket):
        checked = self._has("no exchange of what is given back")
        number = yield own.EXCHANGES, (ticket, checked)
        if isinstance(number, tuple):
            while number:
                done = yield own.EXCHANGES_FOR_KEPT, (ticket, number[0], checked)
                number = () if done else number[1:]
                del done
            number = yield own.NUMBER, (ticket,)
        if number is None:
            return False
        found = yield from self._find_ticket(calls.LOOKS_LOWER, number - self._half, self._half + 1)
        return found is None

    def _wait_until_first(self, ticket, claim):
        behind = self._has("numbers behind what is slept for")
        first = yield from self._is_first(ticket)
        while not first:
            number = yield own.KEPT_NUMBER, (ticket, behind)
            if number is None:
                return False
            ahead = yield from self._one_before(number)
            if ahead is not None:
                asleep = yield own.FALLS_ASLEEP, (claim, ticket, behind)
                if asleep:
                    yield calls.WAITS_FOR_IT, (claim, ahead)
                    yield calls.LETS_IT_GO, (claim, ahead)
                    yield own.IS_AWAKE, (claim,)
                del asleep
            del ahead, number
            first = True
            if self._has("another look after waiting for one"):
                first = yield from self._is_first(ticket)
        number = yield own.NUMBER, (ticket,)
        return number is not None

    def _one_before(self, number):
        reach, ahead = 1, None
        while ahead is None and reach <= self._half:
            ahead = yield from self._find_ticket(calls.LOOKS_BEFORE, number - reach, reach + 1)
            reach *= 2
        return ahead

    def _find_ticket(self, step, first, count):
        reads = not self._has("a look that does not see who waits")
        found = yield from self._find(step, first, count, reads)
        return found

    def _find(self, step, first, count, reads=True):
        first %= self.ring
        room = self.ring - first
        if count <= room:
            found = yield step, (first, count, reads)
            return found
        found = yield step, (first, room, reads)
        if found is None:
            found = yield step, (0, count - room, reads)
        return found
