"""One name, one lock: for threads, greenthreads, tasks, processes."""

from __future__ import annotations

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
    "lock",
    "lock_all",
    "set_defaults",
    "synchronized",
]
