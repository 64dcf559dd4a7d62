"""The rest of what oslo.concurrency's ``lockutils`` has, by its names; imported when asked for.

What needs fasteners is in :mod:`~lockutils.oslo.reader_writer` and
:mod:`~lockutils.oslo.interprocess`.
"""

from __future__ import annotations

import errno
import logging
import os
from functools import partial

from lockutils.backends.file.naming import key_of, name_of
from lockutils.errors import printable
from lockutils.front.lock import lock
from lockutils.front.settings import lock_directory
from lockutils.front.synchronized import synchronized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, Protocol, TypeVar

    from lockutils.front.handle import Lock
    from lockutils.front.settings import StrPath
    from lockutils.local.lock_by_key import Semaphores

    P = ParamSpec("P")
    R = TypeVar("R")

    class Decorating(Protocol):
        """:func:`synchronized`, with some parameters given."""

        def __call__(
            self, name: str, **options: Any
        ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


_logger = logging.getLogger("lockutils")


def internal_lock(name: str, semaphores: Semaphores | None = None, blocking: bool = True) -> Lock:
    """Return a handle of the in-process lock ``name``; the lock of ``lock(name)``.

    Each call returns a handle of its own, and only the one that acquired can release.

    :param semaphores: where the lock is; by default where those of :func:`lock` are
    :param blocking: ``False`` tries once, and raises :class:`AcquireLockFailedException`
    """
    return lock(name, do_log=False, semaphores=semaphores, blocking=blocking)


def lock_with_prefix(lock_file_prefix: str) -> Callable[..., Lock]:
    """Return :func:`lock` with a ``lock_file_prefix``, for the modules of one project."""
    return partial(lock, lock_file_prefix=lock_file_prefix)


def synchronized_with_prefix(lock_file_prefix: str) -> Decorating:
    """Return :func:`synchronized` with a ``lock_file_prefix``, for the modules of one project."""
    return partial(synchronized, lock_file_prefix=lock_file_prefix)


def remove_external_lock_file(
    name: str,
    lock_file_prefix: str | None = None,
    lock_path: StrPath | None = None,
    semaphores: Semaphores | None = None,
) -> None:
    """Remove the lock file of ``name``, when it is not used any more.

    It is removed by the holder of the lock, so that nobody else can have it at that moment; a
    lockutils process that waits for it notices, and goes on with a new file.  Other tools that
    wait do not notice.  The call waits for holders in this process.  A file that another process
    has locked is in use, and stays: to wait could take without end, and to remove it would let
    the next process in beside the holder.  A warning is logged then, and after any other failure
    to remove the file, unless there is none.

    :raises DeadlockError: if the caller holds the lock
    :raises LockPathError: if there is no safe lock directory
    """
    directory = lock_directory(lock_path)
    name = name_of(name)
    key = key_of(name, lock_file_prefix)
    with lock(name, lock_file_prefix, do_log=False, semaphores=semaphores):
        request = directory.request(key)
        path = os.fsdecode(directory.file_of(key))
        try:
            if not os.path.lexists(path):
                return  # an attempt to lock it would create it
            if not request.try_now(barging=True):
                raise BlockingIOError(errno.EAGAIN, "It is locked")
            os.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            _logger.warning(
                "Failed to remove file %(file)s: %(error)s",
                {"file": printable(path), "error": error.strerror},
            )
        finally:
            request.cancel()


def remove_external_lock_file_with_prefix(lock_file_prefix: str) -> Callable[..., None]:
    """Return :func:`remove_external_lock_file` with a ``lock_file_prefix``."""
    return partial(remove_external_lock_file, lock_file_prefix=lock_file_prefix)
