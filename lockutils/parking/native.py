"""The interpreter's own threads, also where eventlet or gevent replaced them.

Both libraries monkey-patch ``_thread`` in place.  What runs a helper thread or guards two
native threads from each other must be the real thing: a green lock shared between native
threads loses wake-ups, a green "thread" blocked in a system call stops its hub.
"""

from __future__ import annotations

import _thread
import os
import select
import sys

# neither library replaces it, only queue.SimpleQueue
from _queue import Empty as Empty
from _queue import SimpleQueue as SimpleQueue
from types import BuiltinFunctionType

if sys.platform == "win32":
    from nt import read as read
    from nt import write as write
else:  # eventlet replaces those of os
    from posix import read as read
    from posix import write as write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any


def _original(module: ModuleType, name: str) -> Any:
    """Return what the module has under this name where neither library has replaced it."""
    gevent, eventlet = map(sys.modules.get, ("gevent.monkey", "eventlet.patcher"))
    found = getattr(module, name, None)
    if gevent is not None and not _is_real(found):
        try:
            found = gevent.get_original(module.__name__, name)
        except AttributeError:
            pass
    if eventlet is not None and not _is_real(found):
        found = getattr(eventlet.original(module.__name__), name, None)
    return found


def _is_real(found: Any) -> bool:
    of = getattr(found, "__module__", None)
    return isinstance(found, BuiltinFunctionType) or of in ("_thread", "select")


allocate_lock = _original(_thread, "allocate_lock")
get_ident = _original(_thread, "get_ident")
get_native_id = _original(_thread, "get_native_id")
local = _original(_thread, "_local")
new_rlock = _original(_thread, "RLock")
start_new_thread = _original(_thread, "start_new_thread")
# not by a look whether it is there: eventlet adds one of its own
_start_joinable_thread = (
    _original(_thread, "start_joinable_thread") if sys.version_info >= (3, 13) else None
)


def is_patched() -> bool:
    """Whether eventlet or gevent has replaced the locks and threads of the interpreter."""
    return _thread.allocate_lock is not allocate_lock


def held_lock() -> Any:
    """Return a lock that is held: to wait for it is to sleep until somebody releases it."""
    lock = allocate_lock()
    lock.acquire()
    return lock


def sleep(seconds: float) -> None:
    """Block the calling native thread.

    Not ``time.sleep``, which in a patched interpreter switches to another greenthread.
    """
    held_lock().acquire(True, seconds)


#: Python 3.13 does without
_set_sentinel: Any = getattr(_thread, "_set_sentinel", None)


class Thread:
    """A native thread that can be joined, which :func:`start_thread` started."""

    __slots__ = ("_begun", "_ended", "_native_id")

    def __init__(self) -> None:
        self._begun = held_lock()
        self._ended: Any = None
        self._native_id = 0

    def run(self, function: Callable[[], None]) -> None:
        # Released when the state of the thread is gone, of which none may be left when a
        # subinterpreter ends.
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


#: What takes over a descriptor, and closes it when it is dropped; ``None`` where there is none.
#: An object of C, since a signal handler may raise in any finaliser that is written in Python,
#: and what it raises there is lost.  ``epoll.fromfd`` takes any descriptor (select.epoll).
closer_of: Any = getattr(_original(select, "epoll") or _original(select, "kqueue"), "fromfd", None)
