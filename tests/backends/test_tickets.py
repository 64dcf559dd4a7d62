"""Tickets by themselves: numbers, their order, and the descriptor that they share.

What another process has is played by local tickets of its own: its descriptor is another one,
and that is all that the kernel looks at.
"""

import contextlib
import itertools
import os
import sys

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import Background, open_descriptors  # noqa: E402

from lockutils.backends.file import syscalls  # noqa: E402
from lockutils.backends.file.queue import TICKETS, LocalTickets, QueueRange  # noqa: E402
from lockutils.backends.file.tickets import QueueEntry  # noqa: E402

if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def process(tmp_path):
    """Make what stands in line for one process each."""
    made = []

    def process(name=b"it"):
        place = QueueRange(os.fsencode(tmp_path) + b"/" + name)
        tickets = LocalTickets()

        def new(*, strict=False):
            entry = QueueEntry(place, strict=strict)
            entry.tickets = tickets
            made.append(entry)
            return entry

        def take(**how):
            entry = new(**how)
            entry.take()
            return entry

        take.new = new
        take.tickets = tickets
        return take

    yield process
    for entry in made:
        entry.give_back()


def number(entry):
    """What it took."""
    return entry._taken[0]


def ahead(entry, count=TICKETS):
    return [found for found, _ in strictly_ahead(entry, count)]


def strictly_ahead(entry, count):
    """The tickets before those of the entry's process, and whether nobody may pass them."""
    return entry.ahead(entry.tickets.lowest(), count)


def locked(entry, numbers=range(20)):
    """The numbers that whoever waits for them, on a descriptor of his own, would sleep for."""
    with open(entry._place.queue, "rb+") as file:
        return [
            one
            for one in numbers
            if syscalls.span_in_use(file.fileno(), entry._bytes(syscalls.READ, one))
        ]


def kept(entry):
    return sorted(entry.tickets.numbers)


class TestNumbers:
    def test_rise_over_all_processes(self, process):
        first, second, third = process(), process(), process()

        entries = [take() for take in (first, second, first, third, first, first, second)]

        assert [number(entry) for entry in entries] == list(range(7))

    def test_a_new_one_is_behind_all_although_lower_ones_are_free(self, process):
        takes = [process() for _ in range(5)]
        entries = [take() for take in takes]
        for entry in entries[:3]:
            entry.give_back()

        assert number(takes[0]()) == 5

    @pytest.mark.parametrize("start", range(TICKETS - 4, TICKETS))
    @pytest.mark.parametrize("strict", [False, True])
    def test_go_round(self, process, monkeypatch, start, strict):
        takes = [process() for _ in range(4)]
        with monkeypatch.context() as late:
            late.setattr(QueueEntry, "_next_number", lambda *_: start)
            entries = [takes[0](strict=strict)]
        entries += [takes[position](strict=strict) for position in (1, 2, 1, 3)]

        numbers = [(start + position) % TICKETS for position in range(5)]
        assert [number(entry) for entry in entries] == numbers
        for position in (0, 1, 2, 4):
            before = list(reversed(numbers[:position]))
            assert ahead(entries[position]) == before
        assert [found for found, _ in strictly_ahead(entries[4], 2)] == [numbers[3], numbers[2]]
        entries[1].give_back()
        assert ahead(entries[3]) == [numbers[2], numbers[0]]

    def test_one_that_was_taken_too_low_is_given_back(self, process, monkeypatch):
        """Two asked at once; the other has a higher one, and had it before this was taken."""
        one, another = process(), process()
        one()
        late = one.new()
        real, looks = QueueEntry._next_number, []

        def too_early(self, *args):
            found = real(self, *args)
            if not looks:
                looks.append(found)
                theirs = [another(), another()]
                theirs[0].give_back()  # so that the number is free again, and a higher one exists
            return found

        monkeypatch.setattr(QueueEntry, "_next_number", too_early)
        late.take()

        assert number(late) > looks[0]
        assert looks[0] not in locked(late)

    def test_one_that_others_of_the_process_have_gone_past_is_not_taken(self, process, monkeypatch):
        """As the newest it would stop the next taker: the one after it is in use."""
        one = process()
        late = one.new()
        one()
        real, entered = QueueEntry._next_number, []

        def too_early(self, *args):
            found = real(self, *args)
            if not entered:
                entered.append(True)
                theirs = [one(), one()]
                assert number(theirs[0]) == found
                theirs[0].give_back()
            return found

        monkeypatch.setattr(QueueEntry, "_next_number", too_early)
        late.take()

        assert number(Background(one).result()) > number(late) == 3

    def test_none_is_taken_again_while_its_unlocking_may_be_under_way(self, process, monkeypatch):
        """Whoever took it would lose it, and nobody would wait for him any more."""
        one = process()
        leaving = one()
        real, taken = syscalls.span_unlock, []

        def late(fd, what):
            if not taken:
                taken.append(one())
            real(fd, what)

        monkeypatch.setattr(syscalls, "span_unlock", late)
        leaving.give_back()

        assert locked(taken[0]) == [number(taken[0])]

    def test_begin_again_where_nobody_has_one(self, process):
        process()().give_back()

        assert number(process()()) == 0


