"""``lockutils run``: run a command while holding locks.

Nothing about the command runs unlocked: it inherits the descriptors of the lock files, and a
lock lives as long as anybody has its descriptor.  So a ``lockutils`` that is killed leaves
the lock to the command.  At the end we unlock, and do not only close: what the command left
behind in the background has inherited the descriptors, too, but not the lock.
"""

from __future__ import annotations

import os
import signal
import sys
from time import monotonic

from lockutils import AcquireLockFailedException, SlotsMismatchError, lock
from lockutils.cli.options import UsageError, help_of, parse
from lockutils.cli.report import EX_CANTCREAT, EX_TEMPFAIL, EX_UNAVAILABLE, say
from lockutils.parking.deadline import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils import Lock
    from lockutils.cli.signals import Signals

_USAGE = "lockutils run --lock NAME [OPTION ...] [--] COMMAND [ARG ...]"
_OPTIONS = {
    "--lock": (
        "NAME",
        """\
the lock to hold, which any string names; may be repeated: all
are taken or none, in one order however they are listed""",
    ),
    "--timeout": ("S", "wait for all locks together at most S seconds; else for ever"),
    "--no-wait": ("", "do not wait"),
    "--shared": ("", "as a reader: with others that say --shared, and nobody else"),
    "--slots": ("N", "with up to N-1 others, who must all say --slots N"),
    "--fair": ("", "strictly in turn with all others that wait with --fair"),
    "--conflict-exit-code": ("N", "exit status when a lock was not got, 0 to 255; else 75"),
    "--lock-path": (
        "DIR",
        """\
directory of the lock files; else $LOCKUTILS_LOCK_PATH,
$OSLO_LOCK_PATH, or the default directory of the user""",
    ),
    "--prefix": ("P", "put P and a dash before each name"),
    "--verbose": ("", "tell on stderr of waiting, acquiring and releasing"),
    "--help": ("", "show this text"),
}
_EPILOG = """\
Exit status: that of the command, 128+N if signal N ended it; 75 if a lock was not got; 126 if
the command cannot be run, 127 if it is not found; 64 for a wrong command line; 73 if the lock
directory cannot be used; 69 if this platform cannot do it.

Signals sent to lockutils reach the command.  If lockutils is killed, the command keeps the
locks until it has ended, and whoever inherited them from it.
"""


class _Settings:
    """What the options say."""

    def __init__(self, given: dict[str, list[str]]) -> None:
        def last(option: str) -> str | None:
            return given[option][-1] if option in given else None

        if "--lock" not in given:
            raise UsageError("--lock is required")
        prefix = last("--prefix")
        #: sorted and unique; as they have one prefix, their keys are in the same order
        self.names = sorted({_text(name) for name in given["--lock"]})
        self.prefix = None if prefix is None else _text(prefix)
        self.lock_path = last("--lock-path")
        self.timeout = _seconds(last("--timeout"))
        self.conflict = _exit_code(last("--conflict-exit-code"))
        self.fair = "--fair" in given
        self.shared = "--shared" in given
        self.slots = _slots(last("--slots"))
        self.verbose = "--verbose" in given
        if "--no-wait" in given:
            if self.timeout is not None:
                raise UsageError("--no-wait does not wait, not for --timeout either")
            self.timeout = 0.0

    def handle(self, name: str, timeout: float | None, fair: bool | None = None) -> Lock:
        """Return a handle of a lock.

        :param fair: by default as the options say

        :raises UsageError: if there is something wrong with the options
        :raises LockPathError: if there is no safe lock directory
        """
        try:
            return lock(
                name,
                self.prefix,
                external=True,
                lock_path=self.lock_path,
                do_log=False,
                fair=self.fair if fair is None else fair,
                timeout=timeout,
                shared=self.shared,
                slots=self.slots,
            )
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from error


def run(arguments: list[str]) -> int:
    """Run the command that ``arguments`` give, under the locks they name.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, command = parse(arguments, _OPTIONS)
    if "--help" in given:
        sys.stdout.write(help_of(_USAGE, _OPTIONS, _EPILOG))
        return 0
    settings = _Settings(given)
    if not command:
        raise UsageError("no command to run (see lockutils run --help)")
    if not hasattr(signal, "sigwaitinfo"):
        say(f"run does not work on {sys.platform}: it needs POSIX signals and sigwaitinfo")
        return EX_UNAVAILABLE

    from lockutils.cli.child import occupy_low_descriptors, run_child
    from lockutils.cli.signals import Signals

    signals = Signals()
    held: list[Lock] = []
    start = monotonic()
    try:
        occupy_low_descriptors()
        _acquire_all(settings, signals, held)
        signals.keep_out()
        start = monotonic()
        for handle in held:
            handle.hand_to_children()
        return run_child(command, signals.mask)
    except AcquireLockFailedException as error:  # also an OSError, if it is a LockTimeout
        say(str(error))
        return settings.conflict
    except SlotsMismatchError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        say(f"{error.strerror}: {os.fsdecode(error.filename or b'')!r}")
        return EX_CANTCREAT
    finally:
        for handle in reversed(held):
            handle.release()
            if settings.verbose:
                say(f"released {handle.name!r} after {monotonic() - start:.3f} s")


def _acquire_all(settings: _Settings, signals: Signals, held: list[Lock]) -> None:
    """Acquire the locks in order, within one deadline; ``held`` are those that we have.

    :raises AcquireLockFailedException: if one was not got
    :raises LockPathError: if a lock file cannot be used
    """
    deadline = Deadline(settings.timeout, monotonic)
    for name in settings.names:
        start = monotonic()
        # A single try may pass others who wait, but for a fair one; and who goes on to wait
        # must not have passed anybody.
        handle = settings.handle(name, 0, fair=settings.fair or settings.timeout != 0)
        try:
            handle.__enter__()
        except AcquireLockFailedException as error:
            if settings.timeout == 0:
                raise
            signals.let_in()
            if settings.verbose:
                by = "" if error.holder is None else f", held by {error.holder}"
                say(f"waiting for {name!r}{by}")
            handle = settings.handle(name, deadline.left())
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


def _slots(text: str | None) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"--slots must be a number from 1 on, not {text!r}")
    return int(text)


def _exit_code(text: str | None) -> int:
    if text is None:
        return EX_TEMPFAIL
    if not (text.isascii() and text.isdigit() and int(text) <= 255):
        raise UsageError(f"--conflict-exit-code must be from 0 to 255, not {text!r}")
    return int(text)
