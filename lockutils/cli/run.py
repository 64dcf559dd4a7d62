"""``lockutils run``: run a command while holding locks.

Nothing about the command runs unlocked: it inherits the descriptors of the lock files, and a
lock lives as long as anybody has its descriptor.  So a ``lockutils`` that is killed leaves
the lock to the command, unless ``--close`` was asked for.  At the end we unlock, and do not only
close: what the command left behind in the background has inherited the descriptors, too, but not
the lock.
"""

from __future__ import annotations

import signal
import sys
from time import monotonic

from lockutils import (
    AcquireLockFailedException,
    DeadlockError,
    SlotsMismatchError,
)
from lockutils.cli.options import UsageError, parse, print_help
from lockutils.cli.report import EX_UNAVAILABLE, cannot_use, say, say_on_terminal
from lockutils.cli.run_options import EPILOG, OPTIONS, PROGRAM, USAGE, RunSettings
from lockutils.observe import log
from lockutils.parking.deadline import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils import Lock
    from lockutils.backends.file.directory import Directory
    from lockutils.cli.signals import Signals

#: how a name begins that somebody may take for a file
_LIKE_A_PATH = ("/", "./", "../")


def run(arguments: list[str]) -> int:
    """Run the command that ``arguments`` give, under the locks they name.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, command = parse(arguments, OPTIONS, PROGRAM)
    if "--help" in given:
        return print_help(USAGE, OPTIONS, EPILOG)
    if "--version" in given:
        from lockutils.cli import print_version

        return print_version()
    settings = RunSettings(given)
    command = _command(given, command)
    if not hasattr(signal, "sigwaitinfo"):
        say(f"run does not work on {sys.platform}: it needs POSIX signals and sigwaitinfo")
        return EX_UNAVAILABLE
    _warn_of_paths(given)

    from lockutils.cli.child import become_command, occupy_low_descriptors, run_child
    from lockutils.cli.signals import Signals

    signals = Signals()
    log.notice = say if settings.verbose else say_on_terminal
    held: list[Lock] = []
    start = monotonic()
    try:
        occupy_low_descriptors()
        wanted = settings.wanted()
        _acquire_all(settings, wanted, signals, held)
        signals.keep_out()
        start = monotonic()
        if not settings.close:
            for handle in held:
                handle.hand_to_children()
        start_it = become_command if settings.no_fork else run_child
        return start_it(command, signals.mask, settings.told(wanted), _hint(command))
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
        return cannot_use(error)
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
            raise UsageError(f"no command to run (see {PROGRAM} --help)")
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


def _acquire_all(
    settings: RunSettings, wanted: list[tuple[str, Directory]], signals: Signals, held: list[Lock]
) -> None:
    """Acquire the locks in order, within one deadline; ``held`` are those that we have.

    :raises AcquireLockFailedException: if one was not got
    :raises LockPathError: if a lock file cannot be used
    """
    deadline = Deadline(settings.timeout, monotonic)
    for name, directory in wanted:
        start = monotonic()
        # A single try may pass others who wait, but for a fair one; and who goes on to wait
        # must not have passed anybody.
        handle = settings.handle(name, directory, 0, settings.fair or settings.timeout != 0)
        try:
            handle.__enter__()
        except AcquireLockFailedException as error:
            if settings.timeout == 0:
                raise
            signals.let_in()
            if settings.verbose:
                by = "" if error.holder is None else f", held by {error.holder}"
                say(f"waiting for {name!r}{by}")
            handle = settings.handle(name, directory, deadline.left(), settings.fair)
            handle.__enter__()
        held.append(handle)
        if settings.verbose:
            say(f"acquired {name!r} after {monotonic() - start:.3f} s")
