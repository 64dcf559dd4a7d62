"""The steps of Python on LocalTickets and on a QueueEntry."""

from process import put
from steps import model_only, own

TICKETS = "backends/file/tickets.py"


def first(numbers, sign, ring):
    """Return the lowest of the numbers, or the highest, on a ring."""
    some, half = numbers[0], ring // 2
    return min(numbers, key=lambda number: sign * ((number - some + half) % ring))


def is_before(number, other, ring):
    return 0 < (other - number) % ring < ring // 2


def lowest(shared):
    numbers = [number for number, _ in shared.numbers]
    return first(numbers, 1, shared.ring) if numbers else None


@own(TICKETS, "QueueEntry.__init__", "local_tickets.get(path)", "uses the tickets of its process")
def JOINS(shared, me):
    return [(None, shared._replace(users=shared.users | {me}))]


@own(TICKETS, "QueueEntry._next_number", "newest = self.tickets.newest()", "the newest of its own")
def NEWEST(shared):
    return [(shared.newest, shared)]


@own(TICKETS, "QueueEntry.take", "map(tickets.numbers.setdefault", "enters a number")
def ENTERS_NUMBER(shared, me, number):
    """The result is whether no other thread was faster."""
    if any(entered == number for entered, _ in shared.numbers):
        return [(False, shared)]
    numbers = tuple(sorted((*shared.numbers, (number, me))))
    taken = put(shared.taken, me, number)
    return [(True, shared._replace(numbers=numbers, taken=taken))]


@own(TICKETS, "QueueEntry.take", "tickets.recent.append(number)", "remembers it")
def REMEMBERS(shared, number):
    newest = number if shared.newest is None else first((shared.newest, number), -1, shared.ring)
    return [(None, shared._replace(newest=newest))]


@own(TICKETS, "QueueEntry.take", "tickets.numbers.get(number)", "is it its own still?")
def STILL_OWN(shared, me, number):
    return [((number, me) in shared.numbers, shared)]


@own(TICKETS, "QueueEntry._is_late", "newest = self.tickets.newest()", "the newest, again")
def NEWEST_AGAIN(shared, number):
    """The result is whether there is a newer one."""
    newest = shared.newest
    return [(newest is not None and is_before(number, newest, shared.ring), shared)]


@own(TICKETS, "QueueEntry.give_back", "while self.is_taken and not", "has it one?", private=True)
def HAS_TAKEN(shared, me):
    taken = shared.taken[me] if shared.dropped[me] is None else None
    return [(taken, shared)]


@own(TICKETS, "QueueEntry.give_back", "tickets.lowest() if lowest", "which one to give back")
def CHOOSES(shared, me, is_lowest):
    numbers = [number for number, _ in shared.numbers]
    chosen = first(numbers, 1 if is_lowest else -1, shared.ring) if numbers else None
    return [(chosen, shared)]


@own(TICKETS, "QueueEntry.give_back", "tickets.numbers.get(own)", "its own, if that is left")
def HAS_OWN(shared, me):
    return [((shared.taken[me], me) in shared.numbers, shared)]


@own(TICKETS, "QueueEntry.give_back", "map(tickets.numbers.pop", "takes the number out")
def POPS(shared, me, number):
    """The result is whether no other thread was faster."""
    numbers = tuple(pair for pair in shared.numbers if pair[0] != number)
    if numbers == shared.numbers:
        return [(False, shared)]
    dropped = put(shared.dropped, me, number)
    kept = shared.kept - {number}
    return [(True, shared._replace(numbers=numbers, dropped=dropped, kept=kept))]


@own(TICKETS, "QueueEntry.give_back", "if self._dropped and", "which to unlock", private=True)
def DROPPED(shared, me):
    return [(shared.dropped[me], shared)]


@own(TICKETS, "QueueEntry.give_back", "        self._dropped = []", "is out of line", private=True)
def IS_OUT(shared, me):
    dropped = put(shared.dropped, me, None)
    return [(None, shared._replace(taken=put(shared.taken, me, None), dropped=dropped))]


@own(TICKETS, "QueueEntry.ahead", "self.tickets.lowest()", "the number to wait with")
def LOWEST(shared):
    return [(lowest(shared), shared)]


@own("backends/file/request.py", "FileRequest.wait", "entry.tickets.lowest()", "notes the lowest")
def NOTES_LOWEST(shared):
    return [(lowest(shared), shared)]


@own(
    "backends/file/request.py",
    "FileRequest._was_overtaken",
    "entry.tickets.lowest()",
    "is it the lowest still?",
)
def STILL_LOWEST(shared, number):
    return [(lowest(shared) == number, shared)]


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