class TestOrder:
    def test_who_has_the_lowest_is_first(self, process):
        one, another = process(), process()
        first, second, third = one(), another(), one()
        assert not ahead(first)
        assert ahead(second) == [0]

        first.give_back()

        assert not ahead(second)
        assert ahead(third) == [1]

    def test_the_nearest_ones_come_first(self, process):
        entries = [process()() for _ in range(6)]
        entries[3].give_back()

        assert ahead(entries[5], 3) == [4, 2, 1]
        assert ahead(entries[5]) == [4, 2, 1, 0]
        assert ahead(entries[0]) == []

    @pytest.mark.parametrize("strict", list(itertools.product([False, True], repeat=3)))
    def test_tells_whom_nobody_may_pass(self, process, strict):
        entries = [process()(strict=one) for one in strict]

        assert strictly_ahead(process()(), 3) == [(2, strict[2]), (1, strict[1]), (0, strict[0])]
        assert strictly_ahead(entries[2], 1) == [(1, strict[1])]

    def test_neighbours_of_one_process_in_strict_order_are_told_apart(self, process):
        """Their locks are one for the kernel."""
        one = process()
        for strict in (True, True, False, True):
            one(strict=strict)

        assert strictly_ahead(process()(), 9) == [(3, True), (2, False), (1, True), (0, True)]

    def test_who_waited_and_is_about_to_go_on_is_not_waited_for(self, process):
        first, second = process()(), process()()
        with open(first._place.queue, "rb+") as file:
            first.give_back()
            assert syscalls.span_try(file.fileno(), first.lock_of(0))

            assert not ahead(second)
            assert number(process()()) == 2

    def test_two_names_have_lines_of_their_own(self, process):
        process(b"one")()

        assert not ahead(process(b"other")())


class TestPool:
    """The tickets of a process are for its waiters as they come, whoever took them."""

    def test_who_is_first_in_its_process_uses_the_lowest(self, process):
        """A thread may come first and get the higher number; it gives back its own."""
        one, another = process(), process()
        second, between, first = one(), another(), one()

        assert not ahead(first)
        first.give_back()

        assert kept(second) == [0]
        assert ahead(between) == [0]
        assert not ahead(second)

    @pytest.fixture
    def before_a_number_is_locked(self, monkeypatch):
        """Have something done after an entry has noted its number, and before it locks that."""

        def register(call):
            real, entered = syscalls.span_try, []

            def in_the_middle(fd, what):
                if not entered:
                    entered.append(True)
                    call()
                return real(fd, what)

            monkeypatch.setattr(syscalls, "span_try", in_the_middle)

        return register


class TestDescriptor:
    def in_use(self, tmp_path):
        return sum(str(tmp_path) in target for target in open_descriptors().values())

    def test_two_thousand_need_one(self, process, tmp_path):
        take = process()

        entries = [take() for _ in range(2000)]

        assert self.in_use(tmp_path) == 1
        assert number(process()()) == 2000
        for entry in entries:
            entry.give_back()

    def test_closes_with_its_last_user(self, tmp_path):
        place = QueueRange(os.fsencode(tmp_path) + b"/it")
        entries = []
        for _ in range(2):
            entries.append(QueueEntry(place, strict=False))
            entries[-1].take()
        entries.pop().give_back()
        assert self.in_use(tmp_path) == 1

        entries.pop().give_back()

        assert self.in_use(tmp_path) == 0

    def test_a_child_has_none_and_keeps_none(self, tmp_path):
        """Killed with its ticket, a parent must not be waited for as long as its child lives."""
        place = QueueRange(os.fsencode(tmp_path) + b"/it")
        entry = QueueEntry(place, strict=False)
        entry.take()
        heard, told = os.pipe()
        go_on, end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            # as if the parent's own descriptor were closed by its death
            os.write(told, b"%d" % bool(entry.tickets.fd_box or entry.tickets.numbers))
            os.read(go_on, 1)
            os._exit(0)
        try:
            assert os.read(heard, 1) == b"0"
            syscalls.close(entry.tickets.fd_box)  # what the kernel does at the parent's death
            other = QueueEntry(place, strict=False)
            other.tickets = LocalTickets()
            other.take()
            assert not ahead(other)
            other.give_back()
        finally:
            os.close(end)
            os.waitpid(child, 0)
            for descriptor in (heard, told, go_on):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            entry.give_back()
