"""Tickets by themselves: numbers, their order, and the descriptor that they share.

What another process has is played by a line of its own: its descriptor is another one, and
that is all that the kernel looks at.
"""

import contextlib
import os
import sys

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import Background, open_descriptors, until_waited_for  # noqa: E402

from lockutils.backends.file import syscalls  # noqa: E402
from lockutils.backends.file.queue import Place  # noqa: E402
from lockutils.backends.file.tickets import TICKETS, Line, Ticket  # noqa: E402

if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def process(tmp_path):
    """Make the tickets of one process each."""
    taken = []

    def process(name=b"it"):
        place = Place(os.fsencode(tmp_path) + b"/" + name)
        place.line = Line()

        def take():
            ticket = Ticket(place)
            taken.append(ticket)
            ticket.take()
            return ticket

        return take

    yield process
    for ticket in taken:
        ticket.give_back()


def test_numbers_rise_over_all_processes(process):
    first, second, third = process(), process(), process()

    numbers = [take().number for take in (first, second, first, third, first, first, second)]

    assert numbers == list(range(7))


def test_who_has_the_lowest_is_first(process):
    one, another = process(), process()
    first, second, third = one(), another(), one()
    assert first.is_first()
    assert not second.is_first()

    first.give_back()

    assert second.is_first()
    assert not third.is_first()


def test_a_wait_ends_when_the_line_is_closed_in_the_middle_of_a_look(process, monkeypatch):
    """By another thread that gave the ticket back: who goes on with the wait gets no error."""
    one, another = process(), process()
    one()
    second = another()
    real = Ticket._find_straight

    def look(ticket, *where):
        monkeypatch.setattr(Ticket, "_find_straight", real)
        ticket.give_back()
        return ticket._find_straight(*where)

    monkeypatch.setattr(Ticket, "_find_straight", look)

    assert not second.wait_until_first(-1)


def test_a_new_one_is_behind_all_although_lower_ones_are_free(process):
    takes = [process() for _ in range(5)]
    tickets = [take() for take in takes]
    for ticket in tickets[:3]:
        ticket.give_back()

    new = takes[0]()

    assert new.number == 5


@pytest.mark.parametrize("start", range(TICKETS - 4, TICKETS))
def test_numbers_go_round(process, monkeypatch, start):
    takes = [process() for _ in range(3)]
    with monkeypatch.context() as late:
        late.setattr(Ticket, "_next_number", lambda *_: start)
        tickets = [takes[0]()]
    tickets += [takes[position]() for position in (1, 2, 1, 0)]

    for position, ticket in enumerate(tickets):
        assert ticket.number == (start + position) % TICKETS
        assert ticket.is_first()
        assert not any(later.is_first() for later in tickets[position + 1 : position + 2])
        ticket.give_back()


def test_a_number_that_was_taken_too_low_is_given_back(process, monkeypatch):
    """Two asked at once; the other has a higher one, and had it before this was taken."""
    one, another = process(), process()
    one()
    late = Ticket(one()._place)
    real, looks = Ticket._next_number, []

    def too_early(self, newest):
        number = real(self, newest)
        if not looks:
            looks.append(number)
            theirs = [another(), another()]
            theirs[0].give_back()  # so that the number is free again, and a higher one exists
        return number

    monkeypatch.setattr(Ticket, "_next_number", too_early)
    late.take()

    assert late.number > looks[0]
    late.give_back()


def test_a_number_that_others_of_the_process_have_gone_past_is_not_taken(process, monkeypatch):
    """As the newest it would stop the next taker: the one after it is in use."""
    one = process()
    late = Ticket(one()._place)
    real, entered = Ticket._next_number, []

    def too_early(self, newest):
        number = real(self, newest)
        if not entered:
            entered.append(True)
            theirs = [one(), one()]
            assert theirs[0].number == number
            theirs[0].give_back()
        return number

    monkeypatch.setattr(Ticket, "_next_number", too_early)
    late.take()

    assert Background(one).result().number > late.number == 3
    late.give_back()


