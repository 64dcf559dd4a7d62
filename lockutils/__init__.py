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
from lockutils.holder import Holder
from lockutils.lock import lock
from lockutils.lock_by_key import LockByKey, Semaphores
from lockutils.synchronized import synchronized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.cli.wrapper import main
    from lockutils.interprocess import InterProcessLock, external_lock
    from lockutils.oslo import (
        internal_lock,
        lock_with_prefix,
        remove_external_lock_file,
        remove_external_lock_file_with_prefix,
        synchronized_with_prefix,
    )
    from lockutils.reader_writer import FairLocks, ReaderWriterLock, internal_fair_lock

__all__ = [
    "AcquireLockFailedException",
    "DeadlockError",
    "FairLocks",
    "Holder",
    "InterProcessLock",
    "Lock",
    "LockByKey",
    "LockPathError",
    "LockTimeout",
    "ReaderWriterLock",
    "Semaphores",
    "external_lock",
    "get_lock_path",
    "internal_fair_lock",
    "internal_lock",
    "lock",
    "lock_with_prefix",
    "main",
    "remove_external_lock_file",
    "remove_external_lock_file_with_prefix",
    "set_defaults",
    "synchronized",
    "synchronized_with_prefix",
]

#: what is imported when somebody asks for it: oslo.concurrency's names, and where they are
_LATER = {
    "FairLocks": "reader_writer",
    "InterProcessLock": "interprocess",
    "ReaderWriterLock": "reader_writer",
    "external_lock": "interprocess",
    "internal_fair_lock": "reader_writer",
    "internal_lock": "oslo",
    "lock_with_prefix": "oslo",
    "main": "cli.wrapper",
    "remove_external_lock_file": "oslo",
    "remove_external_lock_file_with_prefix": "oslo",
    "synchronized_with_prefix": "oslo",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(f"lockutils.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
