"""``lockutils run``: run a command while holding locks.

Nothing about the command runs unlocked: it inherits the descriptors of the lock files, and a
lock lives as long as anybody has its descriptor.  So a ``lockutils`` that is killed leaves
the lock to the command, unless ``--close`` was asked for.  At the end we unlock, and do not only
close: what the command left behind in the background has inherited the descriptors, too, but not
the lock.
"""

from __future__ import annotations

import os
import signal
import sys
from time import monotonic

from lockutils import (
    AcquireLockFailedException,
    DeadlockError,
    LockPathError,
    Semaphores,
    SlotsMismatchError,
    lock,
)
from lockutils.backends.file.naming import key_of
from lockutils.cli.options import UsageError, help_of, parse
from lockutils.cli.report import EX_CANTCREAT, EX_TEMPFAIL, EX_UNAVAILABLE, say
from lockutils.front.settings import lock_directory
from lockutils.front.sharing import MOST_SLOTS
from lockutils.parking.deadline import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils import Lock
    from lockutils.cli.signals import Signals

_PROGRAM = "lockutils run"
_USAGE = f"{_PROGRAM} --lock NAME [OPTION ...] [--] COMMAND [ARG ...]"
_OPTIONS = {
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
        "wait for all locks together at most S seconds; else for ever",
    ),
    "--no-wait": ("-n --nonblock", "", "do not wait"),
    "--shared": ("-s", "", "as a reader: with others that say --shared, and nobody else"),
    "--exclusive": ("-x", "", "with nobody else, which is the default"),
    "--slots": ("", "N", "with up to N-1 others, who must all say --slots N"),
    "--fair": ("", "", "strictly in turn with all others that wait with --fair"),
    "--conflict-exit-code": ("-E", "N", "exit status when a lock was not got; else 75"),
    "--lock-path": (
        "",
        "DIR",
        """\
directory of the lock files; else $LOCKUTILS_LOCK_PATH,
$OSLO_LOCK_PATH, or the default directory of the user""",
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
    "--verbose": ("", "", "tell on stderr of waiting, acquiring and releasing"),
    "--help": ("-h", "", "show this text"),
    "--version": ("-V", "", "show the version"),
}
_EPILOG = """\
Exit status: that of the command, 128+N if signal N ended it; 75 if a lock was not got; 126 if
the command cannot be run, 127 if it is not found; 64 for a wrong command line; 73 if the lock
directory cannot be used; 69 if this platform cannot do it.

Signals sent to lockutils reach the command.  If lockutils is killed, the command keeps the
locks until it has ended, and whoever inherited them from it.
"""
#: pairs that contradict each other
_CONTRADICTIONS = (
    ("--no-wait", "--timeout"),
    ("--shared", "--exclusive"),
    ("--shared", "--slots"),
    ("--close", "--no-fork"),
)
#: how a name begins that somebody may take for a file
_LIKE_A_PATH = ("/", "./", "../")


class _Settings:
    """What the options say."""

    def __init__(self, given: dict[str, list[str]]) -> None:
        def last(option: str) -> str | None:
            return given[option][-1] if option in given else None

        if "--lock" not in given and "--lock-file" not in given:
            raise UsageError("--lock NAME or --lock-file PATH is required")
        for one, other in _CONTRADICTIONS:
            if one in given and other in given:
                raise UsageError(f"{one} does not go with {other}")
        for option in ("--lock-file", "--lock-path"):
            if "" in given.get(option, ()):
                raise UsageError(f"{option} needs a path, not ''")
        prefix = last("--prefix")
        #: the keys of the names, sorted and unique
        self.keys = sorted(
            {
                key_of(_text(name), None if prefix is None else _text(prefix))
                for name in given.get("--lock", ())
            }
        )
        self.files = given.get("--lock-file", [])
        self.lock_path = last("--lock-path")
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

    def wanted(self) -> list[tuple[str, str | None]]:
        """Return the name and the lock path of each lock, in the order to take them.

        :raises OSError: if a directory is not there
        """
        if not self.files:
            return [(key, self.lock_path) for key in self.keys]
        from lockutils.cli.lock_file import in_order

        return in_order(self.keys, self.lock_path, self.files)

    def told(self) -> str:
        """Return what to tell the command of the locks that it runs under."""
        from lockutils.cli.above import told

        paths = [lock_directory(path).file_of(name) for name, path in self.wanted()]
        return told(paths, self.shared, self.slots)

    def handle(
        self, name: str, path: str | None, timeout: float | None, fair: bool | None = None
    ) -> Lock:
        """Return a handle of a lock.

        :param fair: by default as the options say

        :raises LockPathError: if there is no safe lock directory
        """
        return lock(
            name,
            external=True,
            lock_path=path,
            do_log=False,
            semaphores=Semaphores(),  # a name and a file may look the same
            fair=self.fair if fair is None else fair,
            timeout=timeout,
            shared=self.shared,
            slots=self.slots,
        )


