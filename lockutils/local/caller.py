"""The caller: its native thread, the greenthread in that, and the task on that.

The libraries are looked up in ``sys.modules`` and never imported: a library that is not loaded
has no waiters.  A weak reference identifies a greenlet or task.  A queue that kept one alive
would keep its locks held, too; and a number, as ``id`` is or the identity of a thread, soon
belongs to another.
"""

from __future__ import annotations

import os
import sys
from weakref import ref

from lockutils.parking.native import get_ident, get_native_id, local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_modules = sys.modules
here = local()


class Thread:
    """A native thread, as long as anybody knows it."""

    __slots__ = ("ident", "native_id")

    def __init__(self) -> None:
        self.ident: int = get_ident()
        self.native_id: int = get_native_id()

    def __str__(self) -> str:
        return f"thread {self.name}"

    @property
    def name(self) -> str:
        threading = _modules.get("threading")
        for thread in () if threading is None else threading.enumerate():
            if thread.ident == self.ident:
                return str(thread.name)
        # one that threading does not know; the first of a process has its number
        return "MainThread" if self.native_id == os.getpid() else str(self.native_id)


def current_thread() -> Thread:
    # a signal handler may come here at any instruction: setdefault is one step
    thread: Thread = here.__dict__.setdefault("thread", Thread())
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
    """Whether trio code is running, and not asyncio code on top of it (trio-asyncio)."""
    lowlevel = getattr(_modules.get("trio"), "lowlevel", None)
    if lowlevel is None:
        return False
    try:
        lowlevel.current_task()  # in_trio_task() came with trio 0.23
    except (AttributeError, RuntimeError):
        return False
    library = getattr(_modules.get("sniffio"), "current_async_library", None)
    try:
        return library is None or library() == "trio"
    except RuntimeError:  # nobody has told sniffio
        return True


def has_finished(owner: ref[Any]) -> bool:
    """Whether a task or greenlet will never run again."""
    alive = owner()
    if alive is None:
        return True
    if hasattr(alive, "done"):  # asyncio's
        return bool(alive.done())
    if hasattr(alive, "coro"):  # trio's
        return getattr(alive.coro, "cr_frame", alive) is None
    return bool(getattr(alive, "dead", False))
