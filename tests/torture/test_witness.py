"""What the witness makes of a journal: it sees what must not be, and nothing else."""

import pytest
from chaos.journal import Event, Reader, Writer
from chaos.keys import SLOTS
from chaos.witness import Witness

BOUND = 10.0


@pytest.fixture
def witness():
    return Witness(BOUND)


def tell(witness, *lines):
    """Each line: what happened, by whom; and to which key and how, else x0, exclusively."""
    for line in lines:
        what, who, key, how = (*line.split(), "x0", "exclusive")[:4]
        witness.read(Event(0, what, key, how, who))


def test_one_after_the_other(witness):
    tell(witness, "ASK a.1", "BEGIN a.1", "ASK b.1", "END a.1", "BEGIN b.1", "LEFT a.1")
    tell(witness, "END b.1", "LEFT b.1")

    assert not witness.overlaps
    assert witness.turns == {"exclusive": 2}
    assert not witness.left_over()


def test_two_at_once(witness):
    tell(witness, "BEGIN a.1", "BEGIN b.1")

    (overlap,) = witness.overlaps
    assert "a.1" in overlap
    assert "b.1" in overlap


@pytest.mark.parametrize("order", [("exclusive", "shared"), ("shared", "exclusive")])
def test_a_reader_and_a_writer(witness, order):
    tell(witness, f"BEGIN a.1 x0 {order[0]}", f"BEGIN b.1 x0 {order[1]}")

    assert witness.overlaps


def test_readers(witness):
    tell(witness, "BEGIN a.1 x0 shared", "BEGIN b.1 x0 shared")

    assert not witness.overlaps


def test_slots(witness):
    tell(witness, *(f"BEGIN a.{number} s0 slots" for number in range(SLOTS)))
    assert not witness.overlaps

    tell(witness, "BEGIN b.1 s0 slots")
    assert witness.overlaps


@pytest.mark.parametrize(("other", "overlaps"), [("a.2", 1), ("b.1", 0)])
def test_a_lock_of_one_process_alone(witness, other, overlaps):
    tell(witness, "BEGIN a.1 x0 internal", f"BEGIN {other}")

    assert len(witness.overlaps) == overlaps


def test_other_tools_do_not_see_each_other(witness):
    tell(witness, "BEGIN a.1 o0 flock", "BEGIN b.1 o0 lockf", "END b.1 o0 lockf")
    assert not witness.overlaps

    tell(witness, "BEGIN c.1 o0")
    assert witness.overlaps


def test_who_is_killed_holds_nothing(witness):
    tell(witness, "BEGIN a.1", "KILL a -", "BEGIN b.1", "GONE a -", "END b.1")
    assert not witness.overlaps


def test_who_is_killed_may_be_at_it_still_but_not_when_another_has_come_in(witness):
    tell(witness, "BEGIN a.1", "KILL a -", "END a.1", "BEGIN b.1", "END b.1")
    assert not witness.overlaps

    tell(witness, "BEGIN c.1", "KILL c -", "BEGIN b.2", "END c.1")
    assert witness.overlaps


class TestAFileThatIsTakenAway:
    def test_excuses_who_came_before_and_after(self, witness):
        tell(witness, "ASK a.1", "BEGIN a.1", "SPLIT tamperer", "APART tamperer")
        tell(witness, "ASK b.1", "BEGIN b.1")

        assert not witness.overlaps
        assert witness.split == 1

    def test_excuses_who_waited_meanwhile(self, witness):
        tell(witness, "ASK a.1", "BEGIN a.1", "ASK b.1", "SPLIT tamperer", "APART tamperer")
        tell(witness, "BEGIN b.1")

        assert not witness.overlaps

    def test_excuses_nobody_later(self, witness):
        tell(witness, "SPLIT tamperer", "APART tamperer")
        tell(witness, "ASK a.1", "ASK b.1", "BEGIN a.1", "BEGIN b.1")

        assert witness.overlaps

    def test_excuses_nobody_at_another_lock(self, witness):
        tell(witness, "ASK a.1", "BEGIN a.1", "SPLIT tamperer x1", "APART tamperer x1")
        tell(witness, "ASK b.1", "BEGIN b.1")

        assert witness.overlaps


class TestWaiters:
    def test_of_a_free_lock(self, witness):
        tell(witness, "ASK a.1")
        witness.judge(BOUND)
        assert not witness.wedges

        witness.judge(1.0)
        (wedge,) = witness.wedges
        assert "a.1" in wedge

    def test_that_others_pass(self, witness):
        tell(witness, "ASK a.1")
        witness.judge(BOUND)
        tell(witness, "BEGIN b.1", "END b.1")
        witness.judge(1.0)

        assert witness.wedges

    @pytest.mark.parametrize("end", ["BEGIN a.1", "LEFT a.1", "GONE a -"])
    def test_that_wait_no_more(self, witness, end):
        tell(witness, "ASK a.1")
        witness.judge(BOUND)
        tell(witness, end)
        witness.judge(BOUND)

        assert not witness.wedges

    def test_while_a_process_is_stopped(self, witness):
        tell(witness, "ASK a.1")
        for _ in range(100):
            witness.judge(0.0)

        assert not witness.wedges

    def test_in_the_end(self, witness):
        tell(witness, "ASK a.1", "BEGIN b.1")

        assert len(witness.left_over()) == 2


def test_faults_are_counted(witness):
    tell(witness, "FAULT a fork", "FAULT b fork", "FAULT a cancel")

    assert witness.faults == {"fork": 2, "cancel": 1}


def test_a_journal_is_read_as_it_grows(tmp_path):
    writer, reader = Writer(tmp_path / "journal"), Reader(tmp_path / "journal")
    writer.write("ASK", "x0", "exclusive", "a.1")
    (asked,) = reader.events()
    assert (asked.what, asked.key, asked.how, asked.who) == ("ASK", "x0", "exclusive", "a.1")
    assert asked.process == "a"
    assert not list(reader.events())

    writer.write("BEGIN", "x0", "exclusive", "a.1")
    (begun,) = reader.events()
    assert begun.time >= asked.time
