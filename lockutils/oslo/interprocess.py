"""fasteners' lock on a file, by the handle of a lock on that file."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time

import fasteners
from fasteners._utils import RetryAgain

from lockutils.backends.file.directory import Directory
from lockutils.backends.file.naming import key_of, name_of
from lockutils.backends.file.refusal import with_source
from lockutils.errors import LockPathError, SlotsMismatchError
from lockutils.front.handle import Lock
from lockutils.front.settings import lock_directory
from lockutils.local.registry import Registry
from lockutils.local.wait_queue import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any

    from lockutils.front.settings import StrPath

#: each lock has a queue of its own; those of a registry let go in a forked child
_queues: Registry[WaitQueue] = Registry(WaitQueue)
_numbers = itertools.count()


class _PathLockError(LockPathError, threading.ThreadError):
    """What fasteners raises, too."""


class _AnyPath(Directory):
    """A directory whose keys are paths."""

    __slots__ = ()
    swept = False  # nobody said that it is one for locks

    def file_of(self, key: str) -> bytes:
        return os.fsencode(key)


class InterProcessLock(fasteners.InterProcessLock):  # type: ignore[misc]
    """A lock on the file ``path``, as fasteners has it, but held as lockutils holds a file.

    fasteners holds a record lock of the process.  That drops if the process closes any
    descriptor of the file, as whoever tries in vain to lock it does.  So this is ``flock``
    and a record lock of the open file description instead, which exclude fasteners', and
    each other within a process, too.  A file that was removed during the wait is made anew.

    And as lockutils opens a file: what is no regular file, as a symbolic link or a FIFO, is
    refused with a :class:`LockPathError`; one that can only be read is locked all the same.
    That error is a ``threading.ThreadError``, too, which is what fasteners raises.
    """

    def __init__(
        self,
        path: StrPath,
        sleep_func: Callable[[float], None] = time.sleep,
        logger: Logger | None = None,
    ) -> None:
        super().__init__(path, sleep_func, logger)
        folder, name = os.path.split(os.fsdecode(self.path))
        folder = folder or "."
        self._lock(os.path.join(folder, name), _AnyPath(os.fsencode(folder)))

    def _lock(self, key: str, directory: Directory) -> None:
        queue = _queues.get(next(_numbers))
        self._handle = Lock(key, key, queue, directory, do_log=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.sleep_func)  # a free one

    @property
    def acquired(self) -> bool:
        """Whether it is held by this process."""
        return bool(self._handle._queue.holders())

    @acquired.setter
    def acquired(self, _: bool) -> None:
        """fasteners' own note of it, which a forked child would inherit."""

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self._handle.exists()

    def _do_open(self) -> None:
        """Leave it to :meth:`trylock`: a file that nobody holds is not open."""

    def trylock(self) -> None:
        """Try once to lock the file.

        :raises BlockingIOError: if somebody else holds it
        :raises LockPathError: if the file cannot be used
        """
        try:
            if self.acquired or self._handle.acquire(blocking=False):
                return
        except SlotsMismatchError:
            pass
        except LockPathError as error:
            raise with_source(
                _PathLockError(error.errno, error.strerror, error.filename), error.source
            ) from error
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), self.path)

    def _try_acquire(self, blocking: bool, watch: Any) -> bool:
        try:
            self.trylock()
        except BlockingIOError:
            if not blocking or watch.expired():
                return False
            raise RetryAgain from None
        return True

    def unlock(self) -> None:
        """Unlock the file."""
        self._handle.release()


def external_lock(
    name: str, lock_file_prefix: str | None = None, lock_path: StrPath | None = None
) -> InterProcessLock:
    """Return a lock on the file of ``lock(name, lock_file_prefix, external=True)``.

    It has nothing to do with the in-process lock of that name, and polls.

    :raises TypeError: if an argument is not of its type
    :raises ValueError: if the lock directory is not a path
    :raises LockPathError: if there is no safe lock directory
    """
    directory = lock_directory(lock_path)
    key = key_of(name_of(name), lock_file_prefix)
    path = directory.file_of(key)
    directory.check()
    lock = InterProcessLock(os.fsdecode(path))
    lock._lock(key, directory)
    return lock
