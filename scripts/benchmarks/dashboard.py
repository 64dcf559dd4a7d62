"""A picture of the metrics of a program's locks, as a dashboard has them.

The program is a run of some seconds: threads that use locks of three templates, of which one is
too narrow.  All figures are read from the registry of the Prometheus client, as a server does.
"""

from __future__ import annotations

import argparse
import math
import random
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

import lockutils
from benchmarks.picture import FAINT, FLOOR, INK, OURS, PEER, line, text, time_name

#: how long the run takes, how often its figures are read, in seconds, and how many threads work
SECONDS, PERIOD, THREADS = 20.0, 0.25, 8

WIDTH, TOP, ROW, HEIGHT = 1200, 104, 110, 80
#: where the panels begin, and how wide they are
PANELS = (250, 570, 900)
PANEL = 260
#: of the axes of time: powers of ten, in microseconds
FIRST, LAST = 1, 7


@lockutils.synchronized("image-{image}")
def convert(image: int, chance: random.Random) -> None:
    time.sleep(0.02 * chance.random())


@lockutils.synchronized("account-{account}", slots=2)
def book(account: int, chance: random.Random) -> None:
    time.sleep(0.004 * chance.random())


@lockutils.synchronized("report")
def report(chance: random.Random) -> None:
    time.sleep(0.05 + 0.1 * chance.random())


TEMPLATES = {"image-{image}": OURS, "account-{account}": FLOOR, "report": PEER}


def work(end: float, seed: int) -> None:
    chance = random.Random(seed)
    while time.monotonic() < end:
        for _ in range(5):
            convert(chance.randrange(500), chance)
            book(chance.randrange(5), chance)
        # a burst of reports in the middle of the run
        if chance.random() < (0.5 if SECONDS / 3 < end - time.monotonic() < SECONDS / 2 else 0.05):
            report(chance)


class Figures:
    """What the registry has at a moment, by template."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = {family.name: family for family in registry.collect()}

    def holders(self, template: str) -> float:
        family = self._families["lockutils_holders"]
        return sum(sample.value for sample in family.samples if sample.labels["lock"] == template)

    def shares(self, name: str, template: str) -> tuple[list[tuple[float, float]], int]:
        """Return the upper bound and the share of each bucket, and how many values there are."""
        family: Metric = self._families[name]
        counts = [
            (float(sample.labels["le"]), sample.value)
            for sample in family.samples
            if sample.name.endswith("_bucket") and sample.labels["lock"] == template
        ]
        total = counts[-1][1]
        before, shares = 0.0, []
        for bound, count in counts:
            shares.append((bound, (count - before) / total))
            before = count
        return shares, int(total)


def run() -> tuple[Figures, list[tuple[float, Figures]]]:
    """Let the program run; return the last figures, and all, each with its time."""
    registry = CollectorRegistry()
    lockutils.prometheus.instrument(registry)
    start = time.monotonic()
    threads = [
        threading.Thread(target=work, args=(start + SECONDS, number)) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    read = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(PERIOD)
        read.append((time.monotonic() - start, Figures(registry)))
    return Figures(registry), read


def draw(last: Figures, read: list[tuple[float, Figures]]) -> str:
    """Return the picture, as SVG."""
    height = TOP + ROW * len(TEMPLATES) + 10
    size = f'width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}">',
        f'<rect {size} fill="#ffffff"/>',
        text(24, 34, "Waits and holds by template", size=19, weight="bold"),
        text(
            24,
            56,
            f"{THREADS} threads, {SECONDS:.0f} seconds; figures of lockutils.prometheus",
            color="#57606a",
        ),
    ]
    titles = ("Waited", "Held", "Holders")
    lines += [text(x, 86, title, weight="bold") for x, title in zip(PANELS, titles, strict=True)]
    for number, (template, color) in enumerate(TEMPLATES.items()):
        bottom = TOP + ROW * number + HEIGHT
        lines.append(text(24, bottom - HEIGHT / 2, template, weight="bold"))
        shares, count = last.shares("lockutils_wait_seconds", template)
        lines.append(text(24, bottom - HEIGHT / 2 + 18, f"{count} times", color="#57606a"))
        lines += histogram(PANELS[0], bottom, shares, color)
        shares, _ = last.shares("lockutils_hold_seconds", template)
        lines += histogram(PANELS[1], bottom, shares, color)
        lines += course(PANELS[2], bottom, [(at, f.holders(template)) for at, f in read], color)
    lines += axes(TOP + ROW * (len(TEMPLATES) - 1) + HEIGHT + 18)
    return "\n".join([*lines, "</svg>"]) + "\n"


def place(seconds: float) -> float:
    """Where a time is in a panel, from 0 to 1."""
    share = (math.log10(seconds * 1e6) - FIRST) / (LAST - FIRST)
    return min(1.0, max(0.0, share))


def histogram(
    x: float, bottom: float, shares: list[tuple[float, float]], color: str
) -> Iterator[str]:
    """Bars of the share of each bucket, from its lower to its upper bound on a log axis."""
    left = 0.0
    for bound, share in shares:
        right = place(bound)
        if share and right > left:
            top = max(1.0, share * HEIGHT)
            yield (
                f'<rect x="{x + left * PANEL:.1f}" y="{bottom - top:.1f}" '
                f'width="{(right - left) * PANEL - 1:.1f}" height="{top:.1f}" fill="{color}"/>'
            )
        if share >= 0.01:
            percent = f"{share:.0%}".replace("%", " %")
            middle, above = x + (left + right) / 2 * PANEL, bottom - share * HEIGHT - 4
            yield text(middle, above, percent, size=10, anchor="middle", color="#57606a")
        left = right
    yield line(x, bottom, x + PANEL, bottom, FAINT)


def course(x: float, bottom: float, points: list[tuple[float, float]], color: str) -> Iterator[str]:
    """Holders over time."""
    most = max(value for _, value in points) or 1.0
    path = " ".join(
        f"{x + at / points[-1][0] * PANEL:.1f},{bottom - value / most * HEIGHT:.1f}"
        for at, value in points
    )
    yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>'
    yield line(x, bottom, x + PANEL, bottom, FAINT)
    yield text(x - 8, bottom - HEIGHT + 10, f"{most:.0f}", anchor="end", color=INK)
    yield text(x - 8, bottom, "0", anchor="end", color=INK)


def axes(y: float) -> Iterator[str]:
    for x in PANELS[:2]:
        for power in range(FIRST, LAST + 1, 2):
            at = x + (power - FIRST) / (LAST - FIRST) * PANEL
            yield text(at, y, time_name(power), anchor="middle", color="#57606a")
    yield text(PANELS[2], y, "0 s", color="#57606a")
    yield text(PANELS[2] + PANEL, y, f"{SECONDS:.0f} s", anchor="end", color="#57606a")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/metrics-picture", description=__doc__)
    parser.add_argument("file", metavar="FILE.svg")
    options = parser.parse_args()
    picture = draw(*run())
    with open(options.file, "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
