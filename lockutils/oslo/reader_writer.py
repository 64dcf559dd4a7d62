"""Reader/writer locks, which are fasteners'; and what they have to do with ``lock(name)``."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager

import fasteners

from lockutils.backends.file.naming import name_of
from lockutils.front.lock import lock
from lockutils.local.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from lockutils.front.handle import Lock


class ReaderWriterLock(fasteners.ReaderWriterLock):  # type: ignore[misc]
    """A reader/writer lock of this process, for threads, and for the greenthreads of eventlet.

    :param condition_cls: makes the condition that waiters wait for
    :param current_thread_functor: tells who asks
    """

    def __init__(
        self,
        condition_cls: Callable[[], Any] = threading.Condition,
        current_thread_functor: Callable[[], Any] = threading.current_thread,
    ) -> None:
        # Threads of spawn_n() are all the same one to threading.current_thread().
        if current_thread_functor is threading.current_thread and _is_patched_by_eventlet():
            current_thread_functor = sys.modules["eventlet"].getcurrent
        super().__init__(condition_cls, current_thread_functor)


def _is_patched_by_eventlet() -> bool:
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and patcher.is_monkey_patched("thread")


class FairLock(ReaderWriterLock):
    """A reader/writer lock that holds the lock of its name while anybody is in.

    So readers and writers exclude ``lock(name)``, fair or not, and are excluded by it.  Writers
    are served in the order they came, and so are the holders of ``lock(name)``; both take turns.
    """

    #: set by whoever finds the lock by its name
    name = ""

    def __init__(self) -> None:
        super().__init__()
        #: what each thread holds that is in, and how often it is in
        self._inside: dict[Any, tuple[Lock, list[None]]] = {}

    forget_parent = __init__  # in a forked child nobody is in

    def acquire_read_lock(self) -> None:
        super().acquire_read_lock()
        self._enter(super().release_read_lock, shared=True)

    def release_read_lock(self) -> None:
        if self.is_reader():
            self._leave()
        super().release_read_lock()

    def acquire_write_lock(self) -> None:
        super().acquire_write_lock()
        self._enter(super().release_write_lock, shared=False)

    def release_write_lock(self) -> None:
        if self.is_writer(check_pending=False):
            self._leave()
        super().release_write_lock()

    @contextmanager
    def read_lock(self) -> Iterator[FairLock]:
        self.acquire_read_lock()
        try:
            yield self
        finally:
            self.release_read_lock()

    @contextmanager
    def write_lock(self) -> Iterator[FairLock]:
        self.acquire_write_lock()
        try:
            yield self
        finally:
            self.release_write_lock()

    def _enter(self, undo: Callable[[], None], *, shared: bool) -> None:
        me = self._current_thread()
        try:
            if me not in self._inside:
                handle = lock(self.name, do_log=False, shared=shared)
                handle.__enter__()  # as by "with": nobody else can release it
                self._inside[me] = handle, []
            self._inside[me][1].append(None)
        except BaseException:
            undo()
            raise

    def _leave(self) -> None:
        me = self._current_thread()
        handle, times = self._inside[me]
        times.pop()
        if not times:
            del self._inside[me]
            handle.release()


class FairLocks:
    """A separate place for reader/writer locks by name, each as long as anybody has it."""

    def __init__(self) -> None:
        self._locks: Registry[ReaderWriterLock] = Registry(ReaderWriterLock)

    def get(self, name: str) -> ReaderWriterLock:
        """Return the lock ``name`` of this place, the same to all callers."""
        return self._locks.get(name_of(name))


_fair_locks: Registry[FairLock] = Registry(FairLock)


def internal_fair_lock(name: str) -> ReaderWriterLock:
    """Return the reader/writer lock ``name`` of this process, the same to all callers.

    Its readers and writers exclude ``lock(name)``, which is to say also ``lock(name,
    fair=True)``, and are excluded by it.  Whoever holds the one and asks for the other gets a
    :class:`DeadlockError`.
    """
    name = name_of(name)
    found = _fair_locks.get(name)
    found.name = name
    return found
