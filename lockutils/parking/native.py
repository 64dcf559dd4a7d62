"""The interpreter's own threads, also where eventlet or gevent replaced them.

Both libraries monkey-patch ``_thread`` in place.  What runs a helper thread or guards two
native threads from each other must be the real thing: a green lock shared between native
threads loses wake-ups, a green "thread" blocked in a system call stops its hub.
"""

from __future__ import annotations

import _thread
import sys
from _queue import Empty, SimpleQueue  # neither library replaces it, only queue.SimpleQueue
from types import BuiltinFunctionType

if sys.platform == "win32":
    from nt import read, write
else:
    from posix import read, write  # eventlet replaces those of os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Empty",
    "SimpleQueue",
    "allocate_lock",
    "get_ident",
    "local",
    "read",
    "sleep",
    "start_new_thread",
    "write",
]


def _original(name: str) -> Any:
    found = getattr(_thread, name)
    if _is_real(found):
        return found
    gevent_monkey = sys.modules.get("gevent.monkey")
    if gevent_monkey is not None:
        found = gevent_monkey.get_original("_thread", name)
        if _is_real(found):
            return found
    eventlet_patcher = sys.modules.get("eventlet.patcher")
    if eventlet_patcher is not None:
        found = getattr(eventlet_patcher.original("_thread"), name)
    return found


def _is_real(found: Any) -> bool:
    return isinstance(found, BuiltinFunctionType) or found.__module__ == "_thread"


allocate_lock = _original("allocate_lock")
get_ident = _original("get_ident")
local = _original("_local")
start_new_thread = _original("start_new_thread")


def sleep(seconds: float) -> None:
    """Block the calling native thread.

    Not ``time.sleep``, which in a patched interpreter switches to another greenthread.
    """
    never_released = allocate_lock()
    never_released.acquire()
    never_released.acquire(True, seconds)
