"""Rows of text in columns, which fit the terminal if there is one."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from lockutils.cli.listing import COLUMNS

_GAP = "  "
_NAME, _HOLDER = COLUMNS.index("NAME"), COLUMNS.index("HOLDER")
#: what a column is narrowed to, in order: the command before the name, to what is still of use
_LEAST = ((_HOLDER, 24), (_NAME, 12), (_HOLDER, 6))


def lines_of(rows: list[tuple[str, ...]], width: int | None) -> list[str]:
    """Return a heading and the rows.

    :param width: of the terminal; ``None`` to cut nothing
    """
    table = [COLUMNS, *rows]
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    if width is not None:
        too_much = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        for column, least in _LEAST:
            less = max(0, min(too_much, widths[column] - least))
            widths[column] -= less
            too_much -= less
    lines = []
    for name, *others in table:
        row = cut(name, widths[_NAME], middle=True), *map(cut, others, widths[1:])
        padded = [text + " " * (wide - cells(text)) for text, wide in zip(row, widths, strict=True)]
        lines.append(_GAP.join(padded).rstrip())
    return lines if width is None else [cut(line, width) for line in lines]


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, width: int, *, middle: bool = False) -> str:
    """Return a text that takes ``width`` columns at most.

    :param middle: whether to cut it there: names often differ at the end
    """
    if cells(text) <= width:
        return text
    more = "..."[:width]
    start, end = text, ""
    if middle:
        end = text[-((width - len(more)) // 2) or len(text) :]
        while cells(end) > (width - len(more)) // 2:
            end = end[1:]
        start = text[: len(text) - len(end)]
    while cells(start) + len(more) + cells(end) > width:
        start = start[:-1]
    return start + more + end
