"""The options of ``lockutils run``, and what they say."""

from __future__ import annotations

import os

from lockutils import Lock, set_defaults
from lockutils.backends.file.file_mode import parse_mode
from lockutils.cli.options import HELP, LOCK_PATH, UsageError, key_from, lock_path_of
from lockutils.cli.report import EX_TEMPFAIL
from lockutils.front.settings import lock_directory
from lockutils.front.sharing import MOST_SLOTS, SharingLock
from lockutils.local.registry import Registry
from lockutils.local.wait_queue import WaitQueue
from lockutils.parking.deadline import limit_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory

PROGRAM = "lockutils run"
USAGE = f"""\
{PROGRAM} --lock NAME [OPTION ...] [--] COMMAND [ARG ...]

Waits for the lock NAME, runs COMMAND while it holds the lock, and releases it when COMMAND ends."""
OPTIONS = {
    "--lock": (
        "",
        "NAME",
        """\
the lock to hold, which any string names; may be repeated: all
are taken or none, in one order however they are listed""",
    ),
    "--lock-file": (
        "",
        "PATH",
        """\
exactly this file, as flock(1) locks it; may be repeated, with
or without --lock""",
    ),
    "--timeout": (
        "-w --wait",
        "S",
        "wait for all locks together at most S seconds; else no limit",
    ),
    "--no-wait": ("-n --nonblock", "", "do not wait"),
    "--shared": ("-s", "", "as a reader: with others that say --shared, and nobody else"),
    "--exclusive": ("-x", "", "with nobody else, which is the default"),
    "--slots": ("", "N", "with up to N-1 others, who must all say --slots N"),
    "--fair": ("", "", "strictly in turn with all others that wait with --fair"),
    "--conflict-exit-code": ("-E", "N", "exit status when a lock was not got; else 75"),
    "--lock-path": LOCK_PATH,
    "--file-mode": (
        "",
        "MODE",
        """\
make lock files with exactly this mode, as 660 for a group;
else $LOCKUTILS_FILE_MODE, or what the umask leaves""",
    ),
    "--prefix": ("", "P", "put P and a dash before each name"),
    "--command": ("-c", "CMD", "have /bin/sh run this command line; no COMMAND follows"),
    "--close": (
        "-o",
        "",
        """\
do not hand the locks to the command, which goes on without
them if lockutils is killed""",
    ),
    "--no-fork": ("-F", "", "become the command, which then holds the locks itself"),
    "--verbose": ("", "", "say on stderr what is waited for, acquired and released"),
    "--help": HELP,
    "--version": ("-V", "", "show the version"),
}
EPILOG = """\
Exit status: that of the command, 128+N if signal N ended it; 75 if a lock was not got; 126 if
the command cannot be run, 127 if it is not found; 64 for a wrong command line; 73 if the lock
directory cannot be used; 69 if this platform cannot do it.

Signals sent to lockutils reach the command.  If lockutils is killed, the locks are held until the
command and all processes that inherited them from it have ended.

A wait of 10 s or more is told on stderr if that is a terminal, or with --verbose.

Example, from cron: skip this run if the last one has not ended
  lockutils run --lock backup --no-wait -- /usr/local/bin/backup
"""
#: pairs that contradict each other
_CONTRADICTIONS = (
    ("--no-wait", "--timeout"),
    ("--shared", "--exclusive"),
    ("--shared", "--slots"),
    ("--close", "--no-fork"),
)


class RunSettings:
    """What the options say."""

    def __init__(self, given: dict[str, list[str]]) -> None:
        def last(option: str) -> str | None:
            return given[option][-1] if option in given else None

        if "--lock" not in given and "--lock-file" not in given:
            raise UsageError("--lock NAME or --lock-file PATH is required")
        for one, other in _CONTRADICTIONS:
            if one in given and other in given:
                raise UsageError(f"{one} does not go with {other}")
        if "" in given.get("--lock-file", ()):
            raise UsageError("--lock-file needs a path, not ''")
        #: the keys of the names, sorted and unique
        self.keys = sorted({key_from(name, given) for name in given.get("--lock", ())})
        self.files = given.get("--lock-file", [])
        self.lock_path = lock_path_of(given)
        mode = last("--file-mode")
        if mode is not None:
            try:
                set_defaults(file_mode=parse_mode(mode, "--file-mode"))
            except ValueError as error:
                raise UsageError(str(error)) from None
        self.timeout = 0.0 if "--no-wait" in given else _seconds(last("--timeout"))
        self.slots = _number("--slots", last("--slots"), 1, 1, MOST_SLOTS)
        self.conflict = _number(
            "--conflict-exit-code", last("--conflict-exit-code"), EX_TEMPFAIL, 0, 255
        )
        self.fair = "--fair" in given
        self.shared = "--shared" in given
        self.close = "--close" in given
        self.no_fork = "--no-fork" in given
        self.verbose = "--verbose" in given
        self._queues: Registry[WaitQueue] = Registry(WaitQueue)
        self._queues.of_names = True  # so that a long wait tells what is held meanwhile

    def wanted(self) -> list[tuple[str, Directory]]:
        """Return the name and the directory of each lock, in the order to take them.

        :raises LockPathError: if there is no safe lock directory
        :raises OSError: if the directory of a lock file is not there
        """
        directory = lock_directory(self.lock_path) if self.keys else None
        named = [] if directory is None else [(key, directory) for key in self.keys]
        if not self.files:
            return named
        from lockutils.cli.lock_file import in_order

        return in_order(named, self.files)

    def told(self, wanted: list[tuple[str, Directory]]) -> str:
        """Return what to tell the command of the locks that it runs under."""
        from lockutils.cli.above import told

        paths = [directory.file_of(name) for name, directory in wanted]
        return told(paths, self.shared, self.slots)

    def handle(self, name: str, directory: Directory, timeout: float | None, fair: bool) -> Lock:
        """Return a handle of a lock, with the queue of its file: a name may look like a path.

        :param timeout: in seconds
        :param fair: whether it is served in strict order
        """
        queue = self._queues.get(os.fsdecode(directory.file_of(name)))
        how = name, name, queue, directory, limit_of(True, timeout), False, fair
        if self.shared or self.slots > 1:
            return SharingLock((self.shared, self.slots, False), *how)
        return Lock(*how)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        raise UsageError(f"--timeout must be a number of seconds, not {text!r}") from None
    if not seconds >= 0:
        raise UsageError(f"--timeout must not be negative or NaN: {text!r}")
    return seconds


def _number(option: str, text: str | None, default: int, lowest: int, highest: int) -> int:
    if text is None:
        return default
    # not more digits than int() takes
    digits = text.isascii() and text.isdigit() and len(text) < 10
    if not digits or not lowest <= int(text) <= highest:
        raise UsageError(f"{option} must be a number from {lowest} to {highest}, not {text!r}")
    return int(text)
