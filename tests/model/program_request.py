"""``request.py`` and ``lock_file.py`` as generators of steps: see ``program_tickets.py``."""

import calls
import own_call
import own_tickets as own
from kernel import LOOKS, OVER, READ
from process import EXCLUSIVE, SHARED
from program_tickets import Tickets
from steps import DECIDES, Interrupt

#: modes
DEFAULT, FAIR, READER, SLOT = "default", "fair", "reader", "slot"
#: what a waiter is to do next
_AT_FILE, _GOT_IT, _AGAIN = "at the file", "got it", "again"
#: for what the second in line sleeps while the lock is free
_PATIENT = "patient"


class Requests(Tickets):
    """The programs of a FileRequest or SharedRequest, by acquisition and mode."""

    def try_now(self, me, mode, barging, enqueued):
        """Return whether the lock is held; ``"barging"`` if without a look at the queue."""
        held = True
        if mode != DEFAULT:
            free = yield from self._may_try(me, mode, barging, enqueued)
            if not free:
                return False
            del free
            if barging and mode != FAIR:
                held = "barging"
        else:
            within = yield own.WITHIN_QUANTUM, ()
            if within or barging:
                held = "barging"
            elif self.has("a look at the queue before a try"):
                waited = yield calls.LOOKS_FOR_WAITERS, ()
                if waited:
                    return False
                del waited
                yield own.BEGINS_QUANTUM, ()
            del within
        got = yield from self._take_at_once(me, mode)
        if not got:
            return False
        del got
        if enqueued:
            yield from self._served(me)
        return held

    def _may_try(self, me, mode, barging, enqueued):
        if enqueued:
            number = yield own.LOWEST, ()
            ahead = yield from self._ticket_ahead(number, mode)
            return ahead[0] is None
        if (barging and mode != FAIR) or not self.has("a look at the queue before a try"):
            return True
        waited = yield calls.LOOKS_FOR_SURE, ()
        return not waited

    def _take_at_once(self, me, mode):
        how = self.how(mode)
        got = yield calls.TRIES_FLOCK, (me, how)
        if not got:
            return False
        got = yield calls.TRIES_RECORD, (me, how)
        if got:
            return True
        yield calls.UNLOCKS_FLOCK, (me,)
        got = yield from self.try_both(me, mode)
        return got

    def try_both(self, me, mode):
        how = self.how(mode)
        got = yield calls.STEP_FLOCK, (me, how)
        if not got:
            return False
        got = yield calls.STEP_RECORD, (me, how)
        if got:
            return True
        yield calls.STEP_UNDO, (me,)
        return False

    def wait(self, me, mode, helped=False, timer=True):
        """Return whether the lock is held; ``False`` if the sleeper was called back.

        :param timer: whether a sleep can end after some time
        """
        while True:
            if helped:
                over = yield own_call.IS_OVER, (me,)
                if over:
                    return False
                del over
            number = yield own.NOTES_LOWEST, ()
            came = yield from self._wait_for_turn(me, number, mode, helped, timer)
            if came == _AT_FILE:
                got = yield from self.sleep_on_file(me, mode, helped)
                came = _GOT_IT if got else _AGAIN
                del got
            if came == _GOT_IT:
                overtaken = False
                if self.has("a last look after a ticket was taken along"):
                    overtaken = yield from self._was_overtaken(number, mode)
                if not overtaken:
                    del overtaken, came, number
                    yield from self._served(me)
                    return True
                del overtaken
                yield from self.let_go(me, mode)
            del came, number

    def _wait_for_turn(self, me, number, mode, helped, timer):
        if helped:
            taken = yield own.IS_IN_LINE, (me,)
            if not taken:
                return _AT_FILE
            del taken
        ahead, looks = yield from self._ticket_ahead(number, mode)
        del number
        if ahead is None or (looks == _PATIENT and not timer):
            return _AT_FILE
        del timer
        try:
            got = yield calls.WAITS_FOR_TICKET, (me, ahead, looks)
        except Interrupt:
            yield calls.LETS_TICKET_GO, (ahead,)
            raise
        yield calls.LETS_TICKET_GO, (ahead,)
        if got is True:
            return _AGAIN if self.has("a look after each sleep") else _AT_FILE
        if got == OVER:
            return _AGAIN
        assert got == LOOKS
        if looks == "again":
            return _AGAIN
        del got, looks, ahead
        if helped:
            over = yield own_call.IS_OVER, (me,)
            if over:
                return _AGAIN
            del over
        got = yield from self.try_both(me, mode)
        return _GOT_IT if got else _AGAIN

    def _ticket_ahead(self, number, mode):
        """Return the ticket to sleep for, and whether to try after some time all the same.

        In place of ``True``: ``_PATIENT``, or ``"again"`` to look at the queue alone.
        """
        strict = mode != DEFAULT
        ahead = yield from self.ahead(number, 1 if strict else 3)
        if not ahead:
            return None, False
        first, is_strict = ahead[0]
        if strict or (is_strict and self.has("nobody passes the strict")):
            return first, False
        if not self.has("two at the lock file"):
            return None, False
        if len(ahead) == 1:
            held = True
            if self.has("a second that leaves the free lock to the first"):
                held = yield calls.LOOKS_IF_HELD, ()
            if held:
                return None, False
            return first, _PATIENT if self.has("the look of the second in line") else False
        second, is_strict = ahead[1]
        if is_strict:
            return second, False
        if len(ahead) == 2:
            return second, self.has("the look of the third in line")
        yield calls.LOOKS_HOW_FAR, ((number - self._half) % self.ring, self._half, READ)
        if not self.has("the look of those behind the third"):
            return second, False
        return second, self.has("a try of those behind the third") or "again"

    def _was_overtaken(self, number, mode):
        now = yield own.NOW_LOWEST, ()
        if now == number:
            return False
        ahead = yield from self._ticket_ahead(now, mode)
        return ahead[0] is not None

    def sleep_on_file(self, me, mode, helped):
        how = self.how(mode)
        got = yield calls.WAITS_FLOCK, (me, how)
        if got == OVER:
            return False
        del got
        got = yield calls.THEN_RECORD, (me, how)
        while not got:
            if helped:
                got = yield own_call.IS_OVER, (me,)
                if got:
                    return False
            got = yield calls.AGAIN_FLOCK, (me, how)
            if got != OVER:
                got = yield calls.AGAIN_RECORD, (me, how)
                if not got:
                    got = yield calls.WAITS_RECORD, (me, how)
            if got == OVER:
                got = False
        return True

    def _served(self, me):
        yield DECIDES, (me,)
        yield own.BEGINS_QUANTUM, ()
        yield from self.give_back(me)

    def withdraw(self, me, mode):
        yield from self.let_go(me, mode)
        if self.has("a ticket is given back on giving up"):
            yield from self.give_back(me)

    def let_go(self, me, mode):
        if self.has("the record lock before the flock"):
            yield calls.UNLOCKS_RECORD, (me,)
            yield calls.UNLOCKS_FLOCK, (me,)
        else:
            yield calls.UNLOCKS_FLOCK, (me,)
            yield calls.UNLOCKS_RECORD, (me,)
        yield calls.CLOSES, (me,)

    @staticmethod
    def how(mode):
        return SHARED if mode in (READER, SLOT) else EXCLUSIVE
