"""System calls that sleep, of one native thread, and can be called back.

A thread has its own time-outs by a timer of the kernel that sends the signal to this thread
alone (timer_create(2), ``SIGEV_THREAD_ID``).  A signal that arrives before the thread is in the
call is lost, so it comes again every millisecond until the thread has left.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
from _struct import Struct  # the same as struct's
from time import monotonic

from lockutils.parking.callback import load
from lockutils.parking.native import allocate_lock, get_ident, get_native_id, sleep

if os.name == "posix":
    import fcntl as _fcntl
    from fcntl import fcntl, flock

    #: the number of ``F_OFD_SETLKW``; Python has the name on some platforms alone
    SETLKW: int = getattr(_fcntl, "F_OFD_SETLKW", 38)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lockutils.parking.callback import Library
    from lockutils.parking.deadline import Deadline

_AGAIN = 0.001  # seconds between two signals
_PAUSE = 0.064  # seconds between two looks where nothing can be waited for
_LONGEST = 1e9  # seconds that a timer is set for; a longer wait sets it again
_itimerspec = Struct("llll")


class Sleeper:
    """The sleeps of one native thread, in one wait.

    Made by any thread, and used by the one that calls :meth:`begin`, until :meth:`end`.  Without
    :meth:`begin` its calls are Python's own, which nobody calls back.
    """

    __slots__ = (
        "_armed",
        "_blocked",
        "_deadline",
        "_left",
        "_library",
        "_number",
        "_owner",
        "_pid",
        "_thread",
        "_timer",
        "_uncallable",
        "over",
    )

    def __init__(self, deadline: Deadline | None = None) -> None:
        self._deadline = deadline
        #: whether nobody wants this any more: the thread leaves its call
        self.over = False
        self._library: Library | None = None
        self._number = 0
        self._timer: Any = None
        self._armed = False
        self._blocked = self._uncallable = False
        self._thread = 0
        self._owner = get_ident()
        self._pid = os.getpid()
        #: released when the thread has ended its sleeps
        self._left = allocate_lock()
        self._left.acquire()

    # --- of the thread that sleeps

    def begin(self) -> bool:
        """Get ready in the calling thread; ``False`` if it cannot be called back."""
        self._owner = get_ident()
        library = load()
        try:
            if library is None:
                raise OSError
            self._number = library.signal()
            if self._deadline is not None and self._deadline.left() is not None:
                self._timer = library.new_timer(self._number)
        except OSError:
            self._uncallable = True
            return False
        # A program may block all signals in its threads.
        before = _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (self._number,))
        self._blocked = self._number in before
        self._library = library
        self._thread = get_native_id()
        return True

    def end(self) -> None:
        """Leave nothing that could still reach the thread.  Callable any number of times."""
        timer, library = self._timer, self._library
        if timer is not None and library is not None:
            self._timer = None
            if not self.is_of_parent():  # a child has no timers of its parent
                # A signal on its way is taken at the end of this very call.
                library.c.timer_delete(timer)
        if self._blocked:
            self._blocked = False
            _signal.pthread_sigmask(_signal.SIG_BLOCK, (self._number,))
        self._thread = 0
        try:
            self._left.release()
        except RuntimeError:
            pass  # a second time

    def flock(self, fd: int, operation: int) -> bool:
        """Wait for a flock.

        :return: whether it is held; ``False`` if the thread was called back, or its time is up
        :raises OSError: if it failed
        """
        if self._library is None:
            flock(fd, operation)
            return True
        return self._sleep(None, self._library.c.flock, fd, operation)

    def lock_span(self, fd: int, what: bytes, at_most: float | None = None) -> bool:
        """Wait for a record lock, as :meth:`flock`.

        :param at_most: seconds after which the wait ends in any case, where that is possible
        """
        if self._library is None:
            fcntl(fd, SETLKW, what)
            return True
        return self._sleep(at_most, self._library.c.fcntl, fd, SETLKW, what)

    def watch_closing(self, fd_box: list[int], path: bytes) -> None:
        """Append a descriptor to ``fd_box``, to :meth:`read` when ``path`` was closed or removed.

        None is appended where there is none to be had.
        """
        if self._library is not None:
            try:
                fd_box.extend(map(self._library.watch_closing, (path,)))
            except OSError:
                pass  # there are 128 for each user

    def read(self, fd: int, at_most: float) -> bool:
        """Wait until something can be read from ``fd``, and throw it away.

        Where it cannot be called back, or fails, it only waits for a moment.
        """
        library = self._library
        if library is None:
            sleep(min(at_most, _PAUSE))
            return False
        try:
            return self._sleep(at_most, library.c.read, fd, library.buffer(4096), 4096)
        except OSError:  # the user has no timer left
            sleep(min(at_most, _PAUSE))
            return False

    def is_over(self) -> bool:
        """Whether to give up: nobody wants this any more, or the time is up."""
        return self.over or (self._deadline is not None and self._deadline.left() == 0.0)

    def _sleep(self, at_most: float | None, call: Callable[..., int], *args: Any) -> bool:
        library, deadline = self._library, self._deadline
        assert library is not None
        if self.is_of_parent():
            self._pid = os.getpid()
            self._timer = None
            self._thread = get_native_id()
        seconds = None if deadline is None else deadline.left()
        if at_most is not None and (seconds is None or at_most < seconds):
            seconds, end = at_most, monotonic() + at_most
        else:
            end = None
        if seconds is not None or self._armed:
            self._set_timer(library, seconds)
        while not self.is_over():
            if call(*args) >= 0:
                return True
            error = library.errno()
            if error != errno.EINTR:
                raise OSError(error, os.strerror(error))
            if end is not None and monotonic() >= end:
                break
        return False

    def _set_timer(self, library: Library, seconds: float | None) -> None:
        self._armed = seconds is not None
        if self._timer is None:
            self._timer = library.new_timer(self._number)
        times = (0, 0, 0, 0)
        if seconds is not None:
            whole = int(min(seconds, _LONGEST))
            rest = int((seconds - whole) * 1e9) if seconds < _LONGEST else 0
            times = (0, int(_AGAIN * 1e9), whole, max(rest, 1))
        library.c.timer_settime(self._timer, 0, _itimerspec.pack(*times), None)

    # --- of any thread

    def is_of_parent(self) -> bool:
        """Whether this is a forked child, and nothing has slept since."""
        return self._pid != os.getpid()

    def is_of_this_thread(self) -> bool:
        """Whether the calling thread is the one that sleeps."""
        owner: int = self._owner
        return bool(owner == get_ident())

    def call_back(self, *, patience: float | None) -> bool:
        """Have the thread leave its call, and wait until it has ended its sleeps.

        :param patience: how long, in seconds; ``None`` if it is known to sleep no more
        :return: whether it has; ``False`` if it cannot be called back, or does not come to run
        """
        self.over = True
        if self.is_of_parent():
            return True
        end = None if patience is None else monotonic() + patience
        while not self._left.acquire(False):
            thread, library = self._thread, self._library
            if library is not None and thread == get_native_id():
                # A finaliser that runs in that very thread, which may be about to sleep.
                try:
                    self._set_timer(library, _AGAIN)
                except OSError:
                    pass  # it sleeps until it has what it waits for
                return False
            if thread and library is not None:
                library.c.tgkill(os.getpid(), thread, self._number)
            elif self._uncallable and end is not None:
                return False
            if self._left.acquire(True, _AGAIN):
                break
            if end is not None and monotonic() >= end:
                return False
        self._left.release()  # for whoever asks again
        return True
