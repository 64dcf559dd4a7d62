"""One picture of a run: how soon a waiter has the lock, and how evenly it goes round.

It is made of the rows *handoff* and *contended* as they were measured, and written by hand: it
takes a few rectangles and lines, and no library.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from benchmarks.report import Case, Table

#: the rows that it shows
ROWS = ("handoff", "contended")

OURS, FLOOR, PEER = "#1769aa", "#8a8f98", "#d98032"
INK, FAINT = "#1b1f24", "#d8dce2"
#: from the top of one bar to that of the next, and how high it is
STEP, BAR = 26, 16
TOP, WIDTH = 116, 1200
#: where the bars begin, and how wide the longest may be
LEFT_BARS, LEFT_WIDTH = 290, 330
RIGHT_BARS, RIGHT_WIDTH = 860, 250


def draw(facts: dict[str, str], handoff: Table, contended: Table) -> str:
    """Return the picture, as SVG."""
    first = [case for case in handoff.cases if case.group == handoff.cases[0].group]
    last = [case for case in contended.cases if case.group == contended.cases[-1].group]
    left = [case for case in first if case.rounds]
    right = [case for case in last if case.rounds]
    height = TOP + STEP * max(len(left), len(right)) + 66
    slept = first[0].group
    size = f'width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}">',
        f'<rect {size} fill="#ffffff"/>',
        text(24, 34, "lockutils beside flock and its peers", size=19, weight="bold"),
        text(24, 56, subtitle(facts), color="#57606a"),
        text(24, 92, f"From release to acquire by a waiter asleep for {slept}", weight="bold"),
        text(680, 92, right_title(last[0].group), weight="bold"),
        *handoffs(left, TOP),
        *shares(right, TOP),
        *legend(height - 18),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def subtitle(facts: dict[str, str]) -> str:
    python = facts["Python"].partition(" ")[0]
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']},"
        f" Python {python}, {facts['date']}"
    )


def right_title(group: str) -> str:
    processes, _, hold = group.partition(" x ")
    return f"Worst / best served of {processes} processes that hold for {hold}"


def handoffs(cases: list[Case], top: int) -> Iterator[str]:
    """Bars of the median on a log axis, each with a tick at the 99th percentile."""
    lowest = min(case.percentile(0.5) for case in cases) * 1e6
    highest = max(case.percentile(0.99) for case in cases) * 1e6
    start = math.floor(math.log10(lowest / 2))
    decades = math.ceil(math.log10(highest)) - start
    bottom = top + STEP * len(cases)

    def place(seconds: float) -> float:
        share = (math.log10(seconds * 1e6) - start) / decades
        return LEFT_BARS + max(0.0, share) * LEFT_WIDTH

    for decade in range(decades + 1):
        x = LEFT_BARS + decade * LEFT_WIDTH / decades
        yield line(x, top - 6, x, bottom, FAINT)
        yield text(x, bottom + 16, time_name(start + decade), anchor="middle", color="#57606a")
    for number, case in enumerate(cases):
        y = top + number * STEP
        median, tail = place(case.percentile(0.5)), place(case.percentile(0.99))
        yield text(LEFT_BARS - 8, y + 13, case.label, anchor="end")
        yield bar(LEFT_BARS, y, median - LEFT_BARS, case)
        yield line(median, y + BAR / 2, tail, y + BAR / 2, color_of(case))
        yield line(tail, y + 2, tail, y + BAR - 2, color_of(case), 3)


def shares(cases: list[Case], top: int) -> Iterator[str]:
    """Bars of what the worst served process has of what the best served has."""
    bottom = top + STEP * len(cases)
    for percent in (0, 25, 50, 75, 100):
        x = RIGHT_BARS + RIGHT_WIDTH * percent / 100
        yield line(x, top - 6, x, bottom, FAINT)
        yield text(x, bottom + 16, f"{percent} %", anchor="middle", color="#57606a")
    for number, case in enumerate(cases):
        y = top + number * STEP
        share = float(case.more["worst/best"])
        yield text(RIGHT_BARS - 8, y + 13, case.label, anchor="end")
        yield bar(RIGHT_BARS, y, max(share * RIGHT_WIDTH, 1), case)
        yield text(RIGHT_BARS + RIGHT_WIDTH + 16, y + 13, f"{share:.0%}".replace("%", " %"))


def legend(y: float) -> Iterator[str]:
    x = 24
    for color, name in ((OURS, "lockutils"), (FLOOR, "the kernel alone"), (PEER, "peers")):
        yield f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{color}"/>'
        yield text(x + 18, y, name)
        x += 40 + 8 * len(name)
    yield text(x, y, "Left: bar to the median, tick at the 99th percentile.", color="#57606a")


def bar(x: float, y: float, width: float, case: Case) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}"'
        f' fill="{color_of(case)}"/>'
    )


def color_of(case: Case) -> str:
    if case.floor is None:
        return FLOOR
    return OURS if case.label.startswith("lockutils") else PEER


def line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{color}" stroke-width="{width}"/>'
    )


def text(
    x: float,
    y: float,
    content: str,
    *,
    anchor: str = "start",
    color: str = INK,
    size: int = 13,
    weight: str = "normal",
) -> str:
    font = f'font-family="sans-serif" font-size="{size}" font-weight="{weight}"'
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} {font} fill="{color}">{escape(content)}</text>'


def time_name(exponent: int) -> str:
    """Return ``10**exponent`` microseconds in the unit that fits."""
    unit, name = max((u, n) for u, n in ((0, "µs"), (3, "ms"), (6, "s")) if u <= max(0, exponent))
    return f"{10.0 ** (exponent - unit):g} {name}"
