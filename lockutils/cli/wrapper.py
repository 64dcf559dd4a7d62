"""``lockutils-wrapper``: run a command with a lock directory of its own, for a run of tests."""

from __future__ import annotations

import os
import signal
import sys

from lockutils.cli.report import EX_CANTCREAT, EX_USAGE, say, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

_USAGE = """\
usage: lockutils-wrapper COMMAND [ARG ...]

Runs the command with $LOCKUTILS_LOCK_PATH and $OSLO_LOCK_PATH naming a new directory, which is
removed afterwards.  The exit status is that of the command, 128+N if signal N ended it.
"""


def main() -> None:
    """Run ``lockutils-wrapper``, and exit with the status of the command."""
    sys.exit(wrap(sys.argv[1:]))


def wrap(command: list[str]) -> int:
    """Run ``command`` with a new lock directory, and return its exit status.

    The process is the command's: signals go to it, so that none can end us before the directory
    is removed.  How they are treated is not changed back.
    """
    if not command:
        say("no command to run (see lockutils-wrapper --help)")
        return EX_USAGE
    if command[0] in ("-h", "--help"):
        write(_USAGE)
        return 0

    import shutil
    import tempfile

    if hasattr(signal, "sigwaitinfo"):
        from lockutils.cli.signals import Signals

        mask: Set[int] | None = Signals().mask
    else:
        mask = None
        # The command gets a Ctrl-C, too, and says what comes of it.  Not ignored: the command
        # would inherit that.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        directory = tempfile.mkdtemp(prefix="lockutils-")
    except OSError as error:
        say(f"cannot make a lock directory: {error.strerror}: {error.filename!r}")
        return EX_CANTCREAT
    try:
        # both: a variable of ours in the environment would win over theirs
        os.environ["LOCKUTILS_LOCK_PATH"] = os.environ["OSLO_LOCK_PATH"] = directory
        return _run(command, mask)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(command: list[str], mask: Set[int] | None) -> int:
    if mask is not None:
        from lockutils.cli.child import run_child

        return run_child(command, mask)

    import subprocess

    from lockutils.cli.report import CANNOT_RUN, NOT_FOUND

    try:
        code = subprocess.call(command)
    except OSError as error:
        say(f"cannot run {command[0]!r}: {error.strerror}")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
    return code if code >= 0 else 128 - code
