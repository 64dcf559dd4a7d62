"""What the threads of a process share, and the steps of Python that are on it."""

from typing import NamedTuple

from steps import own

TICKETS, FILE = "backends/file/tickets.py", "backends/file/request.py"


class Shared(NamedTuple):
    """A process, but for its locks.  Acquisitions are numbered, and what they have with them:

    each has a claim, a post, a ticket, and perhaps an errand of the same number.
    """

    #: the in-process queue
    queue: tuple = ()
    #: the line: whether its descriptor is open, its numbers as they were taken, each with the
    #: ticket that has it or ``None``; the newest number; the tickets that use the descriptor
    cell: bool = False
    line: tuple = ()
    newest: int = 0
    users: frozenset = frozenset()
    #: posts whose threads sleep
    sleepers: frozenset = frozenset()
    #: by ticket: its number
    numbers: tuple = ()
    #: by post: its ticket
    posts: tuple = ()
    #: claims that have the lock file open, are wanted by nobody, wait for the record lock
    opened: frozenset = frozenset()
    unwanted: frozenset = frozenset()
    waits_for_record: frozenset = frozenset()
    #: the errand that nobody waits for; by errand: whom it is for; which ones are over, whether
    #: their claim has the lock, who has the guard of which
    abandoned: int | None = None
    errands: tuple = ()
    begun: frozenset = frozenset()
    over: frozenset = frozenset()
    guards: frozenset = frozenset()
    #: claims whose place nobody can take over any more
    through: frozenset = frozenset()
    #: for the model alone: how many have come; acquisitions that have their place; whether
    #: threads of two programs use one claim
    came: int = 0
    in_line: frozenset = frozenset()
    helped: bool = False


def put(values, position, value):
    return (*values[:position], value, *values[position + 1 :])


def _entry(shared, number):
    """Return the ticket of a number, or False if it is not there."""
    for taken, ticket in shared.line:
        if taken == number:
            return ticket
    return False


def _set(line, number, ticket):
    if any(taken == number for taken, _ in line):
        return tuple((taken, ticket if taken == number else old) for taken, old in line)
    return (*line, (number, ticket))


# --- the in-process queue


@own("local/waiters.py", "take_turn", "queue.append(turn)", "enters the in-process queue")
def ENTERS(shared, me):
    if me > shared.came:
        return []  # which of two threads is called the first does not matter
    came = max(shared.came, me + 1)
    return [(None, shared._replace(queue=(*shared.queue, me), came=came))]


@own(
    "front/handle.py", "Lock._try", "self._queue[0] is not turn", "looks whether it is first inside"
)
def IS_FIRST_INSIDE(shared, me):
    return [(shared.queue[0] == me, shared)]


@own(
    "local/waiters.py",
    "TurnQueue.wait_for",
    "await parker.park(deadline)",
    "waits for its turn inside",
)
def TURN(shared, me, timed):
    if shared.queue[0] == me:
        return [(True, shared)]
    return [(False, shared)] if timed else []


@own("local/waiters.py", "give_up", "queue.remove(turn)", "leaves the in-process queue")
def LEAVES(shared, me):
    return [(None, shared._replace(queue=tuple(one for one in shared.queue if one != me)))]


# --- the line


@own(TICKETS, "Ticket.take", "line.users[self] = None", "uses the descriptor of the tickets")
def JOINS(shared, me):
    return [(None, shared._replace(cell=True, users=shared.users | {me}))]


def _newest(shared):
    return shared.newest if shared.line or shared.sleepers else None


@own(TICKETS, "Ticket.take", "            newest = line.newest if line or", "its own newest")
def NEWEST(shared):
    return [(_newest(shared), shared)]


@own(TICKETS, "Ticket.take", "line[number] = self", "enters a number, if it is not too low")
def REGISTERS(shared, me, newest, number, checked):
    if checked and newest != _newest(shared):
        return [(False, shared)]
    line = _set(shared.line, number, me)
    numbers = put(shared.numbers, me, number)
    return [(True, shared._replace(line=line, newest=number, numbers=numbers))]


@own(TICKETS, "Ticket._wait_for", "line.sleepers += 1", "is about to sleep")
def FALLS_ASLEEP(shared, claim, ticket, checked):
    """The result is whether the ticket is not being given back."""
    if not checked:
        return [(True, shared)]
    if not _is_own(shared, ticket, True):
        return [(False, shared)]
    return [(True, shared._replace(sleepers=shared.sleepers | {claim}))]


@own(TICKETS, "Ticket._wait_for", "line.sleepers -= 1", "sleeps no more")
def IS_AWAKE(shared, claim):
    return [(None, shared._replace(sleepers=shared.sleepers - {claim}))]


@own(
    TICKETS, "Ticket._wait_until_first", "number is None or line[number] is not self", "its number"
)
def KEPT_NUMBER(shared, ticket, checked):
    """The result is ``None``, too, if it is being given back."""
    return [(shared.numbers[ticket] if _is_own(shared, ticket, checked) else None, shared)]


@own(TICKETS, "Ticket.is_first", "number = self.number", "its number, after exchanges")
def NUMBER(shared, me):
    return [(shared.numbers[me], shared)]


