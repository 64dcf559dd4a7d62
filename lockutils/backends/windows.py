"""The file driver where there is no ``fcntl``: filelock does the locking, and we poll."""

from __future__ import annotations

import errno
import os

from filelock import FileLock, Timeout

from lockutils.backends.base import HELD
from lockutils.backends.file.refusal import refuse
from lockutils.errors import LockPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lockutils.backends.base import Grant
    from lockutils.backends.file.directory import Directory
    from lockutils.errors import Holder
    from lockutils.parking.deadline import Deadline


class PortableRequest:
    """One contender for one lock file.  See :class:`lockutils.backends.base.Request`."""

    __slots__ = ("_directory", "_fair", "_lock", "_path", "error", "grant")

    def __init__(self, key: str, directory: Directory, fair: bool = False) -> None:
        self._directory = directory
        self._fair = fair
        self._path = os.fsdecode(directory.file_of(key))
        self._lock = FileLock(self._path, timeout=0, thread_local=False)
        self.grant: Grant | None = None
        self.error: BaseException | None = None

    def try_now(self, barging: bool = False) -> bool:
        try:
            self._directory.make()
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            refuse(error, os.fsencode(self._path), self._directory.source)
        self.grant = HELD
        return True

    def enqueue(self) -> None:
        if self._fair:
            problem = "No order of waiting processes on this platform"
            raise LockPathError(errno.ENOTSUP, problem, self._path)

    def block(self, deadline: Deadline) -> bool | None:
        return None

    def start(self, changed: Callable[[], object]) -> bool:
        return False

    def cancel(self) -> None:
        self.grant = None
        self._lock.release()

    def hand_to_children(self) -> None:
        raise RuntimeError("a lock file cannot be inherited on this platform")


# Nothing tells of other processes here.


def status_of(
    directory: Directory, key: str, *, waiters: bool = True
) -> tuple[list[Holder], list[Holder]]:
    return [], []


def is_held(directory: Directory, key: str) -> bool:
    return False
