"""The locks of a directory, as ``lockutils ls`` and ``lockutils top`` list them."""

from __future__ import annotations

import os
from time import localtime, strftime, time

from lockutils.backends.file.naming import key_of_file
from lockutils.backends.file.status import Snapshot
from lockutils.errors import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from lockutils.backends.file.directory import Directory
    from lockutils.errors import Holder

#: the columns of the text, in order
COLUMNS = ("NAME", "MODE", "HOLDER", "SINCE", "WAITERS")
#: marks the beginning of a name of which the rest is not known
CUT = "..."
_DAY = 86400
_users: dict[int, str | None] = {}


class Listed:
    """A lock file, and who uses it.

    :ivar file: the name of the lock file
    :ivar name: the name of the lock, with its prefix; the beginning of it, if ``is_cut``
    """

    __slots__ = ("file", "holders", "is_cut", "name", "waiters")

    def __init__(self, file: bytes, snapshot: Snapshot, is_used: bool) -> None:
        self.file = file
        self.name, is_whole = key_of_file(file)
        self.is_cut = not is_whole
        self.holders: list[Holder] = []
        self.waiters: list[Holder] = []
        if is_used:
            path = snapshot.directory + b"/" + file
            self.holders, self.waiters = snapshot.status_of(path)

    @property
    def is_free(self) -> bool:
        return not self.holders and not self.waiters

    @property
    def title(self) -> str:
        """The name, as it can stand in a line."""
        return printable(self.name) + CUT if self.is_cut else printable(self.name) or "''"

    def rows(self) -> list[tuple[str, ...]]:
        """Return the columns of each holder; of one row at least."""
        waiters = str(len(self.waiters))
        if not self.holders:
            return [(self.title, "-" if self.waiters else "free", "-", "-", waiters)]
        return [(self.title, *columns_of(holder), waiters) for holder in self.holders]


def locks_of(
    directory: Directory, matches: Callable[[str], object], *, with_free: bool = False
) -> list[Listed]:
    """Return the locks of a directory that are held or waited for, in the order of their names.

    :param matches: whether to tell of a name
    :param with_free: whether to tell also of files that nobody uses
    :raises OSError: if the directory cannot be read
    """
    snapshot = Snapshot(directory.path)
    used = set(snapshot.files())
    files: Iterable[bytes] = used
    if with_free:
        with os.scandir(directory.path) as entries:
            # no lock file is hidden, or anything but a file
            files = [
                it.name
                for it in entries
                if not it.name.startswith(b".") and it.is_file(follow_symlinks=False)
            ]
    listed = [
        Listed(file, snapshot, file in used) for file in files if matches(key_of_file(file)[0])
    ]
    # one may have become free meanwhile
    listed = [one for one in listed if with_free or not one.is_free]
    return sorted(listed, key=lambda one: one.name)


def columns_of(one: Holder) -> tuple[str, str, str]:
    """Return the mode, the process and the time of a holder or waiter."""
    return one.mode or "?", who(one), when(one)


def who(holder: Holder) -> str:
    """Return the process, its user and its command, without the folder of the program."""
    if holder.pid is None:
        return str(holder)
    program, *words = (holder.command or "?").split(" ")
    return " ".join(
        [str(holder.pid), user_of(holder.pid) or "?", os.path.basename(program), *words]
    )


def user_of(pid: int) -> str | None:
    """Return the name of the user whose process it is, or the number."""
    try:
        number = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    if number not in _users:
        import pwd

        try:
            _users[number] = printable(pwd.getpwuid(number).pw_name)
        except KeyError:
            _users[number] = str(number)
    return _users[number]


def when(holder: Holder) -> str:
    """Return since when, in local time; with ``after`` where that is when the process began."""
    seconds = holder.not_before if holder.since is None else holder.since
    if seconds is None:
        return "?"
    form = "%H:%M:%S" if abs(time() - seconds) < _DAY else "%Y-%m-%d"
    return ("after " if holder.since is None else "") + strftime(form, localtime(seconds))


def fields(holder: Holder) -> dict[str, Any]:
    """Return what the JSON has of a holder or waiter."""
    user = None if holder.pid is None else user_of(holder.pid)
    return {
        "pid": holder.pid,
        "host": holder.host,
        "user": user,
        "command": holder.command,
        "thread": holder.thread,
        "task": holder.task,
        "mode": holder.mode,
        "since": holder.since,
        "not_before": holder.not_before,
    }
