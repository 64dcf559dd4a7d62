"""An asyncio task parks on a future of its loop."""

from __future__ import annotations

import sys

from lockutils.parking.base import Parker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio


class AsyncioParker(Parker):
    """Suspends the calling task."""

    __slots__ = ()

    def __init__(self) -> None:
        library = sys.modules.get("asyncio")
        if library is None:
            raise RuntimeError("an asynchronous acquisition needs a running event loop")
        loop: asyncio.AbstractEventLoop = library.get_running_loop()
        super().__init__(loop, loop.time, loop.call_soon_threadsafe)

    async def _sleep(self, seconds: float | None) -> None:
        future = self._asleep = self.loop.create_future()
        if not self._woken:
            if seconds is not None:
                self._take_back.append(self.loop.call_later(seconds, self._resume).cancel)
            await future

    def _continue(self, asleep: asyncio.Future[None]) -> None:
        if not asleep.done():
            asleep.set_result(None)
