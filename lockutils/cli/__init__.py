"""The command line: one file a command, imported when it is asked for."""

from __future__ import annotations

import os
import sys

from lockutils.cli.options import UsageError, unknown
from lockutils.cli.report import EX_UNAVAILABLE, EX_USAGE, say, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: a command -> what it does; each has a module of its name here, with a function of that name,
#: which takes the arguments after the command and returns the exit status
COMMANDS = {
    "doctor": "check what locks depend on, and say what to do where it is wrong",
    "gc": "remove the lock files that nobody uses",
    "ls": "list the locks that are held, who holds them, and how many wait",
    "run": "run a command under a lock",
    "top": "show the held locks live, in a terminal",
    "why": "tell who holds one lock and who waits for it, and whether it is a deadlock",
}

_HELP = """\
usage: lockutils COMMAND [OPTION ...]

commands:
{}

options:
  -h, --help     show this text; after a command, the help of that command
  -V, --version  show the version
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``lockutils``, and return its exit status.

    The process is the command's: signal dispositions and the signal mask are changed, and
    not changed back.

    :param argv: the arguments, without the program; those of the process by default
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except UsageError as error:
        say(str(error))
        return EX_USAGE


def _dispatch(arguments: list[str]) -> int:
    command = arguments[0] if arguments else None
    if command in COMMANDS:
        try:
            module = __import__(f"lockutils.cli.{command}", fromlist=[command])  # without importlib
        except ImportError:
            if os.name == "posix":
                raise
            say(f"{command} does not work on {sys.platform}: it needs POSIX")
            return EX_UNAVAILABLE
        return int(getattr(module, command)(arguments[1:]))
    if command in ("--help", "-h"):
        lines = [f"  {name:15}{what}" for name, what in COMMANDS.items()]
        write(_HELP.format("\n".join(lines)))
        return 0
    if command in ("--version", "-V"):
        return print_version()
    if command is None:
        raise UsageError("no command (see lockutils --help)")
    what = "option" if command.startswith("-") else "command"
    raise unknown(what, command, (*COMMANDS, "--help", "--version"), "lockutils")


def print_version() -> int:
    """Print the version; return the exit status."""
    from lockutils import __version__

    write(f"lockutils {__version__}\n")
    return 0
