"""Which locks the caller holds.

Found out at the call, from the queues themselves, so that nobody keeps a book of it: an
acquisition and a release have nothing to do with this.
"""

from __future__ import annotations

from lockutils.local.registry import registries_of_names
from lockutils.local.waiters import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.local.registry import Registry


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
    return [
        (registry, name)
        for registry in registries_of_names()
        for name, queue in registry.items()
        for waiter in queue.holders()
        if waiter.is_of_same(caller) and isinstance(name, str)
    ]
