"""How any kind of waiter waits: the parker that fits the caller.

A library is looked up in ``sys.modules`` and never imported: a waiter of its kind can exist
only where it is loaded already.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.parking.base import Parker
    from lockutils.parking.mailbox import Mailbox

_modules = sys.modules


def blocking_parker() -> Parker:
    """The parker of the calling greenthread, where its thread runs a hub, or native thread.

    :raises RuntimeError: when a hub itself calls, which must not wait
    """
    mailbox = _mailbox_of_this_thread()
    if mailbox is not None:
        from lockutils.parking.mailbox import HubParker

        return HubParker(mailbox)
    from lockutils.parking.on_thread import ThreadParker

    return ThreadParker()


def _mailbox_of_this_thread() -> Mailbox | None:
    if "gevent.hub" in _modules:
        from lockutils.parking.on_gevent import GeventMailbox

        mailbox = GeventMailbox.of_this_thread()
        if mailbox is not None:
            return mailbox
    if "eventlet.hubs" in _modules:
        from lockutils.parking.on_eventlet import EventletMailbox

        return EventletMailbox.of_this_thread()
    return None


def task_parker() -> Parker:
    """The parker of the calling task.

    :raises RuntimeError: outside of an asyncio or trio task
    """
    trio = _modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        from lockutils.parking.on_trio import TrioParker

        return TrioParker()
    from lockutils.parking.on_asyncio import AsyncioParker

    return AsyncioParker()


async def task_checkpoint() -> None:
    """Give trio its checkpoint, which every acquisition has there, also one that never waits."""
    trio = _modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        await trio.lowlevel.checkpoint()
