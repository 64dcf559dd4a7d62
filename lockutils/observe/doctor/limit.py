"""Checks that may hang, run within a time limit.

A call on a file system whose server is away may sleep so deeply that no signal ends it, and a
process that has a thread in such a call cannot end.  So all checks run in a child process, which
is left alone when it says nothing any more.
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
#: seconds after which the child is ended, where that is possible; until then it cleans up behind
#: itself as soon as the file system answers
_LIFE = 60
_SERVER = "see whether the server of that file system answers: findmnt -T DIR says which it is"
_FAULT = "this is a fault in lockutils: report it with this line"


def run_within(checks: Sequence[Check], place: Place) -> Iterator[Finding]:
    """Yield the findings of all checks; where one hangs, that is the last."""
    pipe: list[int] = []
    try:
        pipe.extend(os.pipe())
        child = os.fork()
    except (AttributeError, OSError):  # on Windows; or none to be had, which the checks will tell
        for fd in pipe:
            os.close(fd)
        for check in checks:
            yield from _run(check, place)
        return
    reader, writer = pipe
    if child == 0:
        os.close(reader)
        _tell(writer, checks, place)
    os.close(writer)
    with open(reader, "rb", 0) as answers:
        name, lines = "checks", [b""]
        while select.select([answers], [], [], PATIENCE)[0]:
            some = answers.read(65536)
            if not some:
                os.waitpid(child, 0)
                if name:
                    yield Finding(name, *problem("the process that looked has ended", _FAULT))
                return
            lines = (lines[-1] + some).split(b"\n")
            for words in map(json.loads, lines[:-1]):
                if len(words) > 1:
                    yield Finding(*words)
                else:
                    name = words[0]
        yield Finding(name, *problem(f"no answer within {PATIENCE:.0f} seconds", _SERVER))


def _tell(writer: int, checks: Sequence[Check], place: Place) -> None:
    """In the child: write the name of each check and what it finds, and end."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LIFE)
        # Whoever reads our output must not wait for a child that hangs.
        null = os.open(os.devnull, os.O_RDWR)
        for stream in {0, 1, 2} - {writer}:
            os.dup2(null, stream)
        # Not as text: where the working directory is gone, Python 3.13 cannot look for an encoding.
        with open(writer, "wb", 0) as out:
            for check in checks:
                out.write(_line([_name_of(check)]))
                out.writelines(_line(one) for one in _run(check, place))
            out.write(_line([""]))
    finally:
        os._exit(0)


def _line(words: Sequence[str]) -> bytes:
    return json.dumps(words).encode() + b"\n"


def _run(check: Check, place: Place) -> Iterator[Finding]:
    try:
        for result in check(place):
            yield Finding(_name_of(check), *result)
    except OSError as error:
        result = warning(f"the check failed: {error}", "see whether this user may look there")
        yield Finding(_name_of(check), *result)
    except Exception as error:
        yield Finding(_name_of(check), *problem(f"{type(error).__name__}: {error}", _FAULT))


def _name_of(check: Check) -> str:
    return check.__name__.replace("_", " ")
