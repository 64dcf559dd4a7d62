"""What ``lockutils top`` shows: the locks, or the queue of one of them; and what keys do to it."""

from __future__ import annotations

from rich.console import Console, ConsoleDimensions, Group
from rich.table import Table
from rich.text import Text

from lockutils.cli.columns import cut
from lockutils.cli.listing import COLUMNS, columns_of, locks_of
from lockutils.cli.ls import matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import ScreenContext

    from lockutils.backends.file.directory import Directory
    from lockutils.cli.listing import Listed

#: lines that are no row: the title, the headings, what is not shown, the keys
_FRAME = 4
_LETTERS = {"j": "down", "k": "up"}
_KEYS_OF_LIST = "Up/Down select   Enter queue   / filter   q quit"
_KEYS_OF_QUEUE = "Up/Down scroll   Esc back   q quit"
_KEYS_OF_FILTER = "Enter keep   Esc drop"


class View:
    """The state of the screen.

    :param matches: whether to show a name at all
    :param locks: of the first look
    """

    def __init__(
        self, directory: Directory, matches: Callable[[str], object], locks: list[Listed]
    ) -> None:
        self._directory = directory
        self._matches = matches
        self._locks = locks
        self._problem = ""
        self._console = Console()
        self._filter = ""
        self._types_filter = False
        #: the lock file that is selected; it stays so when others come and go
        self._selected: bytes | None = None
        self._shows_queue = False
        #: the first line of the queue that is shown
        self._scrolled = 0
        self._rows = 1
        self._screen: ScreenContext | None = None

    def screen(self) -> ScreenContext:
        """Return what takes the whole terminal while it is entered, and then gives it back."""
        self._screen = self._console.screen(hide_cursor=True)
        return self._screen

    def look(self) -> None:
        """Look anew who has the locks."""
        try:
            self._locks = locks_of(self._directory, self._matches)
            self._problem = ""
        except OSError as error:
            self._locks, self._problem = [], error.strerror or str(error)

    # --- keys

    def press(self, key: str) -> bool:
        """Do what a key is for; return ``False`` if that is to quit."""
        if self._types_filter:
            self._type(key)
            return True
        key = _LETTERS.get(key, key)
        if key == "q":
            return False
        steps = {"up": -1, "down": 1, "page up": -self._rows, "page down": self._rows}
        if key in steps:
            if self._shows_queue:
                self._scrolled = max(0, self._scrolled + steps[key])
            else:
                self._select(steps[key])
        elif key == "escape":
            if not self._shows_queue:
                self._filter = ""
            self._shows_queue = False
        elif key == "/" and not self._shows_queue:
            self._types_filter = True
        elif key == "enter" and not self._shows_queue:
            self._select(0)
            self._shows_queue, self._scrolled = self._selected is not None, 0
        return True

    def _type(self, key: str) -> None:
        if key in ("enter", "escape"):
            self._types_filter = False
            if key == "escape":
                self._filter = ""
        elif key == "backspace":
            self._filter = self._filter[:-1]
        elif len(key) == 1 and key.isprintable():
            self._filter += key

    def _select(self, step: int) -> None:
        shown = self._shown()
        if shown:
            now = self._position(shown)
            self._selected = shown[min(max(now + step, 0), len(shown) - 1)].file

    # --- drawing

    def _shown(self) -> list[Listed]:
        """Return the locks that pass the filter, those with most waiters first."""
        pattern = self._filter
        if pattern and not any(char in pattern for char in "*?["):
            pattern = f"*{pattern}*"
        fits = matcher(pattern)
        shown = [lock for lock in self._locks if fits(lock.name)]
        return sorted(shown, key=lambda lock: (-len(lock.waiters), lock.name))

    def _position(self, shown: list[Listed]) -> int:
        return next((at for at, lock in enumerate(shown) if lock.file == self._selected), 0)

    def draw(self, width: int, height: int) -> None:
        """Draw all of the screen."""
        assert self._screen is not None
        # not by rich, which believes $COLUMNS
        self._console.size = ConsoleDimensions(width, height)
        self._rows = max(1, height - _FRAME)
        self._screen.update(self._queue() if self._shows_queue else self._list())

    def _list(self) -> Group:
        shown = self._shown()
        at = self._position(shown)
        first = max(0, min(at - self._rows // 2, len(shown) - self._rows))
        table = _table(*COLUMNS)
        # a long name leaves room for the holder
        widest = max(12, self._console.width // 2 - 12)
        for lock in shown[first : first + self._rows]:
            name, *others = _row_of(lock)
            row = cut(name, widest, middle=True), *others
            style = "reverse" if lock is shown[at] else None
            table.add_row(*map(Text, row), style=style)
        title = f"{_number(len(shown), 'lock')} in use"
        if len(shown) < len(self._locks):
            title += f" of {len(self._locks)}"
        if self._filter or self._types_filter:
            title += f"   /{self._filter}" + ("_" if self._types_filter else "")
        title += f"   {self._directory}"
        keys = _KEYS_OF_FILTER if self._types_filter else _KEYS_OF_LIST
        return self._framed(title, table, _hidden(first, self._rows, len(shown)), keys)

    def _queue(self) -> Group:
        lock = next((one for one in self._locks if one.file == self._selected), None)
        if lock is None:
            table = _table("")
            return self._framed("nobody holds it, and nobody waits", table, "", _KEYS_OF_QUEUE)
        table = _table("", "MODE", "PROCESS", "SINCE")
        rows = [("holds", holder) for holder in lock.holders]
        rows += [(f"waits {number}", one) for number, one in enumerate(lock.waiters, 1)]
        self._scrolled = min(self._scrolled, max(0, len(rows) - self._rows))
        for what, one in rows[self._scrolled : self._scrolled + self._rows]:
            table.add_row(*map(Text, (what, *columns_of(one))))
        title = (
            f"{lock.title}: {_number(len(lock.holders), 'holder')}, "
            f"{_number(len(lock.waiters), 'waiter')}"
        )
        return self._framed(
            title, table, _hidden(self._scrolled, self._rows, len(rows)), _KEYS_OF_QUEUE
        )

    def _framed(self, title: str, table: Table, hidden: str, keys: str) -> Group:
        lines: list[Text | Table] = [_line(self._problem or title, "bold"), table]
        if hidden:
            lines.append(_line(hidden, "dim"))
        return Group(*lines, _line(keys, "dim"))


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _table(*columns: str) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column,
            ratio=1 if column in ("HOLDER", "PROCESS") else None,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if column == "WAITERS" else "left",
        )
    return table


def _row_of(lock: Listed) -> tuple[str, ...]:
    """Return the columns of a lock, in one row: of several holders, the first."""
    row, *others = lock.rows()
    if not others:
        return row
    name, mode, holder, since, waiters = row
    return name, mode, f"{len(others) + 1}: {holder}", since, waiters


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _hidden(first: int, rows: int, count: int) -> str:
    """Return how many rows are above and below those that are shown."""
    below = max(0, count - first - rows)
    if not first and not below:
        return ""
    return f"{first} more above, {below} more below"
