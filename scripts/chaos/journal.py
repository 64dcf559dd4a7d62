"""What happened, in the order it happened: a file that everybody appends lines to.

A write to a file that was opened with ``O_APPEND`` is one step (write(2)), so the order of the
lines is one that all processes agree on.  A holder writes BEGIN after it has acquired and END
before it releases; so if the lines of two holders overlap, both were inside at once.
"""

from __future__ import annotations

import os
from time import monotonic_ns
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: who writes is about to acquire
ASK = "ASK"
#: has acquired
BEGIN = "BEGIN"
#: is about to release
END = "END"
#: does not want it any more, and has never had it; or has released it
LEFT = "LEFT"
#: the process ``who`` is about to be killed; GONE when it is
KILL = "KILL"
GONE = "GONE"
#: somebody is about to take the file of the lock away, locked or not; and has done so
SPLIT = "SPLIT"
APART = "APART"
#: what a process does to itself, or has done to one of its tasks; the key is its name
FAULT = "FAULT"


class Event(NamedTuple):
    #: on the monotonic clock in nanoseconds, which the whole host shares; 0 if not known
    time: int
    what: str
    key: str
    #: how the lock is held, or wanted
    how: str
    #: the process, or a turn of it: ``process.number``
    who: str

    @property
    def process(self) -> str:
        return self.who.partition(".")[0]


class Writer:
    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def write(self, what: str, key: str, how: str, who: str) -> None:
        os.write(self._file, f"{monotonic_ns()} {what} {key} {how} {who}\n".encode())


class Reader:
    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115
        self._rest = b""

    def events(self) -> Iterator[Event]:
        """Yield what has been written since the last call."""
        # and no more, since others may write faster than we read
        left = os.fstat(self._file.fileno()).st_size - self._file.tell()
        while left > 0 and (chunk := self._file.read(min(left, 1 << 20))):
            left -= len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                time, what, key, how, who = line.decode().split(" ")
                yield Event(int(time), what, key, how, who)
