"""An eventlet greenthread parks in its hub."""

from __future__ import annotations

import os
import sys

from lockutils.parking.hub_waker import HubWaker
from lockutils.parking.native import read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


#: seconds between two looks into the waker where there is no descriptor left for a pipe
_PAUSE = 0.016


class EventletWaker(HubWaker):
    """Rung by a pipe: the read end is all that the hub has to watch.

    Where none can be had, the waker is looked into from time to time, until nobody is parked.
    """

    @staticmethod
    def _running_hub() -> Any:
        # absent while another thread is importing eventlet: then nobody has a hub
        hubs = getattr(sys.modules.get("eventlet.hubs"), "_threadlocal", None)
        return getattr(hubs, "hub", None)

    def __init__(self, hub: Any) -> None:
        super().__init__(hub)
        #: its two ends, if it is open
        self._pipe: list[int] = []
        self._listener: Any = None
        self._timer: Any = None

    def _listen(self) -> None:
        try:
            self._open_pipe()
        except OSError:
            self._look_now_and_then()
        else:
            self._listener = self.hub.add(
                self.hub.READ, self._pipe[0], self.deliver, self.deliver, lambda: None
            )
            # A listener keeps the greenthread that made it, which is only the first one of those
            # that park.  When that has died of an exception, it keeps all that it had, locks too.
            self._listener.greenlet = self.hub.greenlet

    def _stop_listening(self) -> None:
        if self._timer is None:
            self.hub.remove(self._listener)
        else:
            self._timer.cancel()
            self._timer = None

    def _open_pipe(self) -> None:
        if not self._pipe:
            self._pipe.extend(os.pipe())
            for end in self._pipe:
                os.set_blocking(end, False)

    def _look_now_and_then(self) -> None:
        self._timer = self.hub.schedule_call_global(_PAUSE, self._look_now_and_then)
        self.deliver()

    def _ring(self) -> None:
        try:
            write(self._pipe[1], b"!")
        except (BlockingIOError, IndexError):
            pass  # full: it rings already; or there is none

    def _answer(self) -> None:
        try:
            read(self._pipe[0], 4096)
        except (BlockingIOError, IndexError):
            pass

    def call_after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        cancel: Callable[[], None] = self.hub.schedule_call_global(seconds, call).cancel
        return cancel

    def __del__(self) -> None:
        for end in self._pipe:
            os.close(end)
