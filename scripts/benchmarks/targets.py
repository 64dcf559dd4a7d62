"""What a figure is to be.  A target is met or missed, and shown either way."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from benchmarks.report import Case


@dataclass(frozen=True)
class Target:
    """A figure of a case, and the most or the least that it may be."""

    figure: Callable[[Case], float]
    limit: float
    #: which figure, where it is not the ratio
    name: str = ""
    unit: str = ""
    is_least: bool = False

    def is_met(self, case: Case) -> bool:
        value = self.figure(case)
        return value >= self.limit if self.is_least else value <= self.limit

    def show(self, value: float) -> str:
        return shown(value) + self.unit

    def __str__(self) -> str:
        sign = ">=" if self.is_least else "<="
        return f"{self.name} {sign} {self.show(self.limit)}".lstrip()


def shown(value: float | str) -> str:
    """Return how a figure is printed: a count has no decimal places."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def ratio(limit: float, *, is_least: bool = False) -> Target:
    """To the floor: the median over the rounds."""
    return Target(lambda case: statistics.median(case.ratios()), limit, "", "x", is_least)


def beside(other: Case, limit: float, what: str, *, is_least: bool = False) -> Target:
    """To another case of the same run: the median over the rounds."""

    def figure(case: Case) -> float:
        pairs = zip(case.medians(), other.medians(), strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    return Target(figure, limit, f"to {what}", "x", is_least)


def tail(limit: float) -> Target:
    """The 99th percentile to the floor's, at most."""

    def figure(case: Case) -> float:
        floor = case if case.floor is None else case.floor
        return case.percentile(0.99) / floor.percentile(0.99)

    return Target(figure, limit, "p99", "x")


def extra_ms(limit: float) -> Target:
    """Milliseconds on top of the floor, at most."""
    return Target(lambda case: case.extra() * 1e3, limit, "extra", " ms")


def at_most(limit: float, name: str, unit: str, scale: float) -> Target:
    """The figure of the case itself, in a unit of which ``scale`` make one."""
    return Target(lambda case: case.median() * scale, limit, name, f" {unit}")


def column(name: str, limit: float, *, is_least: bool = False) -> Target:
    """One of the further figures of the case."""

    def figure(case: Case) -> float:
        value = case.more[name]
        assert not isinstance(value, str)
        return value

    return Target(figure, limit, name, "", is_least)


def above(others: list[Case]) -> Target:
    """No less than the best of the others, which are measured by then."""

    def figure(case: Case) -> float:
        return case.median() / max(other.median() for other in others)

    return Target(figure, 1.0, "to the best peer", "x", is_least=True)
