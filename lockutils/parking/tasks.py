"""A task parks by a future of its loop, if it is asyncio's, or by trio's own primitive.

The libraries are looked up in ``sys.modules``, since a parker is made in one of their tasks.
"""

from __future__ import annotations

import math
import sys

from lockutils.parking.alarm import alarm_of
from lockutils.parking.base import Parker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    import trio


class AsyncioParker(Parker):
    """Suspends the calling task."""

    __slots__ = ()

    def __init__(self) -> None:
        library = sys.modules.get("asyncio")
        if library is None:
            raise RuntimeError("an asynchronous acquisition needs a running event loop")
        loop: asyncio.AbstractEventLoop = library.get_running_loop()
        super().__init__(loop, loop.time, loop.call_soon_threadsafe, alarm_of(loop))

    def _sleep(self, seconds: float | None) -> asyncio.Future[None] | None:
        future: asyncio.Future[None] = self.loop.create_future()
        self._asleep = future
        if self._woken:
            return None
        if seconds is not None:
            self._take_back.append(self.loop.call_later(seconds, self._resume).cancel)
        return future

    def call_after(self, seconds: float, call: Callable[[], None]) -> None:
        self.loop.call_later(seconds, call)

    def _resume(self) -> None:
        # It stays to be resumed: the loop goes on after what a signal handler raises in here.
        future: asyncio.Future[None] | None = self._asleep
        if future is not None and not future.done():
            future.set_result(None)


class TrioParker(Parker):
    """Suspends the calling task; what wakes it is posted through trio's token."""

    __slots__ = ("_trio",)

    def __init__(self) -> None:
        library = self._trio = sys.modules["trio"]
        token: trio.lowlevel.TrioToken = library.lowlevel.current_trio_token()
        super().__init__(token, library.current_time, token.run_sync_soon, alarm_of(token))

    def call_after(self, seconds: float, call: Callable[[], None]) -> None:
        self._trio.lowlevel.spawn_system_task(self._call_after, seconds, call)

    async def _call_after(self, seconds: float, call: Callable[[], None]) -> None:
        await self._trio.sleep(seconds)
        call()

    async def _sleep(self, seconds: float | None) -> None:
        lowlevel = self._trio.lowlevel
        with self._trio.move_on_after(math.inf if seconds is None else seconds):
            self._asleep = lowlevel.current_task()
            if not self._woken:
                await lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: Any) -> trio.lowlevel.Abort:
        self._asleep = None
        succeeded: trio.lowlevel.Abort = self._trio.lowlevel.Abort.SUCCEEDED
        return succeeded

    def _continue(self, asleep: trio.lowlevel.Task) -> None:
        self._trio.lowlevel.reschedule(asleep)
