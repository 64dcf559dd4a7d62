"""Who holds a lock and who waits for it, told without taking anything."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockutils.errors import Holder


class Status:
    """The holders and waiters of a lock at one moment.

    :ivar name: the name of the lock, with its prefix
    :ivar holders: the holders: several readers or slots, or one at most
    :ivar waiters: the waiters, the next to be served first where the order is known
    """

    __slots__ = ("holders", "name", "waiters")

    def __init__(
        self, name: str, holders: Iterable[Holder] = (), waiters: Iterable[Holder] = ()
    ) -> None:
        self.name = name
        self.holders = tuple(holders)
        self.waiters = tuple(waiters)

    def __repr__(self) -> str:
        return f"Status({self.name!r}, holders={self.holders!r}, waiters={self.waiters!r})"