def test_who_is_first_in_its_process_uses_the_lowest_of_the_process(process):
    """A thread may come first and get the higher number."""
    one, another = process(), process()
    behind, between, first = one(), another(), one()

    assert first.is_first()

    assert (first.number, behind.number) == (0, 2)
    first.give_back()
    assert between.is_first()
    assert not behind.is_first()


def test_it_uses_the_lowest_that_is_kept_while_a_lower_one_is_given_back(process, monkeypatch):
    """Else two processes wait for each other: one for that lowest, one with a higher one."""
    one, another = process(), process()
    leaving, behind, between, first = one(), one(), another(), one()
    real = syscalls.span_try
    seen = []

    def in_the_middle(descriptor, what):
        if not seen:
            seen.append(first.is_first())
        return real(descriptor, what)

    monkeypatch.setattr(syscalls, "span_try", in_the_middle)
    leaving.give_back()

    assert seen == [True]
    assert (first.number, behind.number) == (1, 3)
    assert not between.is_first()


def test_one_that_is_interrupted_while_it_gives_back_gives_back_when_it_does_so_again(
    process, monkeypatch
):
    one, another = process(), process()
    first, theirs, behind = one(), another(), one()  # the last keeps the descriptor open
    real = syscalls.span_try
    calls = []

    def interrupted(descriptor, what):
        calls.append(what)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(descriptor, what)

    monkeypatch.setattr(syscalls, "span_try", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first.give_back()
    assert not theirs.is_first()
    first.give_back()

    assert theirs.is_first()
    assert behind.number == 2


def test_an_exchange_with_one_that_is_about_to_be_taken(process, monkeypatch):
    """It turns out not to be good: then each has his own again."""
    one, another = process(), process()
    taken_before = one()
    late = Ticket(taken_before._place)
    real = syscalls.span_try
    entered, tickets = [], []

    def in_the_middle(descriptor, what):
        if not entered:  # another process is faster, and somebody here comes and is first
            entered.append(True)
            tickets.extend([another(), one()])
            taken_before.give_back()
            assert not tickets[1].is_first()
        return real(descriptor, what)

    monkeypatch.setattr(syscalls, "span_try", in_the_middle)
    late.take()

    theirs, first = tickets
    assert theirs.number < first.number < late.number
    theirs.give_back()
    assert first.is_first()
    late.give_back()


def test_a_wait_ends_when_all_lower_ones_are_gone(process, tmp_path):
    takes = [process() for _ in range(3)]
    first, second, third = [take() for take in takes]
    queue = third._place.queue
    with open(queue, "rb+") as file:
        waiting = Background(third.wait_until_first, file.fileno())
        until_waited_for(queue)

        second.give_back()  # the nearest: now it is the other that it waits for
        assert not waiting.join(0.01)
        until_waited_for(queue)
        first.give_back()

        assert waiting.result() is True


def test_a_wait_ends_with_the_ticket(process):
    first, second = process()(), process()()
    with open(first._place.queue, "rb+") as file:
        waiting = Background(second.wait_until_first, file.fileno())
        until_waited_for(first._place.queue)

        second.give_back()
        first.give_back()

        assert waiting.result() is False


def test_two_thousand_need_one_descriptor(process, tmp_path):
    def in_use():
        return sum(str(tmp_path) in target for target in open_descriptors().values())

    take = process()

    tickets = [take() for _ in range(2000)]

    assert in_use() == 1
    assert process()().number == 2000
    for ticket in tickets:
        ticket.give_back()
    assert in_use() == 1  # of the other's


def test_two_names_have_lines_of_their_own(process):
    assert process(b"one")().is_first()
    assert process(b"other")().is_first()


def test_a_child_has_none_and_keeps_none(tmp_path):
    """Killed with its ticket, a parent must not be waited for as long as its child lives."""
    place = Place(os.fsencode(tmp_path) + b"/it")
    ticket = Ticket(place)
    ticket.take()
    heard, told = os.pipe()
    go_on, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        # as if the parent's own descriptor were closed by its death
        os.write(told, b"%d" % (ticket._line.cell != [] or bool(ticket._line.users)))
        os.read(go_on, 1)
        os._exit(0)
    try:
        assert os.read(heard, 1) == b"0"
        syscalls.close(ticket._line.cell)  # what the kernel does at the parent's death
        other = Place(place.path)
        other.line = Line()
        assert not other.is_waited_for()
    finally:
        os.close(end)
        os.waitpid(child, 0)
        for descriptor in (heard, told, go_on):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        ticket.give_back()


def is_locked(ticket, number):
    """Whether whoever waits for a number, on a descriptor of his own, would sleep."""
    with open(ticket._place.queue, "rb+") as file:
        return not syscalls.span_try(file.fileno(), ticket._byte(syscalls.READ, number))


@pytest.fixture
def before_a_number_is_locked(monkeypatch):
    """Have something done after a ticket has entered its number, and before it locks that."""

    def register(call):
        real = syscalls.span_try
        entered = []

        def in_the_middle(descriptor, what):
            if not entered:
                entered.append(True)
                call()
            return real(descriptor, what)

        monkeypatch.setattr(syscalls, "span_try", in_the_middle)

    return register


def test_a_number_that_was_exchanged_before_it_was_locked_is_let_go(
    process, before_a_number_is_locked
):
    """Who has it by exchange may sleep for another process that has it, and had to wait for us."""
    one, another = process(), process()
    before = one()
    late = Ticket(before._place)
    before.give_back()
    another()  # has 0, so that the late one asks for 1
    tickets = []

    def come_first():
        theirs, first = another(), one()
        tickets.append(first)
        assert not first.is_first()
        assert first.number == theirs.number == 1  # and it may be about to sleep for that
        theirs.give_back()

    before_a_number_is_locked(come_first)
    late.take()

    (first,) = tickets
    assert not is_locked(first, 1)
    assert (first.number, late.number) == (2, 3)
    late.give_back()


def test_a_number_that_was_given_back_before_it_was_locked_is_let_go(
    process, before_a_number_is_locked
):
    one = process()
    kept = one()
    late = Ticket(kept._place)
    numbers = []

    def come_and_go():
        first = one()
        kept.give_back()
        first._be_first_of_ours()
        numbers.append(first.number)
        first.give_back()

    before_a_number_is_locked(come_and_go)
    late.take()

    assert numbers == [1]
    assert late.number == 2
    assert not is_locked(late, 1)
    assert is_locked(late, 2)
    late.give_back()


def test_what_is_being_given_back_is_not_exchanged(process, monkeypatch):
    """The thread that sleeps with it may go on just then."""
    one, another = process(), process()
    leaving, behind, theirs = one(), one(), another()
    real = syscalls.span_try
    seen = []

    def in_the_middle(descriptor, what):
        if not seen:
            seen.append(leaving.is_first())
        return real(descriptor, what)

    monkeypatch.setattr(syscalls, "span_try", in_the_middle)
    leaving.give_back()

    assert behind.number == 1
    assert not theirs.is_first()
    behind.give_back()
    assert theirs.is_first()
    assert not behind._line


def test_who_waited_and_is_about_to_go_on_is_not_waited_for(process):
    first, second = process()(), process()()
    with open(first._place.queue, "rb+") as file:
        first.give_back()
        assert syscalls.span_try(file.fileno(), first._byte(syscalls.READ, 0))

        assert second.is_first()


def test_numbers_do_not_begin_again_while_one_of_ours_sleeps(process, monkeypatch):
    """He is to go on for whoever comes next, and would sleep for that one's own ticket."""
    one, another = process(), process()
    theirs, ours = another(), one()
    real = syscalls.span_wait
    new = []

    def in_the_middle(descriptor, what):
        ours.give_back()
        theirs.give_back()
        new.append(one())
        real(descriptor, what)

    monkeypatch.setattr(syscalls, "span_wait", in_the_middle)
    with open(ours._place.queue, "rb+") as file:
        assert Background(ours.wait_until_first, file.fileno()).result() is False

    assert [ticket.number for ticket in new] == [2]
    new[0].give_back()
    assert one().number == 0


def test_who_waits_is_seen_while_the_descriptor_is_being_closed(process):
    theirs = process()()
    place = Place(theirs._place.path)
    place.line = Line()
    gone = os.open(os.devnull, os.O_RDONLY)
    os.close(gone)
    place.line.cell = [gone]

    assert place.is_waited_for()
