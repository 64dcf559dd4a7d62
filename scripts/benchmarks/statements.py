"""Timing statements, each in the process where it belongs.

A statement is timed as its users write it, in the loop that :mod:`timeit` makes around it.
lockutils and the floors share a process that has nothing else imported; each peer has its own,
because what one of them imports (greenlet, asyncio, logging) would cost the others.  Several
generations of processes share the rounds: the layout of memory differs from one to the next.

As a program it is that process.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.children import Child, answer, orders
from benchmarks.machine import is_installed
from benchmarks.report import Case, take_turns
from benchmarks.targets import Target

GENERATIONS = 4


@dataclass(frozen=True)
class Statement:
    """A line of a table: what is run, after ``setup``, in the process of that name."""

    label: str
    code: str
    setup: str = ""
    process: str = "ours"
    #: the label of the statement that it is compared with
    floor: str | None = None
    target: Target | None = None
    #: the distribution it needs
    package: str | None = None


def measure(statements: list[Statement], rounds: int, count: int) -> list[Case]:
    """Return the cases of these statements, measured.

    :param rounds: of each generation
    :param count: how often a statement is run in a round
    """
    children: dict[str, Child] = {}
    cases: dict[str, Case] = {}
    for statement in statements:
        case = cases[statement.label] = Case(
            statement.label,
            None,
            cases[statement.floor] if statement.floor else None,
            () if statement.target is None else (statement.target,),
        )
        if is_installed(statement.package):
            case.measure = _in_process(children, statement, count)
        else:
            case.missing = f"{statement.package} not installed"
    for _ in range(GENERATIONS):
        names = {s.process for s in statements if cases[s.label].measure is not None}
        children.update((name, Child("statements")) for name in sorted(names))
        for statement in statements:
            if cases[statement.label].measure is not None:
                _order(children, statement, count)  # to import
        take_turns(cases.values(), rounds)
        for child in children.values():
            child.end()
    return list(cases.values())


def _in_process(
    children: dict[str, Child], statement: Statement, count: int
) -> Callable[[], list[float]]:
    return lambda: [_order(children, statement, count)]


def _order(children: dict[str, Child], statement: Statement, count: int) -> float:
    order = [statement.setup, statement.code, count]
    seconds: float = children[statement.process].ask(order)
    return seconds / count


def main() -> None:
    timers: dict[tuple[str, str], timeit.Timer] = {}
    for setup, code, count in orders():
        if (setup, code) not in timers:
            names: dict[str, object] = {"__name__": "__main__"}
            exec(setup, names)
            timers[setup, code] = timeit.Timer(code, globals=names)
        timers[setup, code].timeit(count // 4)  # another process had the core, and its caches
        answer(timers[setup, code].timeit(count))


if __name__ == "__main__":
    main()
