"""Who holds a lock, as far as it can be told."""

from __future__ import annotations


class Holder:
    """The holder of a lock at the moment somebody failed to get it.

    :ivar pid: process id on this host
    :ivar description: a thread name in this process, a command line in another
    """

    __slots__ = ("description", "pid")

    def __init__(self, pid: int, description: str = "") -> None:
        self.pid = pid
        self.description = description

    def __str__(self) -> str:
        return f"process {self.pid}" + (f" ({self.description})" if self.description else "")

    def __repr__(self) -> str:
        return f"Holder(pid={self.pid}, description={self.description!r})"
