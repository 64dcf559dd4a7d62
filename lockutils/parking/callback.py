"""The C library, and the signal that calls a sleeping thread back.

Python repeats a system call after EINTR (PEP 475), so that a thread asleep in ``fcntl.flock``
stays there until it has the lock.  The C library called by ctypes does not: it gives up the
interpreter and returns when the thread gets a signal whose handler was set without
``SA_RESTART`` (signal(7)).  The handler here is a function of the C library that does nothing,
so that no Python code runs.

The signal is SIGURG, which is ignored by default and which debuggers pass on silently: the one
that the Go runtime uses to preempt its threads.  If the program uses SIGURG, one of the last
real-time signals takes its place.
"""

from __future__ import annotations

# signal itself imports enum, which costs more than all of this
import _signal  # type: ignore[import-not-found]
import errno
import os
import sys
from _struct import Struct  # the same as struct's

from lockutils.parking.native import get_native_id, new_rlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGEV_THREAD_ID = 4
_IN_CLOSE_OR_GONE = 0x8 | 0x10 | 0x4 | 0x400 | 0x800  # CLOSE, ATTRIB, DELETE_SELF, MOVE_SELF
_CLOCK_MONOTONIC = 1
_sigevent = Struct("Pii i44x")

_modules = sys.modules


class Library:
    """The C library, and the signal that calls back."""

    def __init__(self) -> None:
        import ctypes

        if ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError(errno.ENOSYS, "no 64-bit platform")
        c = ctypes.CDLL(None, use_errno=True)
        c.signal.restype = ctypes.c_void_p
        c.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        c.timer_settime.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p]
        c.timer_delete.argtypes = [ctypes.c_void_p]
        c.tgkill.argtypes = [ctypes.c_int] * 3
        c.fcntl.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
        self.c: Any = c
        self.errno: Callable[[], int] = ctypes.get_errno
        self.buffer = ctypes.create_string_buffer
        self._handler = ctypes.cast(c.getpid, ctypes.c_void_p).value
        self._signal = 0

    def signal(self) -> int:
        """Return the number of the signal, whose handler is in place.

        :raises OSError: if the program uses all of them
        """
        urgent = int(_signal.SIGURG)
        last = range(_signal.SIGRTMAX, _signal.SIGRTMIN + 8, -1)
        number: int
        for number in (self._signal or urgent, urgent, *last):
            handler = self._handler_of(number)
            if handler == 0:
                self.c.signal(number, self._handler)
                self.c.siginterrupt(number, 1)
            if handler in (0, self._handler):
                self._signal = number
                return number
        raise OSError(errno.EBUSY, "the program uses all signals")

    def watch_closing(self, path: bytes) -> int:
        """Return a descriptor to read from when ``path`` was closed or removed (inotify(7)).

        :raises OSError: if there is none to be had
        """
        fd: int = self.c.inotify_init1(os.O_CLOEXEC)
        if fd < 0:
            raise OSError(self.errno(), "no inotify instance")
        if self.c.inotify_add_watch(fd, path, _IN_CLOSE_OR_GONE) < 0:
            error = self.errno()
            os.close(fd)
            raise OSError(error, "no inotify watch")
        return fd

    def _handler_of(self, number: int) -> int:
        action = self.buffer(256)  # a struct sigaction, which begins with the handler
        self.c.sigaction(number, None, action)
        return int.from_bytes(action.raw[:8], sys.byteorder)

    def new_timer(self, number: int) -> int:
        """Return a timer that sends the signal to the calling thread."""
        timer = self.buffer(8)
        event = _sigevent.pack(0, number, _SIGEV_THREAD_ID, get_native_id())
        if self.c.timer_create(_CLOCK_MONOTONIC, event, timer):
            raise OSError(self.errno(), "no timer")
        return int.from_bytes(timer.raw, sys.byteorder)


_library: Library | None = None
_problem: str | None = None
_is_loaded = False
#: Held by a waiter while it imports, and by whoever forks: a child would wait without end for the
#: lock of an import that goes on in the parent.
importing = new_rlock()


def _is_of_the_moment(error: Exception) -> bool:
    """Whether there may only be no descriptor left, which an import needs, too."""
    try:
        os.close(os.open("/", os.O_RDONLY))
    except OSError as lack:
        return lack.errno in (errno.EMFILE, errno.ENFILE)
    return False


def load() -> Library | None:
    """The library; ``None`` where there is none, or it must not be imported now."""
    global _library, _problem
    if _library is None and _problem is None:
        # Under a patched interpreter the import locks are green, and native threads that meet
        # at a first import can stop each other.
        if _is_loaded and "ctypes" not in _modules and {"gevent", "eventlet"} & _modules.keys():
            return None
        try:
            if sys.platform != "linux":
                raise OSError(errno.ENOSYS, f"not on {sys.platform}")
            with importing:
                library = Library()
            library.signal()
            _library = library
        except (ImportError, OSError, AttributeError, ValueError) as error:
            if not _is_of_the_moment(error):
                _problem = str(error)
    return _library


def why_not() -> str | None:
    """Return why a sleeper cannot be called back in this process; ``None`` if it can.

    Where it cannot, helper threads sleep for those who have a time-out, and what gave up may
    hold the lock for an instant when it gets it.
    """
    library = load()
    if library is None:
        return _problem or "ctypes was not imported before gevent or eventlet"
    try:
        library.signal()
    except OSError as error:
        return error.strerror
    return None


def may_sleep_for_others() -> bool:
    """Whether a helper may sleep in the system for another waiter.

    An interpreter without ctypes is a subinterpreter, as a rule, and that cannot end while a
    thread of it sleeps and is not called back.
    """
    return load() is not None or "ctypes" in _modules or _problem is None


if "gevent" in _modules or "eventlet" in _modules:
    load()
_is_loaded = True

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=importing.acquire,
        after_in_parent=importing.release,
        after_in_child=importing.release,
    )
