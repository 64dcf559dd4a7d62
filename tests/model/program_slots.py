"""``slots.py`` as generators of steps: see ``program_tickets.py``.

All of a lock file agree on the number of slots, and so the locks that say it, and keep out
exclusive holders, are in nobody's way: they are left out.
"""

import calls
import own_call
from kernel import OVER
from program_request import SLOT, Requests
from steps import Interrupt

#: how many
SLOTS = 2


class SlotRequests(Requests):
    """The programs of a SlotRequest too."""

    def _take_at_once(self, me, mode):
        if mode != SLOT:
            got = yield from super()._take_at_once(me, mode)
            return got
        got = yield from self._take_slot(me)
        if not got:
            yield calls.CLOSES, (me,)
        return got

    def _take_slot(self, me):
        slot = 0
        while slot < SLOTS:
            got = yield calls.TRIES_SLOT, (me, slot)
            if got:
                return True
            del got
            slot += 1
        return False

    def sleep_on_file(self, me, mode, helped):
        if mode != SLOT:
            got = yield from super().sleep_on_file(me, mode, helped)
            return got
        try:
            got = yield from self._sleep_for_slot(me, helped)
        except Interrupt:
            yield calls.CLOSES_WATCH, (me,)
            raise
        yield calls.CLOSES_WATCH, (me,)
        return got

    def _sleep_for_slot(self, me, helped):
        while True:
            if helped:
                over = yield own_call.IS_OVER, (me,)
                if over:
                    return False
                del over
            if self.has("a watch before the try"):
                yield calls.WATCHES, (me,)
            got = yield from self._take_slot(me)
            if got:
                return True
            del got
            if not self.has("a watch before the try"):
                yield calls.WATCHES, (me,)
            got = yield calls.READS_WATCH, (me,)
            if got == OVER:
                return False
            del got
