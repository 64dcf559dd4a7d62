"""What a command tells its caller: the exit status, its output, and lines on stderr."""

from __future__ import annotations

import os
import sys

from lockutils.errors import LockPathError, printable

# sysexits.h; the names in os exist on POSIX alone
EX_USAGE = 64
EX_UNAVAILABLE = 69
EX_CANTCREAT = 73
EX_TEMPFAIL = 75
#: as a shell has them
CANNOT_RUN = 126
NOT_FOUND = 127


def write_json(found: object) -> None:
    from json import dumps

    write(dumps(found, indent=2) + "\n")


def cannot_use(error: OSError, path: bytes = b"") -> int:
    """Say why a lock directory or lock file cannot be used; return the exit status.

    :param path: of it, where ``error`` does not have it
    """
    line = f"{error.strerror}: {os.fsdecode(path or error.filename or b'')!r}"
    if isinstance(error, LockPathError):
        if error.source == "lock_path":
            error.source = "--lock-path"
        line += error.remark
    say(line)
    return EX_CANTCREAT


def say(line: str) -> None:
    """Write a line to stderr, if there is one that takes it."""
    stderr = sys.stderr
    if stderr is None:  # it was closed when we were started, and 2 may be a lock file by now
        return
    text = f"lockutils: {printable(line)}\n"
    try:
        # Not by a buffer: that keeps what it cannot write, and fails when the interpreter ends,
        # whose status is then 120, and not that of the command.
        os.write(stderr.fileno(), text.encode(stderr.encoding, "backslashreplace"))
    except OSError:
        pass  # nobody is listening, and the command must run all the same


def write(text: str) -> None:
    """Write to stdout, whatever its encoding is, and whether somebody reads it.

    :raises SystemExit: if it takes no more, as on a full disk; then that was said
    """
    stdout = sys.stdout
    if stdout is None:  # it was closed when we were started, and 1 may be another file by now
        return
    encoding = stdout.encoding or "utf-8"
    try:
        stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stdout.flush()
    except OSError as error:
        # the interpreter must not find that out once more, when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # else the reader has seen enough
            say(f"cannot write to stdout: {error.strerror}")
            raise SystemExit(EX_CANTCREAT) from None


def say_on_terminal(line: str) -> None:
    """Write a line to stderr, if that is a terminal: for somebody who sits there and waits."""
    stderr = sys.stderr
    if stderr is not None and stderr.isatty():
        say(line)
