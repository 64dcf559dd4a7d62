"""Options before a command line that is not ours.

Neither argparse nor getopt: each imports ``re``, which takes half as long as the interpreter's
start, and argparse's REMAINDER takes options and ``--`` that belong to the command.
"""

from __future__ import annotations

import os

from lockutils.backends.file.naming import key_of
from lockutils.cli.report import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    #: an option -> its other names, what its value is called or ``""`` where it takes none, and
    #: its help
    Options = Mapping[str, tuple[str, str, str]]

_HELP_COLUMN = 30
#: the option ``--lock-path``
LOCK_PATH = (
    "",
    "DIR",
    """\
the lock directory; else $LOCKUTILS_LOCK_PATH, $OSLO_LOCK_PATH, or
the default directory of the user""",
)
#: the option ``--help``
HELP = ("-h", "", "show this text")


class UsageError(Exception):
    """The command line is wrong; the message names the offending part."""


def text_of(argument: str) -> str:
    """The same name for the same bytes, whatever locale this one process is in."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")


def parse(
    arguments: list[str], options: Options, program: str
) -> tuple[dict[str, list[str]], list[str]]:
    """Split ``arguments`` into our options, up to ``--`` or the first word, and the rest.

    A value is the next word, whatever it looks like, or follows ``=``, or the letter of an option
    at once.  Letters that take no value can stand together, as in ``-nx``.

    :param program: whose ``--help`` has the options
    :return: option -> the values given for it, in order; the rest, untouched
    :raises UsageError: if an option is unknown, or has no value, or one too many
    """
    names = {name: option for option in options for name in names_of(option, options)}
    given: dict[str, list[str]] = {}
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if not argument.startswith("-") or argument == "-":
            break
        position += 1
        if argument == "--":
            break
        is_long = argument.startswith("--")
        word = argument
        while word:
            if is_long:
                name, has_value, value = word.partition("=")
            else:
                name, has_value, value = word[:2], word[2:], word[2:]
            word = ""
            option = names.get(name)
            if option is None:
                raise unknown("option", argument, names, program)
            metavar = options[option][1]
            if metavar and not has_value:
                if position == len(arguments):
                    raise UsageError(f"{name} needs a value: {metavar}")
                value = arguments[position]
                position += 1
            elif has_value and not metavar:
                if is_long:
                    raise UsageError(f"{name} takes no value: {argument!r}")
                word, value = f"-{value}", ""
            given.setdefault(option, []).append(value)
    return given, arguments[position:]


def parse_one(
    arguments: list[str], options: Options, program: str, what: str
) -> tuple[dict[str, list[str]], str | None]:
    """Split ``arguments`` into options and one word at most, which options may follow.

    :param what: what the word is
    :return: as :func:`parse`; the word, or ``None``
    :raises UsageError: as :func:`parse`, or if there are two words and no ``--help``
    """
    given, words = parse(arguments, options, program)
    late, others = parse(words[1:], options, program)
    given.update(late)
    if others and "--help" not in given:
        raise UsageError(f"one {what} at a time, and not also {others[0]!r}")
    return given, words[0] if words else None


def lock_path_of(given: dict[str, list[str]]) -> str | None:
    """Return the lock directory that was given.

    :raises UsageError: if it is empty
    """
    if "" in given.get("--lock-path", ()):
        raise UsageError("--lock-path needs a path, not ''")
    return given["--lock-path"][-1] if "--lock-path" in given else None


def key_from(name: str, given: dict[str, list[str]]) -> str:
    """Return the key of a lock by its name and the prefix that was given."""
    prefix = given["--prefix"][-1] if "--prefix" in given else None
    return key_of(text_of(name), None if prefix is None else text_of(prefix))


def names_of(option: str, options: Options) -> list[str]:
    """Return the names of an option, the main one first."""
    return [option, *options[option][0].split()]


def unknown(what: str, word: str, known: Iterable[str], program: str) -> UsageError:
    """Return the error for a word that is not known, with the one that may be meant."""
    from difflib import get_close_matches  # which imports re

    name = word.partition("=")[0] if word.startswith("--") else word
    nearest = get_close_matches(name, known, 1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return UsageError(f"no such {what}: {word!r}{hint} (see {program} --help)")


def print_help(usage: str, options: Options, epilog: str) -> int:
    """Print the help text of a command; return the exit status."""
    lines = [f"usage: {usage}", "", "options:"]
    for option, (others, metavar, help_) in options.items():
        letters = [name for name in others.split() if not name.startswith("--")]
        words = [f"{option} {metavar}".rstrip()]
        words += [name for name in others.split() if name.startswith("--")]
        start = f"  {letters[0]}, " if letters else "      "
        start += ", ".join(words)
        for line in help_.splitlines():
            lines.append(f"{start:{_HELP_COLUMN}}{line}")
            start = ""
    write("\n".join([*lines, "", epilog]))
    return 0
