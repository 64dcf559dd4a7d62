"""Cases, their figures, and the tables made of them.

A case is measured in several rounds, and all cases of a table take turns (A B C A B C ...), so
that a machine that slows down does so for all alike.  A ratio is of two figures of one round; a
table shows the median of the ratios with their quartiles, and the median of the figures.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Target:
    """What a case must not exceed, relative to its floor."""

    limit: float
    #: of "ratio", or of "extra": seconds more than the floor
    of: str = "ratio"

    def __str__(self) -> str:
        return f"<= {self.limit:.2f}x" if self.of == "ratio" else f"<= +{self.limit * 1e3:.0f} ms"


@dataclass
class Case:
    """One line of a table."""

    label: str
    #: one round: one or more samples, in seconds, or in whatever the table says
    measure: Callable[[], list[float]] | None
    #: the case it is compared with; ``None`` for a floor itself
    floor: Case | None = None
    target: Target | None = None
    #: why there are no figures
    missing: str = ""
    rounds: list[list[float]] = field(default_factory=list)
    #: further figures, by column
    more: dict[str, float | str] = field(default_factory=dict)

    def medians(self) -> list[float]:
        """The figure of each round."""
        return [statistics.median(samples) for samples in self.rounds]

    def median(self) -> float:
        return statistics.median(self.medians())

    def percentile(self, share: float) -> float:
        """Over the samples of all rounds."""
        samples = sorted(sample for samples in self.rounds for sample in samples)
        return samples[min(len(samples) - 1, int(share * len(samples)))]

    def ratios(self) -> list[float]:
        """To the floor, within each round."""
        floor = self if self.floor is None else self.floor
        return [ours / theirs for ours, theirs in zip(self.medians(), floor.medians(), strict=True)]

    def extra(self) -> float:
        """What is on top of the floor: the median over the rounds."""
        floor = self if self.floor is None else self.floor
        pairs = zip(self.medians(), floor.medians(), strict=True)
        return statistics.median(ours - theirs for ours, theirs in pairs)

    def miss(self) -> str | None:
        """How the target is missed; ``None`` where it is met or there is none."""
        if self.target is None or not self.rounds:
            return None
        if self.target.of == "ratio":
            ratio = statistics.median(self.ratios())
            return f"{ratio:.2f}x" if ratio > self.target.limit else None
        return f"+{self.extra() * 1e3:.1f} ms" if self.extra() > self.target.limit else None


@dataclass
class Table:
    """The cases of one row of the benchmark, measured."""

    title: str
    note: str
    cases: list[Case]
    #: of a figure: the unit it is shown in, and how many of it make one in the cases
    unit: tuple[str, float] = ("us", 1e6)
    #: percentiles to show, over all samples
    percentiles: tuple[float, ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "title": self.title,
            "note": self.note,
            "cases": [self._case_as_json(case) for case in self.cases],
        }

    def _case_as_json(self, case: Case) -> dict[str, object]:
        if not case.rounds:
            return {"label": case.label, "missing": case.missing}
        low, middle, high = quartiles(case.ratios())
        return {
            "label": case.label,
            "median": case.median(),
            "ratio": middle,
            "ratio_quartiles": [low, high],
            "floor": case.floor and case.floor.label,
            "percentiles": {str(share): case.percentile(share) for share in self.percentiles},
            "target": case.target and str(case.target),
            "met": None if case.target is None else case.miss() is None,
            "more": case.more,
            "rounds": case.medians(),
        }


def take_turns(cases: Iterable[Case], rounds: int) -> None:
    """Measure all cases, each once a round."""
    present = [case for case in cases if case.measure is not None]
    for _ in range(rounds):
        for case in present:
            assert case.measure is not None
            case.rounds.append(case.measure())


def quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def print_table(table: Table, seconds: float) -> None:
    unit, scale = table.unit
    width = max(len(case.label) for case in table.cases)
    measured = [case for case in table.cases if case.rounds]
    more = [name for case in measured[:1] for name in case.more]
    rounds = len(measured[0].rounds)
    print(f"\n{table.title} ({rounds} rounds, {seconds:.0f} s)\n{table.note}")
    heads = ["median " + unit, *(f"p{share:.0%}".rstrip("%") for share in table.percentiles)]
    heads += ["ratio", "quartiles", *more]
    print(" " * width + "".join(f"  {head:>13}" for head in heads) + "  target")
    for case in table.cases:
        if not case.rounds:
            print(f"{case.label:{width}}  {case.missing}")
            continue
        low, middle, high = quartiles(case.ratios())
        figures = [case.median(), *map(case.percentile, table.percentiles)]
        cells = [f"{figure * scale:.2f}" for figure in figures]
        cells += [f"{middle:.2f}", f"{low:.2f} - {high:.2f}"]
        cells += [_shown(case.more.get(name, "")) for name in more]
        line = f"{case.label:{width}}" + "".join(f"  {cell:>13}" for cell in cells)
        if case.target is not None:
            miss = case.miss()
            line += f"  {case.target} {'met' if miss is None else 'MISSED: ' + miss}"
        print(line, flush=True)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


def missed_targets(tables: Iterable[Table]) -> list[str]:
    return [
        f"{table.title}: {case.label}: {case.miss()}, target {case.target}"
        for table in tables
        for case in table.cases
        if case.miss() is not None
    ]
