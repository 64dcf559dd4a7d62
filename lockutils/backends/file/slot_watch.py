"""Waiting until any one of several slots is free.

The kernel wakes who waits for a lock, but nobody can wait for several at a time.  So a helper
each sleeps for one slot: it asks for a read lock on the slot's byte, gives it back at once and
rings.  It cannot be called back; so a process has one helper at most for each slot, for all
who wait there one after the other.
"""

from __future__ import annotations

import os

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import opened
from lockutils.parking import helpers
from lockutils.parking.native import allocate_lock, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: seconds between two looks where there is no helper for each slot
_PAUSE = 0.064

#: by path and number of the lock file, which may be replaced, and by slot
_watches: dict[tuple[bytes, int, int], _Watch] = {}


class Bell:
    """Wakes one waiter.  What rings before he listens is not lost."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def ring(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # it rings already

    def wait_for_slot(
        self, path: bytes, file: int, slots: int, is_over: Callable[[], bool]
    ) -> None:
        """Sleep in the calling native thread until a slot may be free, or somebody rings.

        :param file: the inode number of the lock file
        :param is_over: asked once more before the sleep
        """
        watched = [self._listen((path, file, slot)) for slot in range(slots)]
        try:
            if not is_over():
                self._lock.acquire(True, -1 if all(watched) else _PAUSE)
        finally:
            for watch in watched:
                if watch is not None:
                    watch.bells.discard(self)

    def _listen(self, what: tuple[bytes, int, int]) -> _Watch | None:
        watch = _watches.get(what)
        if watch is None:
            watch = _watches.setdefault(what, _Watch(what))
        watch.bells.add(self)
        if not watch.start(self):
            return None
        if watch.over:  # and may not have seen us
            self.ring()
        return watch


class _Watch:
    """A helper's sleep until one slot is free."""

    __slots__ = ("_started", "_what", "bells", "over")

    def __init__(self, what: tuple[bytes, int, int]) -> None:
        self._what = what
        self._started = False
        self.bells: set[Bell] = set()
        self.over = False

    def start(self, bell: Bell) -> bool:
        """Begin, unless it has begun; ``False`` if there is no helper, for ``bell`` to know."""
        # one step
        if self._started:
            return True
        self._started = True
        try:
            helpers.run(self._run)
        except BaseException as error:
            self.bells.discard(bell)
            self._end()
            if isinstance(error, helpers.NoHelper):
                return False
            raise
        return True

    def _run(self) -> None:
        cell: list[int] = []
        path, _, slot = self._what
        try:
            syscalls.open_into(cell, path, os.O_RDONLY)
            opened.add(cell[0])
            syscalls.span_wait(cell[0], syscalls.span(syscalls.READ, slot, 1))
        except OSError:
            # The file is gone, and with it the holder; or there are too many files or locks:
            # whoever waits looks again, but not at once.
            sleep(_PAUSE)
        finally:
            if cell:
                opened.discard(cell[0])
                syscalls.close(cell)
            self._end()

    def _end(self) -> None:
        """Have those who listen look again; they may have come while there was no helper yet."""
        _watches.pop(self._what, None)
        self.over = True
        for bell in list(self.bells):
            bell.ring()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watches.clear)
