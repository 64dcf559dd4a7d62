"""System calls of the file backend that fail, one after the other, wherever it makes them."""

import ctypes
import errno
import os

from lockutils.backends.file import syscalls
from lockutils.parking import callback

PYTHON = ("_open", "flock", "_fcntl", "fstat", "lstat")
#: those that sleep, by the C library: what has them, and its name for them
C = ("flock", "fcntl", "read", "timer_create", "inotify_init1", "inotify_add_watch")

#: by what went wrong: which calls can say so.  EINTR is none of them: Python repeats the call,
#: and a sleeper looks why it was interrupted.
CALLS = {
    # or ENFILE, ENOSPC, EROFS: it makes no difference
    errno.EMFILE: ["_open", "c.inotify_init1"],
    errno.EACCES: ["_open", "fstat"],  # fstat: of a security module
    errno.ENOLCK: ["flock", "_fcntl", "c.flock", "c.fcntl"],
    errno.ENOSYS: ["flock", "_fcntl", "c.flock", "c.fcntl"],
    errno.EAGAIN: ["c.timer_create"],  # the user has too many
    errno.EIO: [*PYTHON, *(f"c.{name}" for name in C)],
}


def _place_of(name):
    """What has the call, and by which name."""
    if not name.startswith("c."):
        return syscalls, name
    assert callback.why_not() is None
    name = name[2:]
    return callback.load().c, name


class Failing:
    """While it is entered, one of the calls fails; or that one and all that come after it.

    :param number: the position of the first that fails, among those that can fail so
    """

    def __init__(self, error_number, number, *, all_after):
        self._error_number = error_number
        self._number = number
        self._all_after = all_after
        self._made = 0
        self._real = []

    @property
    def was_reached(self):
        return self._made >= self._number

    def __enter__(self):
        for name in CALLS[self._error_number]:
            place, attribute = _place_of(name)
            real = getattr(place, attribute)
            self._real.append((place, attribute, real))
            wrapped = self._of_c(real) if name.startswith("c.") else self._of_python(name, real)
            setattr(place, attribute, wrapped)
        return self

    def __exit__(self, *_):
        while self._real:
            setattr(*self._real.pop())

    def _fails(self):
        self._made += 1
        return self._made >= self._number if self._all_after else self._made == self._number

    def _of_python(self, name, real):
        def call(*args):
            if self._fails():
                raise OSError(self._error_number, os.strerror(self._error_number), name)
            return real(*args)

        return call

    def _of_c(self, real):
        def call(*args):
            if self._fails():
                ctypes.set_errno(self._error_number)
                return -1
            return real(*args)

        return call
