"""A process that runs out of something for an instant: descriptors, threads, good luck."""

from __future__ import annotations

import _thread
import errno
import os
import random
import resource
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lockutils.backends.file import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaos.life import Life

NAMES = ("descriptors", "threads", "errors")
#: how often, of all turns, and how long, in seconds
_OFTEN, LASTS = 0.004, 0.003
#: no machine has so much memory for one stack
_TOO_LARGE = 2**46
#: what any call may fail with that failed for no lasting reason
_ERRORS = [
    errno.ENOLCK,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.ENOSPC,
    errno.EACCES,
    errno.EINTR,
]
_CALLS = ("_open", "flock", "_fcntl", "fstat", "lstat")


class Shortages:
    """Of one process; one at a time."""

    def __init__(self) -> None:
        self._guard = _thread.allocate_lock()
        self._last = float("-inf")

    def since(self, start: float) -> bool:
        """Whether there was one since then, on the monotonic clock."""
        return self._guard.locked() or self._last >= start

    @contextmanager
    def kept_out(self) -> Iterator[None]:
        """Have none meanwhile."""
        with self._guard:
            yield

    @contextmanager
    def perhaps(self, life: Life, chance: random.Random) -> Iterator[bool]:
        """Run out of something by chance; whether that is so."""
        names = [name for name in NAMES if life.injects(name)]
        if not names or chance.random() > _OFTEN or not self._guard.acquire(blocking=False):
            yield False
            return
        name = chance.choice(names)
        try:
            life.note(name)
            with _HOW[name]():
                yield True
        finally:
            self._last = time.monotonic()
            self._guard.release()


@contextmanager
def _no_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _no_threads() -> Iterator[None]:
    before = _thread.stack_size(_TOO_LARGE)
    try:
        yield
    finally:
        _thread.stack_size(before)


@contextmanager
def _errors() -> Iterator[None]:
    """System calls of the file driver fail now and then, of whatever thread."""
    before = {name: getattr(syscalls, name) for name in _CALLS}
    try:
        for name, call in before.items():
            setattr(syscalls, name, _failing(call))
        yield
    finally:
        for name, call in before.items():
            setattr(syscalls, name, call)


def _failing(call: Callable[..., Any]) -> Callable[..., Any]:
    def fail(*args: Any, **options: Any) -> Any:
        if random.random() < 0.2:
            number = random.choice(_ERRORS)
            raise OSError(number, os.strerror(number))
        return call(*args, **options)

    return fail


_HOW = {"descriptors": _no_descriptors, "threads": _no_threads, "errors": _errors}
