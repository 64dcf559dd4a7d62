"""Options before a command line that is not ours.

Not argparse: its import takes half as long as the interpreter's start, and its REMAINDER
takes options and ``--`` that belong to the command.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    #: an option -> what its value is called, or ``""`` where it takes none, and its help
    Options = Mapping[str, tuple[str, str]]

_HELP_COLUMN = 28


class UsageError(Exception):
    """The command line is wrong; the message names the offending part."""


def parse(arguments: list[str], options: Options) -> tuple[dict[str, list[str]], list[str]]:
    """Split ``arguments`` into our options, up to ``--`` or the first word, and the rest.

    A value is the next word, whatever it looks like, or follows ``=``.

    :return: option -> the values given for it, in order; the rest, untouched
    :raises UsageError: if an option is unknown, or has no value, or one too many
    """
    given: dict[str, list[str]] = {}
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if not argument.startswith("-") or argument == "-":
            break
        position += 1
        if argument == "--":
            break
        option, equals, value = argument.partition("=")
        if option == "-h":
            option = "--help"
        if option not in options:
            raise UsageError(f"no such option: {argument!r}")
        metavar, _ = options[option]
        if equals and not metavar:
            raise UsageError(f"{option} takes no value: {argument!r}")
        if metavar and not equals:
            if position == len(arguments):
                raise UsageError(f"{option} needs a value: {metavar}")
            value = arguments[position]
            position += 1
        given.setdefault(option, []).append(value)
    return given, arguments[position:]


def help_of(usage: str, options: Options, epilog: str) -> str:
    """Return the help text of a command."""
    lines = [f"usage: {usage}", "", "options:"]
    for option, (metavar, help_) in options.items():
        words = f"  {option} {metavar}".rstrip()
        for line in help_.splitlines():
            lines.append(f"{words:{_HELP_COLUMN}}{line}")
            words = ""
    return "\n".join([*lines, "", epilog])
