"""A trio task parks by trio's own primitive, and is rescheduled through its token."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import trio

    from lockutils.deadline import Deadline


class TrioParker:
    """Suspends the calling task."""

    __slots__ = ("_task", "_token", "_trio", "_woken", "clock")

    def __init__(self) -> None:
        trio = self._trio = sys.modules["trio"]
        self._token: trio.lowlevel.TrioToken = trio.lowlevel.current_trio_token()
        self._task: trio.lowlevel.Task | None = None
        self._woken = False
        self.clock = trio.current_time

    async def park(self, deadline: Deadline) -> bool:
        left = deadline.left()
        if left == 0.0:
            return False
        trio = self._trio
        with trio.move_on_after(float("inf") if left is None else left):
            self._task = trio.lowlevel.current_task()
            # a wake that came before this found no task and has set the flag
            if not self._woken:
                await trio.lowlevel.wait_task_rescheduled(self._abort)
            self._task = None
        self._woken = False
        return deadline.left() != 0.0

    def _abort(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        return self._trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> bool:
        self._woken = True
        try:
            self._token.run_sync_soon(self._resume)
        except self._trio.RunFinishedError:
            return False
        return True

    def _resume(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._trio.lowlevel.reschedule(task)
