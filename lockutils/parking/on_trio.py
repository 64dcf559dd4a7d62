"""A trio task parks by trio's own primitive, and is rescheduled through its token."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import trio

    from lockutils.parking.deadline import Deadline


class TrioParker:
    """Suspends the calling task."""

    __slots__ = ("_task", "_trio", "_woken", "clock", "loop")

    def __init__(self) -> None:
        library = self._trio = sys.modules["trio"]
        self.loop: trio.lowlevel.TrioToken = library.lowlevel.current_trio_token()
        self._task: trio.lowlevel.Task | None = None
        self._woken = False
        self.clock = library.current_time

    async def park(self, deadline: Deadline) -> bool:
        left = deadline.left()
        if left == 0.0:
            return False
        library = self._trio
        with library.move_on_after(float("inf") if left is None else left):
            try:
                self._task = library.lowlevel.current_task()
                # a wake that came before this found no task and has set the flag
                if not self._woken:
                    await library.lowlevel.wait_task_rescheduled(self._abort)
            finally:
                # A signal handler may have raised before the task was asleep; who wakes it
                # later, wherever it sleeps then, would break trio.
                self._task = None
        self._woken = False
        return deadline.left() != 0.0

    def _abort(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        succeeded: trio.lowlevel.Abort = self._trio.lowlevel.Abort.SUCCEEDED
        return succeeded

    def wake(self) -> bool:
        self._woken = True
        try:
            self.loop.run_sync_soon(self._resume)
        except self._trio.RunFinishedError:
            return False
        return True

    def _resume(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._trio.lowlevel.reschedule(task)
