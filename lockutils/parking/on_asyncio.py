"""An asyncio task parks on a future of its loop."""

from __future__ import annotations

import sys

from lockutils.parking.base import LONGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio

    from lockutils.parking.deadline import Deadline


class AsyncioParker:
    """Suspends the calling task."""

    __slots__ = ("_future", "_woken", "clock", "loop")

    def __init__(self) -> None:
        library = sys.modules.get("asyncio")
        if library is None:
            raise RuntimeError("an asynchronous acquisition needs a running event loop")
        self.loop: asyncio.AbstractEventLoop = library.get_running_loop()
        self._future: asyncio.Future[None] | None = None
        self._woken = False
        self.clock = self.loop.time

    async def park(self, deadline: Deadline) -> bool:
        left = deadline.left()
        if left == 0.0:
            return False
        timer = None
        future = self._future = self.loop.create_future()
        try:
            # a wake that came before this found no future and has set the flag
            if not self._woken:
                if left is not None:
                    timer = self.loop.call_later(min(left, LONGEST), self._resolve)
                await future
            self._woken = False
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()
        return deadline.left() != 0.0

    def wake(self) -> bool:
        self._woken = True
        # thread-safe also within the loop's own thread: a signal handler may have
        # interrupted the very system call that the loop sleeps in
        try:
            self.loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _resolve(self) -> None:
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)
