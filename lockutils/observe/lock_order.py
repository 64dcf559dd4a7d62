"""Which lock was asked for while which was held, and the circles in that.

There is no guard: a signal handler or finaliser that takes a lock may interrupt at any place
and come here itself.  Each change is one ``setdefault``, and who looks for a circle has noted
before what might close it; so of two who close it from both sides at once, one sees it.
"""

from __future__ import annotations

from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import TypeAlias
    from weakref import ref

    from lockutils.local.registry import Registry

    #: where the lock is, and its name
    Node: TypeAlias = tuple[ref[Registry[object]], str]


class Inversion:
    """Locks that were taken in orders that do not go together.

    ``str()`` of it is the whole report.

    :ivar names: of the locks; each was held when the next was asked for, the last when the
        first was
    :ivar stacks: for each of ``names``, where the next one was asked for, when that was first
        seen; as :func:`traceback.format_stack` has it, but in one piece
    """

    __slots__ = ("names", "stacks")

    def __init__(self, names: tuple[str, ...], stacks: tuple[str, ...]) -> None:
        self.names = names
        self.stacks = stacks

    def __str__(self) -> str:
        circle = [*self.names, self.names[0]]
        lines = ["Locks are taken in an order that can deadlock: "]
        lines += [" -> ".join(map(repr, circle)), "\n"]
        for (held, asked), stack in zip(pairwise(circle), self.stacks, strict=True):
            lines.append(f"{asked!r} was asked for while {held!r} was held, first here:\n{stack}")
        return "".join(lines)


class LockOrder:
    """The order in which locks have been taken so far.

    :param limit: how many pairs of locks to remember; some more or less if threads race
    """

    __slots__ = ("_after", "_room", "_said", "report")

    #: called with what is wrong
    report: Callable[[Inversion], object]

    def __init__(self, limit: int) -> None:
        #: the lock held, the lock asked for, and the stack of who asked
        self._after: dict[Node, dict[Node, str]] = {}
        self._room = limit
        self._said: dict[Hashable, object] = {}

    def note(self, held: list[Node], asked: Node, stack: Callable[[], str]) -> list[Inversion]:
        """Note that ``asked`` is asked for while ``held`` are held; return what is wrong with it.

        :param stack: called if that is new
        """
        if asked in held:
            return []  # it does not wait: it is counted, or refused
        new = [node for node in held if asked not in self._after.get(node, ())]
        if not new or self.is_full():
            return []
        text = stack()
        found = []
        for node in new:
            self._after.setdefault(node, {}).setdefault(asked, text)
            self._room -= 1
            circle = self._way(asked, node)
            if circle and self.is_first(frozenset(circle)):
                pairs = pairwise([node, *circle])
                steps = [(held[1], self._after[held][asked]) for held, asked in pairs]
                found.append(Inversion(*zip(*steps, strict=True)))
        return found

    def is_full(self) -> bool:
        return self._room <= 0

    def is_first(self, topic: Hashable) -> bool:
        """Whether nobody has asked so for ``topic`` before."""
        token = object()
        return self._said.setdefault(topic, token) is token

    def _way(self, start: Node, end: Node) -> list[Node] | None:
        """One of the shortest ways from ``start`` to ``end``, both included."""
        seen = {start}
        ways = [[start]]
        for way in ways:
            for node in list(self._after.get(way[-1], ())):
                if node == end:
                    return [*way, node]
                if node not in seen:
                    seen.add(node)
                    ways.append([*way, node])
        return None
