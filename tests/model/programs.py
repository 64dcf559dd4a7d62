"""The threads of a process: a waiter in person, or one with a helper; and the helper."""

import calls
import own_call
import own_tickets as own
from program_request import FAIR
from program_slots import SlotRequests
from steps import CANCELLED, GONE, SERVED, Interrupt


class Protocol(SlotRequests):
    """All programs."""

    def native(self, me, last, mode, tries=True, waits=True):
        """A thread that sleeps in person, and comes back until acquisition ``last``.

        :param tries: ``False`` if it finds the lock held when it comes
        :param waits: ``False`` if it tries once
        """
        while me <= last:
            yield from self._acquire_and_release(me, mode, tries, waits, False)
            me += 1

    def with_helper(self, me, last, mode, tries=True):
        """A thread or task that has a helper sleep for it."""
        while me <= last:
            yield from self._acquire_and_release(me, mode, tries, True, True)
            me += 1

    def helper(self, me, mode, timer):
        begun = yield own_call.BEGINS, (me,)
        if not begun:
            return
        del begun
        yield own_call.BEGINS_SLEEPS, (me,)
        timer = timer or not self.has("a second at the file that has no timer")
        held = yield from self.wait(me, mode, True, timer)
        publishes = yield own_call.MAY_PUBLISH, (me,)
        if not self.has("a mark to publish by"):
            publishes = True
        if publishes:
            if held:
                yield own_call.PUBLISHES, (me,)
        else:
            yield from self.withdraw(me, mode)
        yield own_call.HAS_LEFT, (me,)
        if not publishes:
            yield calls.DROPS_REQUEST, (me,)

    def in_line(self, me, mode):
        """A thread that has its ticket."""
        try:
            held = yield from self.wait(me, mode)
            yield SERVED, (me, False)
            del held
            yield from self.withdraw(me, mode)
        except Interrupt:
            yield GONE, (me,)
            yield from self.withdraw(me, mode)
        yield CANCELLED, (me,)
        yield own.LEAVES, (me,)
        yield calls.DROPS_REQUEST, (me,)

    def leaving(self, number):
        """A thread that is about to let go of a number."""
        yield calls.UNLOCKS_NUMBER, (number,)

    def _acquire_and_release(self, me, mode, tries, waits, helped):
        try:
            yield own.ENTERS, (me,)
            held = yield from self._acquire(me, mode, tries, waits, helped)
            if held:
                yield SERVED, (me, held == "barging")
            else:
                yield GONE, (me,)
            del held
            withdrawn = yield from self._cancel(me, mode, helped)
        except Interrupt:
            yield GONE, (me,)
            withdrawn = yield from self._cancel(me, mode, helped)
        if withdrawn:
            yield CANCELLED, (me,)
        yield own.LEAVES, (me,)
        if withdrawn:  # otherwise the helper drops it
            yield calls.DROPS_REQUEST, (me,)

    def _acquire(self, me, mode, tries, waits, helped):
        first = yield own.IS_NEXT, (me,)
        if first and tries:
            held = yield from self.try_now(me, mode, not waits, False)
            if held:
                return held
            del held
        if not waits:
            return False
        if mode == FAIR:
            yield from self.take(me, True)
        yield own.TURN, (me,)
        if not first:
            held = yield from self.try_now(me, mode, False, mode == FAIR)
            if held:
                return held
            del held
        del first
        if mode != FAIR:
            yield from self.take(me, mode != "default")
        if not helped:
            held = yield from self.wait(me, mode)
            return held
        yield own_call.STARTS, (me,)
        held = yield own_call.GRANTED, (me,)
        return held

    def _cancel(self, me, mode, helped):
        """Return whether nothing is left when it has ended."""
        if helped:
            withdraws = yield from self._cancel_call(me)
            if not withdraws:
                if self.has("a place that is given back before the helper has left"):
                    yield from self.give_back(me)
                return False
        yield from self.withdraw(me, mode)
        return True

    def _cancel_call(self, me):
        started = yield own_call.SETS_OVER, (me,)
        if not started:
            return True
        del started
        unbegun = yield own_call.TAKES_UNBEGUN, (me,)
        if not unbegun:
            mine = yield own_call.TAKES_UNPUBLISHED, (me,)
            if not self.has("a wait for a helper that has published"):
                mine = True
            if self.has("a wait until the helper has left"):
                left = yield own_call.CALLS_BACK, (me, mine)
                if not left:
                    return False
        withdraws = yield own_call.WITHDRAWS, (me,)
        return withdraws
