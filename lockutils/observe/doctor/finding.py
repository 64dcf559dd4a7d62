"""What a check finds, and the place that it looks at."""

from __future__ import annotations

from lockutils.errors import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import NamedTuple, TypeAlias

    from lockutils.backends.file.directory import Directory

    #: level, message, what to do
    Result: TypeAlias = tuple[str, str, str]
    Check: TypeAlias = Callable[["Place"], Iterator[Result]]
else:
    from typing import NamedTuple

#: from the best to the worst
LEVELS = OK, WARNING, PROBLEM = ("ok", "warning", "problem")


class Finding(NamedTuple):
    """What one check has to say.

    :ivar check: the name of the check
    :ivar level: ``"ok"``, ``"warning"`` or ``"problem"``
    :ivar message: how it is, in one line
    :ivar advice: what to do about it, in one line; empty where there is nothing to do
    """

    check: str
    level: str
    message: str
    advice: str


class Place:
    """The lock directory that is looked at, and what the checks have found of it so far."""

    def __init__(self, named: str | None) -> None:
        #: what the user asked about; ``None`` for what a lock would use
        self.named = named
        self.directory: Directory | None = None
        #: of the directory; ``None`` where it does not exist
        self.status: os.stat_result | None = None
        #: the directory, or the nearest one above that exists; ``None`` if it is of no use
        self.base: bytes | None = None
        #: what :func:`lockutils.backends.file.lock_kinds.probe` found there
        self.kinds: tuple[bool | None, bool | None, bool | None] | None = None


def ok(message: str) -> Result:
    return OK, printable(message), ""


def warning(message: str, advice: str) -> Result:
    return WARNING, printable(message), printable(advice)


def problem(message: str, advice: str) -> Result:
    return PROBLEM, printable(message), printable(advice)
