"""``lockutils gc``: remove the lock files that nobody uses."""

from __future__ import annotations

import errno
import os
import signal
import sys
from time import time

from lockutils.backends.file.directory import DefaultDirectory
from lockutils.cli.options import HELP, UsageError, parse_one, print_help
from lockutils.cli.report import (
    EX_CANTCREAT,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
    cannot_use,
    say,
    write,
)
from lockutils.errors import LockPathError, printable
from lockutils.front.settings import lock_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory

PROGRAM = "lockutils gc"
USAGE = f"""\
{PROGRAM} [OPTION ...] [DIR]

Removes the lock files that nobody has locked.  Processes that use lockutils may hold and wait for
locks meanwhile: one whose lock file is removed while it waits goes on with a new file.

DIR is the lock directory; else $LOCKUTILS_LOCK_PATH, $OSLO_LOCK_PATH, or the default directory of
the user."""
OPTIONS = {
    "--dry-run": ("-n", "", "remove nothing; list the files that would be removed"),
    "--older-than": (
        "",
        "AGE",
        """\
only files that were made so long ago: a number of seconds, or
with a unit, as 90s, 15m, 12h, 7d""",
    ),
    "--yes": ("-y", "", "do not ask: no other tool uses the files of this directory"),
    "--help": HELP,
}
EPILOG = """\
It removes only empty regular files whose names lock files can have.  Hidden files stay, as
.lockutils-queue, in which waiters queue.  If a directory has other files and no .lockutils-queue,
gc takes it for no lock directory, and removes nothing.

The age of a file counts from its last change, which as a rule is when it was made: locking a file
does not change it.

Most other tools, as flock(1), oslo.concurrency and fasteners, do not notice when gc removes the
file that they wait for: they lock it, and exclude nobody.  lockutils cannot know whether such a
tool waits.  So outside of the default directory gc asks first, unless --yes is given.

Exit status: 0 if what nobody uses is removed; 75 if the answer was no; 64 for a wrong command line,
also if --yes is missing and there is no terminal to ask on; 69 if this platform cannot do it; 73 if
the directory cannot be used, or a file cannot be removed.

Example, from cron, for a directory that only lockutils uses:
  lockutils gc --yes --older-than 1d /var/lib/app/locks
"""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
#: how many names a line has at most
_NAMED = 3


def gc(arguments: list[str]) -> int:
    """Remove the lock files of a directory that nobody uses.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, path = parse_one(arguments, OPTIONS, PROGRAM, "directory")
    if "--help" in given:
        return print_help(USAGE, OPTIONS, EPILOG)
    if path == "":
        raise UsageError("DIR must be the path of a directory, not ''")
    age = _seconds(given["--older-than"][-1]) if "--older-than" in given else None
    if os.name != "posix":
        say(f"gc does not work on {sys.platform}: it needs POSIX locks")
        return EX_UNAVAILABLE
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # end by it, without a traceback
    try:
        directory = lock_directory(path)
    except LockPathError as error:
        return cannot_use(error)
    cell: list[int] = []
    try:
        return _collect(_Collection(cell, directory, age), given)
    except FileNotFoundError as error:
        if path is not None:
            return cannot_use(error, directory.path)
        write(f"{_title(directory)}: no lock has been used there\n")
        return 0
    except OSError as error:
        return cannot_use(error, directory.path)
    finally:
        for descriptor in cell:
            os.close(descriptor)


def _seconds(text: str) -> int:
    digits, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    # not more digits than a date has
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise UsageError(
            "--older-than must be a number of seconds, or with a unit as 15m, 12h, 7d, "
            f"not {text!r}"
        )
    return int(digits) * _UNITS[unit]


def _title(directory: Directory) -> str:
    """Return the directory, and why it is this one if the user did not name it here."""
    return f"{directory}" + ("" if directory.source == "lock_path" else f" ({directory.source})")


class _Collection:
    """The lock files of a directory that are old enough."""

    def __init__(self, cell: list[int], directory: Directory, age: int | None) -> None:
        from lockutils.backends.file.sweep import open_directory, survey

        self.is_default = isinstance(directory, DefaultDirectory)
        self.title = _title(directory)
        self.path = directory.path
        self.status = open_directory(cell, self.path, own=self.is_default)
        self.descriptor = cell[0]
        names = sorted(os.listdir(self.descriptor))
        files, others = survey(self.descriptor, names)
        if others and not self.is_default and ".lockutils-queue" not in names:
            raise OSError(
                errno.EINVAL,
                f"Not a lock directory, since {_some(others)} in it can be no lock files, and "
                "there is no .lockutils-queue; nothing was removed",
            )
        now = time()
        #: those to remove, if nobody has locked them
        self.files = {
            name: status
            for name, status in files.items()
            if age is None or status.st_mtime <= now - age
        }
        self.younger = len(files) - len(self.files)


def _collect(found: _Collection, given: dict[str, list[str]]) -> int:
    if "--dry-run" in given:
        return _list(found)
    if found.files:
        effective = os.access in os.supports_effective_ids
        if not os.access(".", os.W_OK, dir_fd=found.descriptor, effective_ids=effective):
            raise PermissionError(errno.EACCES, "No right to remove files from it")
        if not (found.is_default or "--yes" in given):
            status = _ask(found)
            if status is not None:
                return status
    return _remove(found)


def _ask(found: _Collection) -> int | None:
    """Ask whether to go on; return ``None`` if so, and else the exit status."""
    say(
        f"{found.title} may be used by other tools than lockutils.  Most, as flock(1), "
        "oslo.concurrency and fasteners, do not notice when the file that they wait for is "
        "removed: they lock it, and exclude nobody."
    )
    if sys.stdin is None or not sys.stdin.isatty():
        say("nothing was removed: if no such tool uses it, say --yes")
        return EX_USAGE
    sys.stderr.write(f"Remove {_some(list(found.files))} where nobody has locked them? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return None
    say("nothing was removed")
    return EX_TEMPFAIL


def _list(found: _Collection) -> int:
    from lockutils.backends.file.status import Snapshot

    try:
        used = {os.fsdecode(name) for name in Snapshot(found.path).files()}
    except OSError:
        used = set()
        say("this system does not tell who has a file locked: those in use are listed, too")
    free = [name for name in found.files if name not in used]
    write("".join(f"{printable(name)}\n" for name in free))
    _tell(found, f"{_files(len(free))} would be removed", len(found.files) - len(free))
    return 0


def _remove(found: _Collection) -> int:
    from lockutils.backends.file.sweep import remove_if_free

    removed = in_use = 0
    #: why a file stays -> which ones
    failed: dict[str, list[str]] = {}
    for name in found.files:
        try:
            if remove_if_free(found.descriptor, found.status, name):
                removed += 1
            else:
                in_use += 1
        except OSError as error:
            failed.setdefault(error.strerror or str(error), []).append(name)
    _tell(found, f"{_files(removed)} removed", in_use)
    for why, names in failed.items():
        say(f"cannot remove {_some(names)}: {why}")
    return EX_CANTCREAT if failed else 0


def _tell(found: _Collection, what: str, in_use: int) -> None:
    younger = f", {found.younger} younger" if found.younger else ""
    write(f"{found.title}: {what}, {in_use} in use{younger}\n")


def _files(number: int) -> str:
    return f"{number} lock file" + ("" if number == 1 else "s")


def _some(names: list[str]) -> str:
    """Name a few files, and say how many more there are."""
    shown = ", ".join(repr(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