@own(TICKETS, "Ticket.drop_number", "line[number] = None", "nobody exchanges this number")
def BEGINS_TO_DROP(shared, me):
    number = shared.numbers[me]
    if number is None or _entry(shared, number) is not me:
        return [(None, shared)]
    return [(number, shared._replace(line=_set(shared.line, number, None)))]


@own(TICKETS, "Ticket.drop_number", "del line[number]", "has no number")
def HAS_DROPPED(shared, me, number):
    line = tuple(entry for entry in shared.line if entry[0] != number)
    return [(None, shared._replace(line=line, numbers=put(shared.numbers, me, None)))]


@own(TICKETS, "Ticket.give_back", "del line.users[self]", "does not use the descriptor")
def QUITS(shared, me):
    users = shared.users - {me}
    closes = shared.cell and not users
    return [(closes, shared._replace(users=users, cell=shared.cell and not closes))]


def _exchange(shared, me, first, other):
    number = shared.numbers[me]
    line = _set(_set(shared.line, first, me), number, other)
    numbers = put(put(shared.numbers, me, first), other, number)
    return shared._replace(line=line, numbers=numbers)


def _is_own(shared, me, checked):
    number = shared.numbers[me]
    return number is not None and (not checked or _entry(shared, number) is me)


@own(TICKETS, "Ticket._be_first_of_ours", "for first in line:", "exchanges for the lowest")
def EXCHANGES(shared, me, checked):
    """The result is the number; or the numbers to look at one by one, if there is need to."""
    if shared.line:
        first, other = shared.line[0]
        if other is None:
            return [(tuple(number for number, _ in shared.line), shared)]
        if other != me and _is_own(shared, me, checked):
            shared = _exchange(shared, me, first, other)
    return [(shared.numbers[me], shared)]


@own(TICKETS, "Ticket._be_first_of_ours", "for first in list(line):", "for the lowest that is kept")
def EXCHANGES_FOR_KEPT(shared, me, first, checked):
    """The result is whether there is no more to do."""
    other = _entry(shared, first)
    if other is None or other is False:
        return [(False, shared)]
    if other != me and _is_own(shared, me, checked):
        shared = _exchange(shared, me, first, other)
    return [(True, shared)]


@own(TICKETS, "Ticket._take_back", "other = line[number]", "exchanges again")
def TAKES_BACK(shared, me, number):
    """The result is whether the number is its own again."""
    mine = shared.numbers[me]
    other = _entry(shared, number)
    if mine not in (None, number) and other is not None and other is not False:
        shared = _exchange(shared, me, number, other)
    return [(shared.numbers[me] == number, shared)]


# --- posts and claims


@own("backends/file/post.py", "Post.line_up", "ticket = self.ticket = Ticket(", "has a ticket")
def HAS_TICKET(shared, me):
    return [(None, shared._replace(posts=put(shared.posts, me, me)))]


@own(FILE, "FileClaim.block", "ticket = post.ticket", "the ticket to wait with")
def TICKET(shared, claim):
    return [(shared.posts[claim], shared)]


@own(FILE, "FileClaim.block", "now = None if post is None else post.ticket", "the ticket, again")
def NOW_TICKET(shared, claim):
    return [(shared.posts[claim], shared)]


@own("backends/file/post.py", "Post.may_try", "ticket = self.ticket", "the ticket to look with")
def MAY_TRY(shared, claim):
    return [(shared.posts[claim], shared)]


@own("backends/file/post.py", "Post.step_out", "self.ticket.drop_number()", "the ticket to drop")
def SERVED_TICKET(shared, claim):
    return [(shared.posts[claim], shared)]


@own(
    "backends/file/post.py", "Post.ends_for", "self._ended = True", "may not be taken over any more"
)
def ENDS_FOR(shared, claim, ticket, checked):
    """The result is whether it is for that ticket still."""
    if not checked:
        return [(True, shared)]
    if shared.posts[claim] != ticket:
        return [(False, shared)]
    return [(True, shared._replace(through=shared.through | {claim}))]


@own("backends/file/post.py", "Post.leave", "self.ticket = None", "has no ticket")
def HAS_NO_TICKET(shared, claim):
    return [(None, shared._replace(posts=put(shared.posts, claim, None)))]


@own(
    "backends/file/lock_file.py",
    "LockFile._wait_for_both",
    "self._waits_for_record = True",
    "says so",
)
def WAITS_FOR_RECORD(shared, claim):
    """The result is whether nobody wants the lock already."""
    waits = shared.waits_for_record | {claim}
    return [(claim in shared.unwanted, shared._replace(waits_for_record=waits))]


@own(
    "backends/file/lock_file.py",
    "LockFile._wait_for_both",
    "self._waits_for_record = False",
    "so, too",
)
def WAITS_NO_MORE(shared, claim):
    return [(None, shared._replace(waits_for_record=shared.waits_for_record - {claim}))]


@own(
    "backends/file/lock_file.py", "LockFile._let_others_pass", "self._unwanted = True", "not wanted"
)
def IS_UNWANTED(shared, claim):
    """The result is whether the waiting thread has to be deprived of the flock."""
    unwanted = shared.unwanted | {claim}
    return [(claim in shared.waits_for_record, shared._replace(unwanted=unwanted))]
