"""The ways to keep other processes out, each as its users write it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

#: gives a context manager for one acquisition
Maker = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Contender:
    """A library, or the kernel."""

    name: str
    #: the distribution it needs
    package: str | None
    #: imports it; returns what makes the locks of ``a`` in a directory
    load: Callable[[str], Maker]
    #: seconds between two tries of a waiter, at most; 0 where the kernel wakes it
    period: float = 0.0


class KernelFlock:
    """flock(2) by hand, on a file that is opened and closed each time."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _kernel(directory: str) -> Maker:
    path = os.path.join(directory, "a")
    return lambda: KernelFlock(path)


def _lockutils(directory: str) -> Maker:
    from lockutils import lock

    return lambda: lock("a", external=True, lock_path=directory)


def _fair(directory: str) -> Maker:
    from lockutils import lock

    return lambda: lock("a", external=True, lock_path=directory, fair=True)


def _oslo(directory: str) -> Maker:
    from oslo_concurrency import lockutils

    return lambda: lockutils.lock("a", external=True, lock_path=directory)


def _fasteners(directory: str) -> Maker:
    import fasteners

    kept = fasteners.InterProcessLock(os.path.join(directory, "a"))
    return lambda: kept


def _filelock(directory: str) -> Maker:
    import filelock

    kept = filelock.FileLock(os.path.join(directory, "a"))
    return lambda: kept


def _portalocker(directory: str) -> Maker:
    import portalocker

    kept = portalocker.Lock(os.path.join(directory, "a"), timeout=3600)
    return lambda: kept


KERNEL = Contender("kernel flock", None, _kernel)
OURS = Contender("lockutils", None, _lockutils)
FAIR = Contender("lockutils, fair=True", None, _fair)
PEERS = (
    Contender("oslo.concurrency", "oslo.concurrency", _oslo, 0.1),
    Contender("fasteners", "fasteners", _fasteners, 0.1),
    Contender("filelock", "filelock", _filelock, 0.05),
    Contender("portalocker", "portalocker", _portalocker, 0.25),
)
ALL = {contender.name: contender for contender in (KERNEL, OURS, FAIR, *PEERS)}
