"""The search sees what is wrong, and shows the shortest way there."""

from typing import NamedTuple

import pytest
from explore import explore


class Step(NamedTuple):
    hangs_on: bool = True
    undoes: bool = False


class Graph:
    """A model that is written down: for each state the states after it."""

    initial = 0

    def __init__(self, after, ends=(), bad=(), step=lambda before, after: Step()):
        self._after, self._ends, self._bad, self._step = after, ends, bad, step

    def successors(self, state):
        for after in self._after.get(state, ()):
            yield self._step(state, after), after

    def wrong(self, state):
        return "bad" if state in self._bad else None

    def is_end(self, state):
        return state in self._ends


def states(found):
    return [state for _, state in found.trace]


def test_all_states_are_seen_once():
    found = explore(Graph({0: [1, 2], 1: [3], 2: [3]}, ends=[3]))

    assert (found.wrong, found.states, found.steps, found.ends) == (None, 4, 4, 1)


def test_the_shortest_way_to_what_is_wrong():
    found = explore(Graph({0: [1, 4], 1: [2], 2: [3], 4: [3]}, bad=[3]))

    assert (found.wrong, states(found)) == ("bad", [4, 3])


def test_a_state_without_a_step():
    found = explore(Graph({0: [1, 2]}, ends=[1]))

    assert (found.wrong, states(found)) == ("nobody goes on", [2])


def test_a_crash_is_not_progress():
    found = explore(Graph({0: [1]}, ends=[1], step=lambda *_: Step(hangs_on=False)))

    assert found.wrong == "nobody goes on"


def test_a_part_that_no_end_is_reached_from():
    found = explore(Graph({0: [1, 2], 2: [3], 3: [2]}, ends=[1]))

    assert (found.wrong, states(found)) == ("no end can be reached", [2])


@pytest.mark.parametrize(("undoes", "wrong"), [(False, "round and round"), (True, None)])
def test_a_circle(undoes, wrong):
    def step(before, after):
        return Step(undoes=undoes and after < before)

    found = explore(Graph({0: [1], 1: [2], 2: [3, 1]}, ends=[3], step=step))

    assert found.wrong == wrong
    if wrong:
        assert states(found)[-2:] in ([2, 1], [1, 2])
