"""``lockutils doctor``: what locks here depend on, and what is wrong."""

from __future__ import annotations

from lockutils.cli.options import HELP, UsageError, parse_one, print_help
from lockutils.cli.report import write, write_json
from lockutils.observe.doctor import examine
from lockutils.observe.doctor.finding import LEVELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockutils.observe.doctor.finding import Finding

PROGRAM = "lockutils doctor"
USAGE = f"""\
{PROGRAM} [--json] [DIR]

Checks what locks depend on, and says what to do where something is wrong: the interpreter, how
waiters wait, the lock directory and its mode, the file system and its locks, the queue, other
tools, and what can run out.

DIR is the lock directory; else the one that a lock of this user has in this environment."""
OPTIONS = {
    "--json": ("", "", "write one JSON object, for programs"),
    "--help": HELP,
}
EPILOG = """\
Each line begins with ok, warning or problem.  Below the last two an arrow says what to do.

It makes no directory and opens no lock file.  It tries the locks on a file of its own in the
directory, which it removes at once.  A file system that does not answer within 5 seconds is a
problem, and the last line.

Exit status: 0 if all is well, 1 if there is a warning, 2 if there is a problem; 64 for a wrong
command line.

Example, for the environment of a user's cron jobs:
  sudo -u backup env -i PATH="$PATH" lockutils doctor
"""


def doctor(arguments: list[str]) -> int:
    """Examine what ``arguments`` name, and print what is found.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, path = parse_one(arguments, OPTIONS, PROGRAM, "directory")
    if "--help" in given:
        return print_help(USAGE, OPTIONS, EPILOG)
    if path == "":
        raise UsageError("DIR must be a path, not ''")
    findings = examine(path)
    levels = _print_json(findings) if "--json" in given else _print_lines(findings)
    return max(map(LEVELS.index, levels))


def _print_json(findings: Iterable[Finding]) -> list[str]:
    found = [one._asdict() for one in findings]
    levels = [one["level"] for one in found]
    write_json({"level": max(levels, key=LEVELS.index), "checks": found})
    return levels


def _print_lines(findings: Iterable[Finding]) -> list[str]:
    """Print each as it comes: one that hangs is not to keep back the others."""
    levels = []
    for one in findings:
        levels.append(one.level)
        write(f"{one.level:8} {one.check:12} {one.message}\n")
        if one.advice:
            write(f"{'':21} -> {one.advice}\n")
    write(", ".join(f"{levels.count(level)} {level}" for level in LEVELS) + "\n")
    return levels
