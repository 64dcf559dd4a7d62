"""One name, one lock: for threads, greenthreads, tasks, processes."""

from __future__ import annotations

from os import environ as _environ
from sys import modules as _modules

from lockutils.errors import (
    AcquireLockFailedException,
    DeadlockError,
    Holder,
    LockPathError,
    LockTimeout,
    SlotsMismatchError,
)
from lockutils.front.group import LockGroup, lock_all
from lockutils.front.handle import Lock
from lockutils.front.lock import lock
from lockutils.front.settings import get_lock_path, set_defaults
from lockutils.front.status import status
from lockutils.front.synchronized import synchronized
from lockutils.local.held import held
from lockutils.local.lock_by_key import LockByKey, Semaphores
from lockutils.observe.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils._version import __version__ as __version__
    from lockutils.cli.wrapper import main
    from lockutils.observe import debug as debug
    from lockutils.observe import events as events
    from lockutils.observe import opentelemetry as opentelemetry
    from lockutils.observe import prometheus as prometheus
    from lockutils.oslo import fixture as fixture
    from lockutils.oslo.global_conf import CONF as CONF
    from lockutils.oslo.interprocess import InterProcessLock, external_lock
    from lockutils.oslo.names import (
        internal_lock,
        lock_with_prefix,
        remove_external_lock_file,
        remove_external_lock_file_with_prefix,
        synchronized_with_prefix,
    )
    from lockutils.oslo.reader_writer import FairLocks, ReaderWriterLock, internal_fair_lock

__all__ = [
    "AcquireLockFailedException",
    "DeadlockError",
    "FairLocks",
    "Holder",
    "InterProcessLock",
    "Lock",
    "LockByKey",
    "LockGroup",
    "LockPathError",
    "LockTimeout",
    "ReaderWriterLock",
    "Semaphores",
    "SlotsMismatchError",
    "Status",
    "external_lock",
    "get_lock_path",
    "held",
    "internal_fair_lock",
    "internal_lock",
    "lock",
    "lock_all",
    "lock_with_prefix",
    "main",
    "remove_external_lock_file",
    "remove_external_lock_file_with_prefix",
    "set_defaults",
    "status",
    "synchronized",
    "synchronized_with_prefix",
]

#: what is imported when somebody asks for it, and where it is
_LATER = {
    "CONF": "oslo.global_conf",
    "FairLocks": "oslo.reader_writer",
    "InterProcessLock": "oslo.interprocess",
    "ReaderWriterLock": "oslo.reader_writer",
    "__version__": "_version",
    "external_lock": "oslo.interprocess",
    "internal_fair_lock": "oslo.reader_writer",
    "internal_lock": "oslo.names",
    "lock_with_prefix": "oslo.names",
    "main": "cli.wrapper",
    "remove_external_lock_file": "oslo.names",
    "remove_external_lock_file_with_prefix": "oslo.names",
    "synchronized_with_prefix": "oslo.names",
}
_MODULES_LATER = ("debug", "events", "fixture", "opentelemetry", "prometheus")

if not TYPE_CHECKING:  # to a type checker, every name would be right

    def __getattr__(name):
        if name not in _LATER and name not in _MODULES_LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        try:
            found = importlib.import_module(f"lockutils.{_LATER.get(name, name)}")
        except ModuleNotFoundError as error:
            # so that hasattr() is false, and tools that look at every name go on
            needs = f"{__name__}.{name} needs {error.name}, which is not installed"
            raise AttributeError(needs) from error
        if name in _LATER:
            found = getattr(found, name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__", *_MODULES_LATER})


if "LOCKUTILS_HELD" in _environ:
    from lockutils.cli import above as _above  # noqa: F401 (a wait finds it in sys.modules)

if _environ.get("LOCKUTILS_WATCH_ORDER") == "1":
    from lockutils.observe.debug import watch_order as _watch_order

    _watch_order()

if _environ.get("LOCKUTILS_WATCH_DEADLOCKS") == "1":
    from lockutils.observe.debug import watch_deadlocks as _watch_deadlocks

    _watch_deadlocks()

if "eventlet" in _modules or "gevent" in _modules:
    # now, since a native thread that waits among greenthreads must not import anything
    from lockutils.observe import long_wait as _long_wait  # noqa: F401
