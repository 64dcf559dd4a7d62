"""The steps of Python on LocalTickets and on a QueueEntry."""

from process import put
from steps import model_only, own

TICKETS = "backends/file/tickets.py"
LOCAL_TICKETS = "backends/file/queue.py"


def first(numbers, sign, ring):
    """Return the lowest of the numbers, or the highest, on a ring."""
    some, half = numbers[0], ring // 2
    return min(numbers, key=lambda number: sign * ((number - some + half) % ring))


def is_before(number, other, ring):
    return 0 < (other - number) % ring < ring // 2


def lowest(shared):
    return first(shared.numbers, 1, shared.ring) if shared.numbers else None


@own(
    TICKETS,
    "QueueEntry.__init__",
    "local_tickets.get(place.path)",
    "uses the tickets of its process",
)
def JOINS(shared, me):
    return [(None, shared._replace(users=shared.users | {me}))]


@own(TICKETS, "QueueEntry._next_number", "newest = self.tickets.newest()", "the newest of its own")
def NEWEST(shared):
    return [(shared.newest, shared)]


@own(LOCAL_TICKETS, "LocalTickets.claim", "claimed.setdefault(number, mine)", "claims a number")
def CLAIMS(shared, number):
    """The result is whether no other thread was faster."""
    if number in shared.claimed:
        return [(False, shared)]
    if (number - shared.start) % shared.ring >= shared.limit:
        return [(True, None)]
    newest = number if shared.newest is None else first((shared.newest, number), -1, shared.ring)
    claimed = shared.claimed | {number} if shared.several else frozenset((newest,))
    return [(True, shared._replace(claimed=claimed, newest=newest))]


@own(
    LOCAL_TICKETS,
    "LocalTickets.claim",
    "return self.newest() == number",
    "is it beyond the others?",
)
def IS_NEWEST(shared, number):
    return [(shared.newest == number, shared)]


@own(TICKETS, "QueueEntry.take", "self._taken = [number]\n            locked", "will give it back")
def NOTES(shared, me, number):
    return [(None, shared._replace(taken=put(shared.taken, me, number)))]


@own(TICKETS, "QueueEntry.take", "tickets.numbers[number] = None", "keeps the number")
def KEEPS(shared, number):
    return [(None, shared._replace(numbers=tuple(sorted((*shared.numbers, number)))))]


@own(TICKETS, "QueueEntry.take", "tickets.newest() == number", "is it beyond the others still?")
def STILL_NEWEST(shared, number):
    return [(shared.newest == number, shared)]


@own(TICKETS, "QueueEntry.give_back", "for number in self._taken:", "has it one?", private=True)
def HAS_TAKEN(shared, me):
    return [(shared.taken[me], shared)]


@own(TICKETS, "QueueEntry.give_back", "tickets.numbers.pop(number", "takes the number out")
def POPS(shared, number):
    numbers = tuple(kept for kept in shared.numbers if kept != number)
    return [(None, shared._replace(numbers=numbers))]


@own(TICKETS, "QueueEntry.give_back", "self._taken = []", "is out of line", private=True)
def IS_OUT(shared, me):
    return [(None, shared._replace(taken=put(shared.taken, me, None)))]


@own(
    "backends/file/request.py",
    "FileRequest._wait_for_turn",
    "entry.is_taken",
    "is it in line still?",
    private=True,
)
def IS_IN_LINE(shared, me):
    return [(shared.taken[me] is not None, shared)]


@own(
    "backends/file/request.py",
    "FileRequest._may_try",
    "entry.tickets.lowest()",
    "the lowest of its process",
)
def LOWEST(shared):
    return [(lowest(shared), shared)]


@own(
    "backends/file/request.py",
    "FileRequest.wait",
    "entry.tickets.lowest()",
    "the number to wait with",
)
def NOTES_LOWEST(shared):
    return [(lowest(shared), shared)]


@own(
    "backends/file/request.py",
    "FileRequest._was_overtaken",
    "entry.tickets.lowest()",
    "the lowest by now",
)
def NOW_LOWEST(shared):
    return [(lowest(shared), shared)]


# --- barging


@own(
    "backends/file/request.py",
    "FileRequest.try_now",
    "monotonic() >= place.recheck_at",
    "is it within its quantum?",
)
def WITHIN_QUANTUM(shared):
    if shared.quantum:
        return [(True, shared), (False, shared._replace(quantum=False))]
    return [(False, shared)]


@own(
    "backends/file/queue.py",
    "QueueRange.begin_quantum",
    "self.recheck_at =",
    "begins its quantum",
)
def BEGINS_QUANTUM(shared):
    return [(None, shared._replace(quantum=shared.barges))]


# --- the in-process queue, by the contract of backends/base.py


@model_only("enters the in-process queue")
def ENTERS(shared, me):
    if me > shared.came:
        return []  # which of two threads comes first does not matter
    came = max(shared.came, me + 1)
    return [(None, shared._replace(queue=(*shared.queue, me), came=came))]


def _may_contend(shared, me):
    place = shared.queue.index(me)
    return place < shared.together[me] and shared.holding.issuperset(shared.queue[:place])


@model_only("may it try at once?")
def IS_NEXT(shared, me):
    return [(_may_contend(shared, me), shared)]


@model_only("waits for its turn inside", parks=True)
def TURN(shared, me):
    return [(None, shared)] if _may_contend(shared, me) else []


@model_only("leaves the in-process queue")
def LEAVES(shared, me):
    queue = tuple(one for one in shared.queue if one != me)
    return [(None, shared._replace(queue=queue, holding=shared.holding - {me}))]
