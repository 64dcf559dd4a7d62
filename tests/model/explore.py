"""Look at every state that a model can get into.

A model has ``initial``, a state that can be hashed, and three functions of a state:
``successors``, which gives pairs of a step and the state after it; ``wrong``, which says what
must not be there, or ``None``; ``is_end``, whether everybody is done.  A step has ``hangs_on``,
whether somebody has to go on by it who can: not a crash, and not a waiter who gives up; and
``undoes``, whether it takes back what its process did before.
"""

import gc
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Found:
    """What a search has found."""

    states: int = 0
    steps: int = 0
    #: of these, states in which everybody is done
    ends: int = 0
    #: what is wrong, or ``None``
    wrong: str | None = None
    #: the shortest way there, as the steps and the states after them
    trace: list = field(default_factory=list)


@contextmanager
def _no_collection():
    """Keep the garbage collector from looking at all states again and again: they stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_no_collection()
def explore(model, limit=10_000_000):
    """Search breadth first, and stop at the first state in which something is wrong.

    If there is none, the progress of the waiters is looked at, over all states together:

    - no state but an end is without a step by which somebody goes on;
    - from each state an end can be reached by such steps alone;
    - without the steps that undo there is no cycle, so that whoever goes round for ever undoes
      something again and again.
    """
    numbers = {model.initial: 0}
    order = [model.initial]
    parents = [0]
    forward = []  # by state: the states that steps on which others depend lead to
    undone = []  # the same, of the steps that undo
    found = Found()
    todo = deque([0])
    wrong = model.wrong(model.initial)
    assert wrong is None, wrong

    def stop(reason, number):
        found.states = len(order)
        found.wrong = reason
        found.trace = _way_to(model, order, parents, number)
        return found

    while todo:
        here = todo.popleft()
        ahead, back = [], []
        for step, state in model.successors(order[here]):
            found.steps += 1
            number = numbers.get(state)
            if number is None:
                number = numbers[state] = len(order)
                assert number < limit, "more states than expected"
                order.append(state)
                parents.append(here)
                reason = model.wrong(state)
                if reason is not None:
                    return stop(reason, number)
                todo.append(number)
            if step.hangs_on:
                (back if step.undoes else ahead).append(number)
        forward.append(ahead)
        undone.append(back)
        if not ahead and not back:
            if not model.is_end(order[here]):
                return stop("nobody goes on", here)
            found.ends += 1
    found.states = len(order)
    lost = _without_an_end(model, order, forward, undone)
    if lost is not None:
        return stop("no end can be reached", lost)
    circle = _in_a_circle(forward)
    if circle:
        stop("round and round", circle[0])
        for number in (*circle[1:], circle[0]):
            found.trace.append(_step_to(model, found.trace[-1][1], order[number]))
    return found


def _step_to(model, before, after):
    return next(pair for pair in model.successors(before) if pair[1] == after)


def _way_to(model, order, parents, number):
    way = []
    while number:
        parent = parents[number]
        way.append(_step_to(model, order[parent], order[number]))
        number = parent
    return way[::-1]


def _without_an_end(model, order, forward, undone):
    """Return a state from which no end is reached, or ``None``."""
    before = [[] for _ in order]
    for edges in (forward, undone):
        for here, after in enumerate(edges):
            for number in after:
                before[number].append(here)
    good = bytearray(len(order))
    todo = [number for number, state in enumerate(order) if model.is_end(state)]
    for number in todo:
        good[number] = 1
    while todo:
        for number in before[todo.pop()]:
            if not good[number]:
                good[number] = 1
                todo.append(number)
    return next((number for number in range(len(order)) if not good[number]), None)


def _in_a_circle(forward):
    """Return states that lead to each other in turn, and the last to the first; or none."""
    into = [0] * len(forward)
    for after in forward:
        for number in after:
            into[number] += 1
    todo = [number for number, count in enumerate(into) if not count]
    while todo:
        for number in forward[todo.pop()]:
            into[number] -= 1
            if not into[number]:
                todo.append(number)
    # What is left is in a circle or behind one, so that each has another one before it.
    left = {number for number, count in enumerate(into) if count}
    before = {after: number for number in left for after in forward[number] if after in left}
    way, here = {}, next(iter(left), None)
    while here is not None and here not in way:
        way[here] = len(way)
        here = before[here]
    return [number for number in way if way[number] >= way[here]][::-1] if way else []
