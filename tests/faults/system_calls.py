"""System calls of the file driver that fail, one after the other, wherever it makes them."""

import errno
import os

from lockutils.backends.file import syscalls

REAL = {name: getattr(syscalls, name) for name in ("_open", "flock", "_fcntl", "fstat", "lstat")}

#: by what went wrong: which calls can say so.  EINTR is none of them: Python repeats the call.
CALLS = {
    errno.EMFILE: ["_open"],  # or ENFILE, ENOSPC, EROFS: it makes no difference
    errno.EACCES: ["_open", "fstat"],  # fstat: of a security module
    errno.ENOLCK: ["flock", "_fcntl"],
    errno.ENOSYS: ["flock", "_fcntl"],
    errno.EIO: list(REAL),
}


class Failing:
    """While it is entered, one of the calls fails; or that one and all that come after it.

    :param number: the position of the first that fails, among those that can fail so
    """

    def __init__(self, error_number, number, *, all_after):
        self._error_number = error_number
        self._number = number
        self._all_after = all_after
        self._made = 0

    @property
    def was_reached(self):
        return self._made >= self._number

    def __enter__(self):
        for name in CALLS[self._error_number]:
            setattr(syscalls, name, self._wrapped(name))
        return self

    def __exit__(self, *_):
        for name, real in REAL.items():
            setattr(syscalls, name, real)

    def _wrapped(self, name):
        real = REAL[name]

        def call(*args):
            self._made += 1
            fails = self._made >= self._number if self._all_after else self._made == self._number
            if fails:
                raise OSError(self._error_number, os.strerror(self._error_number), name)
            return real(*args)

        return call
