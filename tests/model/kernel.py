"""What a system call comes to.

The kernel does here what it promises, and no more.  Of several locks in the way,
``F_OFD_GETLK`` may name any.  A sleeper may go on as soon as nothing is in its way, in any
order, and a newcomer may be faster.
"""

from functools import cache

from process import EXCLUSIVE, NO_LOCK, kept_numbers, put

#: kinds of lock to look for
READ, WRITE = "read", "write"
#: what ends a sleep that got nothing
OVER, LOOKS = "called back", "time to look"


class Kernel:
    """What may come of a system call: pairs of a result and the process then; none if it sleeps.

    In place of the process is what is wrong, or ``None`` if a number is too far round.
    """

    def __init__(self, ring):
        self._ring = ring

    def call(self, step, arguments, process, others, tool):
        return getattr(self, f"_{step.does}")(process, others, tool, *arguments)

    # --- the queue file

    def _look(self, process, others, tool, first, count, kind):
        """F_OFD_GETLK on the descriptor of the process, which does not see its own locks."""
        start, end = 2 * first, 2 * (first + count)
        found = set()
        for low, high in _spans_of_all(others, kind):
            if low < end and high > start:
                last = min(high, end)
                found.add(((last - 1) // 2, last % 2 == 0))
        return [(one, process) for one in sorted(found)] or [(None, process)]

    def _look_any(self, process, others, tool):
        return [(any(other.tickets for other in others), process)]

    def _lock_number(self, process, others, tool, number, strict):
        what = (3 if strict else 1) << 2 * number
        if any(what & (other.tickets | other.reads) for other in others):
            return [(False, process)]
        taken = process.tickets | what
        in_use = taken
        for other in others:
            in_use |= other.tickets
        if not _is_clear(in_use, self._ring):
            return [(True, None)]
        return [(True, process._replace(tickets=taken, reads=process.reads & ~what))]

    def _unlock_number(self, process, others, tool, number):
        keep = ~(3 << 2 * number)
        return [
            (None, process._replace(tickets=process.tickets & keep, reads=process.reads & keep))
        ]

    def _wait_ticket(self, process, others, tool, me, number, looks):
        """F_OFD_SETLKW for a read lock, on the descriptor of the process."""
        what = 3 << 2 * number
        ends = self._ends(process, me, looks)
        if any(what & other.tickets for other in others):
            return ends
        if number in kept_numbers(process.shared):
            return [(True, "a ticket is turned into a read lock")]
        # A thread of the process may have locked it, too late: it will not keep it.
        tickets = process.tickets & ~what
        return [(True, process._replace(tickets=tickets, reads=process.reads | what)), *ends]

    def _unlock_read(self, process, others, tool, number):
        if number in kept_numbers(process.shared):
            return [(None, "a ticket is unlocked by mistake")]
        keep = ~(3 << 2 * number)
        return [
            (None, process._replace(tickets=process.tickets & keep, reads=process.reads & keep))
        ]

    def _drop_request(self, process, others, tool, me):
        """The request is gone; with the last one, the descriptor closes."""
        shared = process.shared
        if me not in shared.users:
            return [(None, process)]
        users = shared.users - {me}
        if users:
            return [(None, process._replace(shared=shared._replace(users=users)))]
        if process.tickets or shared.numbers:
            return [(None, "a ticket is left")]
        shared = shared._replace(users=users, claimed=frozenset(), newest=None)
        return [(None, process._replace(shared=shared, tickets=0, reads=0))]

    # --- the lock file

    def _look_held(self, process, others, tool):
        """F_OFD_GETLK on a descriptor of its own, which sees locks of the process, too."""
        held = tool or any(other.record or other.slots for other in others)
        mine = any(file.record or file.slot is not None for file in process.files)
        return [(held or mine, process)]

    def _flock_try(self, process, others, tool, me, mode):
        if not _fits(mode, me, process, "flock", [other.flock for other in others]):
            return [(False, process)]
        return [(True, _with(process, me, flock=mode))]

    def _flock_wait(self, process, others, tool, me, mode):
        got = self._flock_try(process, others, tool, me, mode)
        return [*(pair for pair in got if pair[0]), *self._ends(process, me)]

    def _flock_unlock(self, process, others, tool, me):
        return [(None, _with(process, me, flock=0))]

    def _record_try(self, process, others, tool, me, mode):
        if tool or not _fits(mode, me, process, "record", [other.record for other in others]):
            return [(False, process)]
        return [(True, _with(process, me, record=mode))]

    def _record_wait(self, process, others, tool, me, mode):
        got = self._record_try(process, others, tool, me, mode)
        return [*(pair for pair in got if pair[0]), *self._ends(process, me)]

    def _record_unlock(self, process, others, tool, me):
        return [(None, _with(process, me, record=0, slot=None))]

    def _slot_try(self, process, others, tool, me, slot):
        if any(other.slots >> slot & 1 for other in others) or any(
            file.slot == slot for one, file in enumerate(process.files) if one != me
        ):
            return [(False, process)]
        return [(True, _with(process, me, slot=slot))]

    def _close(self, process, others, tool, me):
        return [(None, process._replace(files=put(process.files, me, NO_LOCK)))]

    def _watch(self, process, others, tool, me):
        seen = process.watches[me] or False
        return [(None, process._replace(watches=put(process.watches, me, seen)))]

    def _read(self, process, others, tool, me):
        ends = self._ends(process, me, True)
        if not process.watches[me]:
            return ends
        return [(True, process._replace(watches=put(process.watches, me, False))), *ends]

    def _close_watch(self, process, others, tool, me):
        return [(None, process._replace(watches=put(process.watches, me, None)))]

    def _ends(self, process, me, looks=False):
        """How a sleep may end without what it is for."""
        call = process.shared.calls[me]
        ends = []
        if call is not None and call.over and process.shared.callable:
            ends.append((OVER, process))
        if looks and (call is None or process.shared.callable):
            ends.append((LOOKS, process))
        return ends


def _with(process, me, **locks):
    file = process.files[me]._replace(**locks)
    return process._replace(files=put(process.files, me, file))


def _fits(mode, me, process, kind, others):
    """Whether a lock goes with those that others have, by descriptor."""
    mine = [getattr(file, kind) for one, file in enumerate(process.files) if one != me]
    return all(not held or (held != EXCLUSIVE and mode != EXCLUSIVE) for held in (*mine, *others))


@cache
def _spans_of_all(others, kind):
    spans = set()
    for other in others:
        spans |= _spans(other.tickets)
        if kind == WRITE:
            spans |= _spans(other.reads)
    return frozenset(spans)


@cache
def _spans(locked):
    """Return the locks on these bytes: those next to each other are one lock."""
    spans, start = set(), None
    for byte in range(locked.bit_length() + 1):
        if locked >> byte & 1:
            start = byte if start is None else start
        elif start is not None:
            spans.add((start, byte))
            start = None
    return frozenset(spans)


@cache
def _is_clear(tickets, ring):
    """Whether less than half of the numbers are between the first and the last."""
    numbers = [number for number in range(ring) if tickets >> 2 * number & 1]
    return any(all((number - first) % ring < ring // 2 for number in numbers) for first in numbers)
