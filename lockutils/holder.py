"""Who holds a lock, as far as it can be told."""

from __future__ import annotations

from lockutils.errors import printable


class Holder:
    """The holder of a lock at the moment somebody failed to get it.

    :ivar pid: process id on this host
    :ivar description: a thread name in this process, a command line in another: as whoever
        gave it wrote it, with escapes for what cannot be printed in one line
    """

    __slots__ = ("description", "pid")

    def __init__(self, pid: int, description: str = "") -> None:
        self.pid = pid
        self.description = printable(description)

    def __str__(self) -> str:
        return f"process {self.pid}" + (f" ({self.description})" if self.description else "")

    def __repr__(self) -> str:
        return f"Holder(pid={self.pid}, description={self.description!r})"