def run(arguments: list[str]) -> int:
    """Run the command that ``arguments`` give, under the locks they name.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, command = parse(arguments, _OPTIONS, _PROGRAM)
    if "--help" in given:
        sys.stdout.write(help_of(_USAGE, _OPTIONS, _EPILOG))
        return 0
    if "--version" in given:
        from lockutils.cli import print_version

        return print_version()
    settings = _Settings(given)
    command = _command(given, command)
    if not hasattr(signal, "sigwaitinfo"):
        say(f"run does not work on {sys.platform}: it needs POSIX signals and sigwaitinfo")
        return EX_UNAVAILABLE
    _warn_of_paths(given)

    from lockutils.cli.child import become_command, occupy_low_descriptors, run_child
    from lockutils.cli.signals import Signals

    signals = Signals()
    held: list[Lock] = []
    start = monotonic()
    try:
        occupy_low_descriptors()
        _acquire_all(settings, signals, held)
        signals.keep_out()
        start = monotonic()
        if not settings.close:
            for handle in held:
                handle.hand_to_children()
        start_it = become_command if settings.no_fork else run_child
        return start_it(command, signals.mask, settings.told(), _hint(command))
    except (AcquireLockFailedException, DeadlockError) as error:  # a LockTimeout is an OSError, too
        say(str(error))
        return settings.conflict
    except SlotsMismatchError as error:
        ours, theirs = (
            f"--slots {slots}" if slots > 1 else "no --slots"
            for slots in (error.slots, error.slots_in_use)
        )
        say(f"the lock {error.lock_name!r} is in use with {theirs}, but was asked for with {ours}")
        return settings.conflict
    except OSError as error:
        line = f"{error.strerror}: {os.fsdecode(error.filename or b'')!r}"
        hint = error.hint if isinstance(error, LockPathError) else ""
        say(f"{line}: {hint}" if hint else line)
        return EX_CANTCREAT
    finally:
        for handle in reversed(held):
            handle.release()
            if settings.verbose:
                say(f"released {handle.name!r} after {monotonic() - start:.3f} s")


def _command(given: dict[str, list[str]], words: list[str]) -> list[str]:
    """Return the words of the command.

    :raises UsageError: if there are none, or two commands
    """
    if "--command" not in given:
        if not words:
            raise UsageError(f"no command to run (see {_PROGRAM} --help)")
        return words
    if words:
        raise UsageError(f"-c takes the command line as one word, and nothing after: {words[0]!r}")
    return ["/bin/sh", "-c", given["--command"][-1]]


def _hint(command: list[str]) -> str:
    """Return what else to do where there is no such command."""
    if len(command) == 1 and command[0].split(None, 1)[1:]:
        return f"; with -c {command[0]!r} a shell runs it"
    return ""


def _warn_of_paths(given: dict[str, list[str]]) -> None:
    """Say, once, that a name that looks like a path is none."""
    for name in given.get("--lock", ()):
        if name.startswith(_LIKE_A_PATH):
            say(f"{name!r} is the name of a lock, and not that file: --lock-file locks a file")
            return


def _acquire_all(settings: _Settings, signals: Signals, held: list[Lock]) -> None:
    """Acquire the locks in order, within one deadline; ``held`` are those that we have.

    :raises AcquireLockFailedException: if one was not got
    :raises LockPathError: if a lock file cannot be used
    """
    deadline = Deadline(settings.timeout, monotonic)
    for name, path in settings.wanted():
        start = monotonic()
        # A single try may pass others who wait, but for a fair one; and who goes on to wait
        # must not have passed anybody.
        handle = settings.handle(name, path, 0, fair=settings.fair or settings.timeout != 0)
        try:
            handle.__enter__()
        except AcquireLockFailedException as error:
            if settings.timeout == 0:
                raise
            signals.let_in()
            if settings.verbose:
                by = "" if error.holder is None else f", held by {error.holder}"
                say(f"waiting for {name!r}{by}")
            handle = settings.handle(name, path, deadline.left())
            handle.__enter__()
        held.append(handle)
        if settings.verbose:
            say(f"acquired {name!r} after {monotonic() - start:.3f} s")


def _text(argument: str) -> str:
    """The same name for the same bytes, whatever locale this one process is in."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


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
