"""``lockutils ls``: who holds the locks of a directory, and who waits for them."""

from __future__ import annotations

import os
import sys

from lockutils.cli.options import HELP, LOCK_PATH, lock_path_of, parse_one, print_help, text_of
from lockutils.cli.report import EX_UNAVAILABLE, cannot_use, say, write, write_json
from lockutils.errors import LockPathError
from lockutils.front.settings import lock_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lockutils.backends.file.directory import Directory
    from lockutils.cli.listing import Listed

PROGRAM = "lockutils ls"
USAGE = f"""\
{PROGRAM} [OPTION ...] [PATTERN]

Lists the locks that somebody holds or waits for: who holds each, since when, and how many wait.  It
takes no lock, and nobody notices it.

PATTERN selects names as a shell does: * ? [abc].  Quote it."""
OPTIONS = {
    "--all": ("-a", "", "list also lock files that nobody uses"),
    "--json": ("", "", "write JSON, with all that is known of each holder and waiter"),
    "--lock-path": LOCK_PATH,
    "--help": HELP,
}
EPILOG = """\
HOLDER is the process, its user and its command.  It is named only if it has the lock at the moment:
of another user's processes only root can tell.  SINCE is the time when it acquired the lock;
"after" is the time when the process began, and it acquired the lock later.  A name that ends in
"..." is longer, and its lock file does not have the rest.

Other tools on the same files are listed, too, as flock(1), filelock and oslo.concurrency.  Those
that wait by trying again and again cannot be seen to wait.

Exit status: 0, also if there is no lock; 64 for a wrong command line; 69 if this system does not
tell who has a file locked; 73 if the directory cannot be read.

Example:
  lockutils ls 'backup-*'
"""
#: of the JSON; it changes when a field goes or changes its meaning, and not when one is added
VERSION = 1


def ls(arguments: list[str]) -> int:
    """List the locks of a directory.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, pattern = parse_one(arguments, OPTIONS, PROGRAM, "pattern")
    if "--help" in given:
        return print_help(USAGE, OPTIONS, EPILOG)
    matches = matcher(text_of(pattern or ""))
    found = find(lock_path_of(given), matches, with_free="--all" in given)
    if isinstance(found, int):
        return found
    directory, locks = found
    if "--json" in given:
        write_json(_as_json(directory, locks))
    else:
        write(_as_text(locks))
    return 0


def matcher(pattern: str) -> Callable[[str], object]:
    """Return what tells whether a name is one of ``pattern``; an empty one has all."""
    if not pattern:
        return lambda name: True
    from fnmatch import fnmatchcase

    return lambda name: fnmatchcase(name, pattern)


def find(
    path: str | None, matches: Callable[[str], object], *, with_free: bool = False
) -> tuple[Directory, list[Listed]] | int:
    """Return the directory and its locks; or the exit status, if that is not possible.

    A directory that is not there has no locks, unless the user has named it here.
    """
    from lockutils.backends.file.proc import trouble
    from lockutils.cli.listing import locks_of

    if why := trouble():
        say(f"this system does not tell who has a file locked: {why}")
        return EX_UNAVAILABLE

    try:
        directory = lock_directory(path, make=False)
    except LockPathError as error:
        return cannot_use(error)
    try:
        return directory, locks_of(directory, matches, with_free=with_free)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path is None:
            return directory, []
        return cannot_use(error, directory.path)


def _as_text(locks: list[Listed]) -> str:
    from lockutils.cli.columns import lines_of

    rows = [row for lock in locks for row in lock.rows()]
    width = None
    if sys.stdout is not None and sys.stdout.isatty():
        width = os.get_terminal_size(sys.stdout.fileno()).columns or None
    return "".join(f"{line}\n" for line in lines_of(rows, width))


def _as_json(directory: Directory, locks: list[Listed]) -> dict[str, object]:
    from lockutils.cli.listing import fields

    return {
        "version": VERSION,
        "directory": str(directory),
        "locks": [
            {
                "name": lock.name,
                "name_is_cut": lock.is_cut,
                "file": os.fsdecode(lock.file),
                "holders": [fields(holder) for holder in lock.holders],
                "waiters": [fields(waiter) for waiter in lock.waiters],
            }
            for lock in locks
        ],
    }
