"""Who is asking: which native thread, which greenthread in it, which task on it.

The libraries are looked up in ``sys.modules`` and never imported: where one is not loaded,
none of its waiters exist.  A greenlet or task is told by a weak reference.  A queue that kept
one alive would keep its locks held, too; and a number, as ``id`` is or the identity of a
thread, soon belongs to another.
"""

from __future__ import annotations

import sys
from weakref import ref

from lockutils.parking.native import get_ident, local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_modules = sys.modules
here = local()


class Thread:
    """A native thread, as long as anybody knows it."""

    __slots__ = ("ident",)

    def __init__(self) -> None:
        self.ident: int = get_ident()


def current_thread() -> Thread:
    try:
        thread: Thread = here.thread
    except AttributeError:
        thread = here.thread = Thread()
    return thread


def current_greenlet() -> ref[Any] | None:
    """The running greenlet; ``None`` for the main one of a thread, whoever has loaded greenlet."""
    try:
        current = _modules["greenlet"].getcurrent()
    except AttributeError:  # being imported by another thread: no greenlet can be running
        return None
    return None if current.parent is None else ref(current)


def current_task() -> ref[Any] | None:
    """The running trio or asyncio task; ``None`` where none is running."""
    if in_trio():
        return ref(_modules["trio"].lowlevel.current_task())
    # absent while another thread is importing asyncio: no loop can be running
    get_loop = getattr(_modules.get("asyncio"), "_get_running_loop", None)
    loop = None if get_loop is None else get_loop()
    if loop is None:
        return None
    task = _modules["asyncio"].current_task(loop)
    return None if task is None else ref(task)


def in_trio() -> bool:
    """Whether a trio task is running."""
    lowlevel = getattr(_modules.get("trio"), "lowlevel", None)
    if lowlevel is None:
        return False
    try:
        lowlevel.current_task()  # in_trio_task() came with trio 0.23
    except (AttributeError, RuntimeError):
        return False
    return True
