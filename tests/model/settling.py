"""What a process does at once after a step, since nobody can tell when it does it."""

import calls
import own_tickets as own
from order import passes
from process import DEAD, NO_LOCK, Process, Shared
from program_slots import SLOTS
from steps import CANCELLED, DECIDES, EVENTS, GONE, LINED_UP, SERVED
from threads import ENDED

OVERTAKES = "overtakes somebody who came before"

#: steps in which a waiter cannot be interrupted: it holds, or has cancelled
_CALM = (SERVED, own.LEAVES, own.ENTERS, calls.DROPS_REQUEST)
_RECORD = (
    calls.TRIES_RECORD,
    calls.STEP_RECORD,
    calls.THEN_RECORD,
    calls.AGAIN_RECORD,
)


class Settling:
    """The processes between two steps."""

    def __init__(self, threads, records):
        self._threads = threads
        #: whether a record lock may be in the way of somebody who has the flock
        self._records = records

    def moved(self, process, thread, result):
        threads = list(process.threads)
        threads[thread] = self._threads.after(threads[thread], result)
        return process._replace(threads=tuple(threads))

    def may_interrupt(self, process, thread):
        if thread not in process.restless:
            return False
        step, _ = self._threads.asks_of(process.threads[thread])
        return step not in _CALM

    def settled(self, process, thread, events, others):
        """Return the process after a step, and after all that nobody can tell from it.

        :param events: gets what counts for the order of service
        :return: the process; or a string that says what is wrong
        """
        while True:
            unknown = self._unknown(process)
            if unknown:
                return unknown
            step, arguments = self._threads.asks_of(process.threads[thread])
            if step in EVENTS:
                process = self._event(process, step, arguments, events, others)
                if isinstance(process, str):
                    return process
                if step is not SERVED:
                    process = self.moved(process, thread, None)
                    continue
            silent = self._silent(process, step, arguments)
            if silent is not None:
                process = self.moved(silent[1], thread, silent[0])
                continue
            alone = self._alone(process, thread)
            if alone is None:
                break
            process, thread = alone
        return self._ended(process)

    def _event(self, process, step, arguments, events, others):
        me = arguments[0]
        shared = process.shared
        was_in_line = me in shared.in_line
        abandoned = shared.calls[me] is not None and shared.calls[me].over
        if step is DECIDES and not abandoned:
            if passes(shared, me, others):
                return OVERTAKES
            shared = shared._replace(in_line=shared.in_line - {me})
            events.append((step, me, False, was_in_line))
        elif step is LINED_UP:
            shared = shared._replace(in_line=shared.in_line | {me})
        elif step in (SERVED, GONE):
            shared = shared._replace(in_line=shared.in_line - {me})
            if step is SERVED:
                shared = shared._replace(holding=shared.holding | {me})
            events.append((step, me, step is SERVED and arguments[1], was_in_line))
        elif step is CANCELLED and (shared.taken[me] is not None or process.files[me] != NO_LOCK):
            return "something is left after a cancellation"
        return process._replace(shared=shared)

    @staticmethod
    def _unknown(process):
        """Whether a number is locked that nobody will unlock."""
        shared = process.shared
        if process.tickets and shared.taken:
            known = sum(3 << 2 * number for number in shared.taken if number is not None)
            if process.tickets & ~known:
                return "a ticket stays locked"
        return None

    def _silent(self, process, step, arguments):
        """Return the result of a step that changes nothing for others, and the process then."""
        if step in _RECORD and not self._records:
            return True, process
        if step is calls.LOOKS_HOW_FAR:
            return None, process  # which says how long to sleep, and time counts for nothing here
        if step not in (calls.UNLOCKS_RECORD, calls.UNLOCKS_FLOCK, calls.CLOSES):
            return None
        file = process.files[arguments[0]]
        held = {
            calls.UNLOCKS_RECORD: file.record or file.slot is not None,
            calls.UNLOCKS_FLOCK: file.flock,
            calls.CLOSES: SLOTS in process.shared.together,
        }
        return None if held[step] else (None, process)

    def _alone(self, process, thread):
        """Take a step of Python that no other thread of the process could see.

        :param thread: the one that has just taken a step
        :return: the process then, and the thread; ``None`` if there is no such step
        """
        step, arguments = self._threads.asks_of(process.threads[thread])
        helped = any(call and call.started and not call.left for call in process.shared.calls)
        if step is None or helped or not step.private:
            live = [
                one
                for one, stands in enumerate(process.threads)
                if stands != ENDED and not self._parked(process, stands)
            ]
            if len(live) != 1:
                return None
            (thread,) = live
            step, arguments = self._threads.asks_of(process.threads[thread])
        if step is None or not callable(step.does) or step is own.ENTERS:
            return None
        results = step.does(process.shared, *arguments)
        if len(results) != 1:
            return None
        ((result, shared),) = results
        if shared is None:
            return None
        if thread in process.restless and step not in _CALM and shared != process.shared:
            return None
        return self.moved(process._replace(shared=shared), thread, result), thread

    def _ended(self, process):
        """Return the process, or the dead one if all its threads have come to an end."""
        if not all(stands == ENDED or self._parked(process, stands) for stands in process.threads):
            return process
        shared = process.shared
        locks = process.tickets or any(file != NO_LOCK for file in process.files)
        if locks or shared.queue or shared.numbers or shared.users:
            return "something is left"
        return DEAD

    def _parked(self, process, stands):
        step, arguments = self._threads.asks_of(stands)
        return step.parks and not step.does(process.shared, *arguments)

    def stopped(self, process):
        """Return a process that is stopped for ever: its locks alone matter to others."""
        shared = process.shared
        rest = Shared(
            strict=shared.strict, in_line=shared.in_line, taken=shared.taken, numbers=shared.numbers
        )
        return Process(process.tickets, process.reads, process.files, shared=rest, stopped=True)
