"""Who is asking: which greenthread, which task.

Libraries are looked up in ``sys.modules`` and never imported: where one is not loaded, none
of its waiters exist.  Identities are numbers and not references, because a queue that kept
a greenlet or a task alive would keep its locks held, too.
"""

from __future__ import annotations

import sys

_modules = sys.modules


def current_greenlet() -> int:
    """The identity of the running greenlet; 0 for the main one of a thread."""
    try:
        current = _modules["greenlet"].getcurrent()
    except AttributeError:  # being imported by another thread: no greenlet can be running
        return 0
    return 0 if current.parent is None else id(current)


def current_task() -> int:
    """The identity of the running trio or asyncio task; 0 where none is running."""
    try:
        trio = _modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_task():
            return id(trio.lowlevel.current_task())
        asyncio = _modules.get("asyncio")
        if asyncio is not None:
            loop = asyncio._get_running_loop()
            if loop is not None:
                return id(asyncio.current_task(loop))
    except AttributeError:  # being imported by another thread: no loop can be running
        pass
    return 0
