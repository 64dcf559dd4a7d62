"""How any kind of waiter waits: the parker that fits the caller.

The libraries are looked up in ``sys.modules`` and never imported: where one is not loaded,
it has no waiters.  Nor is anything of our own imported once ``import lockutils`` is done.
Under a patched interpreter the import locks are green locks, and native threads that meet
at a first import can stop each other without end in the making of hubs.
"""

from __future__ import annotations

import sys

from lockutils.local.caller import in_trio
from lockutils.parking.hub_waker import HubParker
from lockutils.parking.native import is_patched
from lockutils.parking.on_eventlet import EventletWaker
from lockutils.parking.on_gevent import GeventWaker
from lockutils.parking.on_thread import ThreadParker
from lockutils.parking.tasks import AsyncioParker, TrioParker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.parking.base import Parker

_modules = sys.modules


def blocking_parker() -> Parker:
    """The parker of the calling greenthread, where its thread runs a hub, or native thread.

    :raises RuntimeError: when a hub itself calls, which must not wait
    """
    waker = None
    if "gevent" in _modules:
        waker = GeventWaker.of_this_thread()
    if waker is None and "eventlet" in _modules:
        waker = EventletWaker.of_this_thread()
    return ThreadParker() if waker is None else HubParker(waker)


def task_parker() -> Parker:
    """The parker of the calling task.

    :raises RuntimeError: outside of an asyncio or trio task
    """
    return TrioParker() if in_trio() else AsyncioParker()


def may_import() -> bool:
    """Whether the caller, which waits, may import what nobody has imported yet.

    A native thread may not under a patched interpreter: see above.
    """
    return not is_patched() or not isinstance(blocking_parker(), ThreadParker)


async def task_checkpoint() -> None:
    """Give trio its checkpoint, which every acquisition has there, also one that never waits."""
    if in_trio():
        await _modules["trio"].lowlevel.checkpoint()
