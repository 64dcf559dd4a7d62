"""One name, one lock: for threads, greenthreads, tasks, processes."""

from __future__ import annotations

from lockutils.config import get_lock_path, set_defaults
from lockutils.errors import (
    AcquireLockFailedException,
    DeadlockError,
    LockPathError,
    LockTimeout,
)
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
    "LockPathError",
    "LockTimeout",
    "Semaphores",
    "get_lock_path",
    "held",
    "lock",
    "set_defaults",
    "synchronized",
]
