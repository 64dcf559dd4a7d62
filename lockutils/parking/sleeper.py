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
from lockutils.parking.deadline import Deadline
from lockutils.parking.native import get_ident, get_native_id, held_lock, sleep

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

_AGAIN = 0.001  # seconds between two signals
_PAUSE = 0.064  # seconds between two looks where nothing can be waited for
_LONGEST = 1e9  # seconds that a timer is set for; a longer wait sets it again
_itimerspec = Struct("llll")


class Sleeper:
    """The sleeps of one native thread, in one wait.

    Made by any thread, and used by the one that calls :meth:`begin`, until :meth:`end`.  Without
    :meth:`begin` its calls are Python's own, which nobody calls back.
    """

    def __init__(self, deadline: Deadline | None = None) -> None:
        self._deadline = deadline or Deadline(None, monotonic)
        #: whether nobody wants this any more: the thread leaves its call
        self.over = False
        #: what calls back, once it can
        self._library: Library | None = None
        #: the signal, and whether the thread had it blocked
        self._number, self._blocked = 0, False
        self._timer: Any = None
        #: whether the thread has found that it cannot be called back
        self._uncallable = False
        #: the native thread, while it may sleep
        self._thread = 0
        self._owner = get_ident()
        self._pid = os.getpid()
        #: whether the thread has ended its sleeps, and what is released then
        self._has_left, self._left = False, held_lock()

    # --- of the thread that sleeps

    @property
    def has_timer(self) -> bool:
        """Whether a sleep can end after some time."""
        return self._library is not None

    def begin(self) -> bool:
        """Get ready in the calling thread; ``False`` if it cannot be called back."""
        self._owner = get_ident()
        library = load()
        try:
            if library is None:
                raise OSError
            self._number = library.signal()
            if self._deadline.left() is not None:
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
        # First: a handler may raise into one that has taken the lock to see whether it is free.
        self._has_left = True
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
        if library is not None:
            try:
                return self._sleep(at_most, library.c.read, fd, library.buffer(4096), 4096)
            except OSError:
                pass  # the user has no timer left
        sleep(min(at_most, _PAUSE))
        return False

    def is_over(self) -> bool:
        """Whether to give up: nobody wants this any more, or the time is up."""
        return self.over or self._deadline.left() == 0.0

    def _sleep(self, at_most: float | None, call: Callable[..., int], *args: Any) -> bool:
        library, end = self._library, Deadline(at_most, monotonic)
        assert library is not None
        if self.is_of_parent():
            self._pid = os.getpid()
            self._timer = None
            self._thread = get_native_id()
        self._arm(library, end)
        while not self.is_over():
            if call(*args) >= 0:
                return True
            error = library.errno()
            if error != errno.EINTR:
                raise OSError(error, os.strerror(error))
            if end.left() == 0.0:
                break
            if self._timer is not None:
                self._set_timer(library, None)  # what a look at the wait does is not interrupted
            self._arm(library, end)
        return False

    def _arm(self, library: Library, end: Deadline) -> None:
        """Look at the wait if it is time, and set the timer to when the sleep is to end."""
        times = [end.left(), self._deadline.pause()]
        seconds = min((time for time in times if time is not None), default=None)
        if seconds is None and self._timer is None:
            return
        try:
            self._set_timer(library, seconds)
        except OSError:
            # the user has no timer left: without one, nobody looks at a wait without a time-out
            if end.left() is not None or self._deadline.left() is not None:
                raise

    def _set_timer(self, library: Library, seconds: float | None) -> None:
        if self._timer is None:
            self._timer = library.new_timer(self._number)
        times = (0, 0, 0, 0)  # never
        if seconds is not None:
            seconds = min(seconds, _LONGEST)
            rest = int(seconds % 1 * 1e9)
            times = (0, int(_AGAIN * 1e9), int(seconds), max(rest, 1))
        library.c.timer_settime(self._timer, 0, _itimerspec.pack(*times), None)

    # --- of any thread

    def is_of_parent(self) -> bool:
        """Whether this is a forked child, and nothing has slept since."""
        return self._pid != os.getpid()

    def is_of_this_thread(self) -> bool:
        """Whether the calling thread is the one that sleeps."""
        return bool(self._owner == get_ident())

    def call_back(self, *, patience: float | None) -> bool:
        """Have the thread leave its call, and wait until it has ended its sleeps.

        :param patience: how long, in seconds; ``None`` if it is known to sleep no more
        :return: whether it has; ``False`` if it cannot be called back, or does not come to run
        """
        self.over = True
        if self.is_of_parent():
            return True
        end, pause = Deadline(patience, monotonic), 0.0
        while not self._has_left and not self._left.acquire(True, pause):
            if pause and end.left() == 0.0:
                return False
            pause = _AGAIN
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
            elif self._uncallable and patience is not None:
                return False
        try:
            self._left.release()  # for whoever asks at the same time
        except RuntimeError:
            pass
        return True
