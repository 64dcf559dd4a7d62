"""The interpreter's own threads, also where eventlet or gevent replaced them.

Both libraries monkey-patch ``_thread`` in place.  What runs a helper thread or guards two
native threads from each other must be the real thing: a green lock shared between native
threads loses wake-ups, a green "thread" blocked in a system call stops its hub.
"""

from __future__ import annotations

import _thread
import os
import sys
from _queue import Empty, SimpleQueue  # neither library replaces it, only queue.SimpleQueue
from types import BuiltinFunctionType

if sys.platform == "win32":
    from nt import read, write
else:
    from posix import read, write  # eventlet replaces those of os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "Empty",
    "SimpleQueue",
    "Thread",
    "allocate_lock",
    "closer_of",
    "get_ident",
    "get_native_id",
    "local",
    "new_rlock",
    "read",
    "sleep",
    "start_new_thread",
    "start_thread",
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
get_native_id = _original("get_native_id")
local = _original("_local")
new_rlock = _original("RLock")
start_new_thread = _original("start_new_thread")
# not by a look whether it is there: eventlet adds one of its own
_start_joinable_thread = _original("start_joinable_thread") if sys.version_info >= (3, 13) else None


def sleep(seconds: float) -> None:
    """Block the calling native thread.

    Not ``time.sleep``, which in a patched interpreter switches to another greenthread.
    """
    never_released = allocate_lock()
    never_released.acquire()
    never_released.acquire(True, seconds)


_set_sentinel = getattr(_thread, "_set_sentinel", None)


class Thread:
    """A native thread that can be joined, which :func:`start_thread` started."""

    __slots__ = ("_begun", "_ended", "_native_id")

    def __init__(self) -> None:
        self._begun = allocate_lock()
        self._begun.acquire()
        self._ended: Any = None
        self._native_id = 0

    def run(self, function: Callable[[], None]) -> None:
        # Released when the state of the thread is gone, of which none may be left when a
        # subinterpreter ends.
        assert _set_sentinel is not None  # Python 3.13 does without
        self._ended = _set_sentinel()
        self._native_id = get_native_id()
        self._begun.release()
        function()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._begun.acquire()
        self._begun.release()
        self._ended.acquire()
        self._ended.release()
        for _ in range(100):  # os.fork() counts the threads that the system has
            if not os.path.exists(f"/proc/self/task/{self._native_id}"):
                break
            sleep(0.0001)


def start_thread(function: Callable[[], None]) -> Any:
    """Start a native thread, and return what :meth:`Thread.join` is a method of.

    :raises RuntimeError: if there is none to be had
    """
    if _start_joinable_thread is not None:
        return _start_joinable_thread(function, daemon=True)
    thread = Thread()
    start_new_thread(thread.run, (function,))
    return thread


def _find_closer() -> Any:
    """What takes over a descriptor, and closes it when it is dropped.

    An object of C, since a signal handler may raise in any finaliser that is written in Python,
    and what it raises there is lost.  ``epoll.fromfd`` takes any descriptor (select.epoll).
    """
    import select

    for kind in ("epoll", "kqueue"):
        found = getattr(select, kind, None)
        for patcher, original in (("gevent.monkey", "get_original"), ("eventlet.patcher", "")):
            if found is None and patcher in sys.modules:  # both libraries remove it
                try:
                    if original:
                        found = sys.modules[patcher].get_original("select", kind)
                    else:
                        found = getattr(sys.modules[patcher].original("select"), kind, None)
                except (AttributeError, KeyError):
                    pass
        if found is not None:
            return found.fromfd
    return None


closer_of = _find_closer()
