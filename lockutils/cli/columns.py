"""Rows of text in columns, which fit the terminal if there is one."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from lockutils.cli.listing import COLUMNS

_GAP = "  "
#: marks a text that was cut
_MORE = "..."
_NAME, _HOLDER = COLUMNS.index("NAME"), COLUMNS.index("HOLDER")
#: to be readable at all
_LEAST = 12


def lines_of(rows: list[tuple[str, ...]], width: int | None) -> list[str]:
    """Return a heading and the rows.

    :param width: of the terminal; ``None`` to cut nothing
    """
    table = [COLUMNS, *rows]
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    if width is not None:
        _shrink(widths, width)
    return [
        _GAP.join(map(_fit, row, widths)).rstrip()[: None if width is None else width]
        for row in table
    ]


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def _shrink(widths: list[int], width: int) -> None:
    """Take what is too much from the holder, and then from the name."""
    too_much = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    # first each down to what is still of use, the command before the name
    for column in (_HOLDER, _NAME):
        least = 24 if column == _HOLDER else _LEAST
        less = max(0, min(too_much, widths[column] - least))
        widths[column] -= less
        too_much -= less


def _fit(text: str, width: int) -> str:
    if cells(text) <= width:
        return text + " " * (width - cells(text))
    cut = text
    while cells(cut) > width - len(_MORE):
        cut = cut[:-1]
    return cut + _MORE + " " * (width - cells(cut) - len(_MORE))
