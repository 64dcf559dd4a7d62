"""One name, one lock: for threads, greenthreads, tasks, processes."""

from __future__ import annotations

from lockutils.config import get_lock_path, set_defaults
from lockutils.errors import (
    AcquireLockFailedException,
    DeadlockError,
    LockPathError,
    LockTimeout,
)
from lockutils.lock import Lock, lock

__all__ = [
    "AcquireLockFailedException",
    "DeadlockError",
    "Lock",
    "LockPathError",
    "LockTimeout",
    "get_lock_path",
    "lock",
    "set_defaults",
]
