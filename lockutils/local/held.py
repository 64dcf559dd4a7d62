"""Which locks the caller holds.

Found out at the call, from the queues themselves, so that nobody keeps a book of it: an
acquisition and a release have nothing to do with this.
"""

from __future__ import annotations

import sys

from lockutils.front.handle import Lock
from lockutils.local import waiters
from lockutils.local.registry import registries_of_names
from lockutils.local.waiters import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from lockutils.local.registry import Registry

#: where a turn that is in the queue is being acquired, or given up; both call it ``turn``
_UNDER_WAY = [
    function.__code__ for function in (Lock._acquire, Lock._acquire_in_task, waiters.give_up)
]


def held() -> frozenset[str]:
    """Return the names of the locks that the caller holds, prefixes included.

    For assertions: ``assert "db" in lockutils.held()``.  It looks at all locks of the process
    that are in use, which makes a millisecond of some thousands.

    The caller is the running task, if there is one, else the greenthread or native thread;
    and only what this very caller acquired counts.  So a task does not hold what another
    task of its thread acquired, nor what the thread did before it started the event loop.  A
    handle that is passed on stays with whoever acquired it, until it is released.  A forked
    child holds nothing of its parent's.

    Locks of a :class:`LockByKey` have no names and are left out; those of a
    :class:`Semaphores` are there as long as somebody has that.
    """
    return frozenset(name for _, name in locks_held())


def locks_held() -> list[tuple[Registry[Any], str]]:
    """Return the locks that the caller holds: where they are, and their names."""
    caller = Waiter()
    found = [
        (turn, registry, name)
        for registry in registries_of_names()
        for name, queue in registry.items()
        for turn in queue.holders()
        if turn.is_of_same(caller) and isinstance(name, str)
    ]
    if not found:
        return []
    under_way = _turns_under_way()
    return [
        (registry, name)
        for turn, registry, name in found
        if not any(turn is other for other in under_way)
    ]


def _turns_under_way() -> list[Waiter | None]:
    """The turns that the caller is about to acquire or to give up.

    It is, if it is a signal handler or finaliser.  A turn that is first in its queue may then
    have nothing outside of the process yet, or no more, and the turn itself does not tell;
    but whatever was interrupted is further down on the caller's own stack.

    Only a coroutine that somebody steps by hand, and leaves suspended in an acquisition while
    the same task goes on, is neither there nor done: its lock may be reported too early.
    """
    found: list[Waiter | None] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        # not by comparison, which reads all of the code
        if any(frame.f_code is code for code in _UNDER_WAY):
            variables = frame.f_locals
            turn = variables.get("turn")
            # the log line of an acquisition comes when it is done
            if getattr(variables.get("self"), "_turn", None) is not turn:
                found.append(turn)
        frame = frame.f_back
    return found
