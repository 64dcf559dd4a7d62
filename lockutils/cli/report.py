"""What a command tells its caller: the exit status, and lines on stderr."""

from __future__ import annotations

import sys

from lockutils.errors import printable

# sysexits.h; the names in os exist on POSIX alone
EX_USAGE = 64
EX_UNAVAILABLE = 69
EX_CANTCREAT = 73
EX_TEMPFAIL = 75
#: as a shell has them
CANNOT_RUN = 126
NOT_FOUND = 127


def say(line: str) -> None:
    """Write a line to stderr, if there is one that takes it."""
    stderr = sys.stderr
    if stderr is None:  # it was closed when we were started
        return
    try:
        stderr.write(f"lockutils: {printable(line)}\n")
        stderr.flush()
    except OSError:
        pass  # nobody is listening, and the command must run all the same
