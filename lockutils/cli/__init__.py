"""The command line: one file a command, imported when it is asked for."""

from __future__ import annotations

import sys

from lockutils.cli.options import UsageError
from lockutils.cli.report import EX_USAGE, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_HELP = """\
usage: lockutils COMMAND [OPTION ...]

commands:
  run        run a program while holding locks

options:
  --help     show this text, or with a command what it takes
  --version  show the version
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
    if command == "run":
        from lockutils.cli.run import run

        return run(arguments[1:])
    if command in ("--help", "-h"):
        sys.stdout.write(_HELP)
        return 0
    if command == "--version":
        sys.stdout.write(f"lockutils {_version()}\n")
        return 0
    problem = "no command" if command is None else f"no such command: {command!r}"
    raise UsageError(f"{problem} (see lockutils --help)")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lockutils")
    except PackageNotFoundError:
        return "(not installed)"
