"""Cases, their figures, and the tables made of them.

A case is measured in several rounds, and all cases of a table take turns (A B C A B C ...), so
that a machine that slows down does so for all alike.  A ratio is of two figures of one round; a
table shows the median of the ratios with their quartiles, and the median of the figures.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.targets import Target, shown


@dataclass
class Case:
    """One line of a table."""

    label: str
    #: one round: one or more samples, in seconds, or in whatever the table says
    measure: Callable[[], list[float]] | None
    #: the case it is compared with; ``None`` for a floor itself
    floor: Case | None = None
    targets: tuple[Target, ...] = ()
    #: why there are no figures
    missing: str = ""
    rounds: list[list[float]] = field(default_factory=list)
    #: further figures, by column
    more: dict[str, float | str] = field(default_factory=dict)
    #: the setting that it shares with other cases of its table
    group: str = ""

    def name(self) -> str:
        return f"{self.group}: {self.label}" if self.group else self.label

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
        if self.floor is None:
            return [1.0] * len(self.rounds)
        pairs = zip(self.medians(), self.floor.medians(), strict=True)
        return [ours / theirs for ours, theirs in pairs]

    def extra(self) -> float:
        """What is on top of the floor: the median over the rounds."""
        floor = self if self.floor is None else self.floor
        pairs = zip(self.medians(), floor.medians(), strict=True)
        return statistics.median(ours - theirs for ours, theirs in pairs)

    def checked(self) -> list[tuple[Target, float, bool]]:
        """Each target with its figure, and whether it is met."""
        if not self.rounds:
            return []
        return [(target, target.figure(self), target.is_met(self)) for target in self.targets]


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
            return {"group": case.group, "label": case.label, "missing": case.missing}
        low, middle, high = quartiles(case.ratios())
        return {
            "group": case.group,
            "label": case.label,
            "median": case.median(),
            "ratio": middle,
            "ratio_quartiles": [low, high],
            "floor": case.floor and case.floor.name(),
            "percentiles": {str(share): case.percentile(share) for share in self.percentiles},
            "targets": [
                {"text": str(target), "value": value, "met": met}
                for target, value, met in case.checked()
            ],
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
    width = max(len(case.name()) for case in table.cases)
    measured = [case for case in table.cases if case.rounds]
    more = list(dict.fromkeys(name for case in measured for name in case.more))
    rounds = len(measured[0].rounds)
    print(f"\n{table.title} ({rounds} rounds, {seconds:.0f} s)\n{table.note}")
    heads = ["median " + unit, *(f"p{share:.0%}".rstrip("%") for share in table.percentiles)]
    compared = any(case.floor is not None for case in table.cases)
    heads += [*(["ratio", "quartiles"] if compared else []), *more]
    print(" " * width + "".join(f"  {head:>13}" for head in heads) + "  targets")
    for case in table.cases:
        if not case.rounds:
            print(f"{case.name():{width}}  {case.missing}")
            continue
        figures = [case.median(), *map(case.percentile, table.percentiles)]
        cells = [f"{figure * scale:.2f}" for figure in figures]
        if compared:
            low, middle, high = quartiles(case.ratios())
            cells += [f"{middle:.2f}", f"{low:.2f} - {high:.2f}"]
        cells += [shown(case.more.get(name, "")) for name in more]
        line = f"{case.name():{width}}" + "".join(f"  {cell:>13}" for cell in cells)
        told = (
            f"{target} {'met' if met else 'MISSED: ' + target.show(value)}"
            for target, value, met in case.checked()
        )
        print(f"{line}  {', '.join(told)}".rstrip(), flush=True)


def missed_targets(tables: Iterable[Table]) -> list[str]:
    return [
        f"{table.title}: {case.name()}: {target.show(value)}, target {target}"
        for table in tables
        for case in table.cases
        for target, value, met in case.checked()
        if not met
    ]
