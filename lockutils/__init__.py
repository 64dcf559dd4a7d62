"""One name, one lock: for threads, greenthreads, tasks, processes."""

from __future__ import annotations

from os import environ as _environ

from lockutils.config import get_lock_path, set_defaults
from lockutils.errors import (
    AcquireLockFailedException,
    DeadlockError,
    LockPathError,
    LockTimeout,
    SlotsMismatchError,
)
from lockutils.group import LockGroup, lock_all
from lockutils.handle import Lock
from lockutils.held import held
from lockutils.holder import Holder
from lockutils.lock import lock
from lockutils.lock_by_key import LockByKey, Semaphores
from lockutils.synchronized import synchronized

__all__ = [
    "AcquireLockFailedException",
    "DeadlockError",
    "Holder",
    "Lock",
    "LockByKey",
    "LockGroup",
    "LockPathError",
    "LockTimeout",
    "Semaphores",
    "SlotsMismatchError",
    "get_lock_path",
    "held",
    "lock",
    "lock_all",
    "set_defaults",
    "synchronized",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils import debug as debug
else:

    def __getattr__(name):
        """Import what few programs use, when they use it."""
        if name == "debug":
            import lockutils.debug

            return lockutils.debug
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if _environ.get("LOCKUTILS_WATCH_ORDER") == "1":
    from lockutils.debug import watch_order as _watch_order

    _watch_order()
