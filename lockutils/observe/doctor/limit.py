"""Checks that may hang, run within a time limit.

A call on a file system whose server is away may sleep so deeply that no signal ends it, and a
process that has a thread in such a call cannot end.  So all checks run in a child process, which
is not waited for when it says nothing any more.
"""

from __future__ import annotations

import json
import os
import select
import signal

from lockutils.observe.doctor.finding import Finding, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockutils.observe.doctor.finding import Check, Place

#: seconds for one check
PATIENCE = 5.0
#: seconds after which the child is ended, where a signal can do that; until then it cleans up
#: behind itself, once it goes on
_LIFE = 60
_SERVER = "see whether the server of that file system answers: findmnt -T DIR tells which it is"
_FAULT = "this is a fault in lockutils: report it with this line"


def run_within(checks: Sequence[Check], place: Place) -> Iterator[Finding]:
    """Yield the findings of all checks; where one hangs, that is the last."""
    try:
        reader, writer = os.pipe()
    except OSError:  # no descriptor left, which the checks will tell
        yield from _run(checks, place)
        return
    try:
        child = os.fork()
    except (AttributeError, OSError):  # on Windows, or with no process to be had
        os.close(reader)
        os.close(writer)
        yield from _run(checks, place)
        return
    if child == 0:
        _tell(writer, checks, place)
    os.close(writer)
    name = ""
    left = b""
    is_complete = False
    try:
        while select.select([reader], [], [], PATIENCE)[0]:
            some = os.read(reader, 65536)
            if not some:
                os.waitpid(child, 0)
                break
            *lines, left = (left + some).split(b"\n")
            for line in lines:
                words = json.loads(line)
                if len(words) == 1:
                    (name,) = words
                    is_complete = not name
                else:
                    yield Finding(*words)
        else:
            yield Finding(name, *problem(f"no answer within {PATIENCE:.0f} seconds", _SERVER))
            return
        if not is_complete:
            yield Finding(name, *problem("the process that looked has ended", _FAULT))
    finally:
        os.close(reader)


def _tell(writer: int, checks: Sequence[Check], place: Place) -> None:
    """In the child: write the findings, and before those of a check its name; and end."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LIFE)
        # Whoever reads our output must not wait for a child that hangs.
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            if stream != writer:
                os.dup2(null, stream)
        for check in [*checks, None]:
            _write(writer, [] if check is None else [_name_of(check)])
            for found in _run([] if check is None else [check], place):
                _write(writer, [found.check, found.level, found.message, found.advice])
    finally:
        os._exit(0)


def _write(writer: int, words: list[str]) -> None:
    os.write(writer, json.dumps(words or [""]).encode() + b"\n")


def _run(checks: Sequence[Check], place: Place) -> Iterator[Finding]:
    for check in checks:
        try:
            for result in check(place):
                yield Finding(_name_of(check), *result)
        except OSError as error:
            said = warning(f"cannot be told: {error}", "see whether this user may look there")
            yield Finding(_name_of(check), *said)
        except Exception as error:
            said = problem(f"{type(error).__name__}: {error}", _FAULT)
            yield Finding(_name_of(check), *said)


def _name_of(check: Check) -> str:
    return check.__name__.replace("_", " ")
