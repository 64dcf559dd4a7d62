"""A trio task parks by trio's own primitive, and is rescheduled through its token."""

from __future__ import annotations

import math
import sys

from lockutils.parking.base import Parker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import trio


class TrioParker(Parker):
    """Suspends the calling task."""

    __slots__ = ("_trio",)

    def __init__(self) -> None:
        library = self._trio = sys.modules["trio"]
        token: trio.lowlevel.TrioToken = library.lowlevel.current_trio_token()
        super().__init__(token, library.current_time, token.run_sync_soon)

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
