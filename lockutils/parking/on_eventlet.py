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


#: seconds between two looks for calls where there is no pipe
_PAUSE = 0.016


class EventletWaker(HubWaker):
    """Rung by a pipe: the read end is all that the hub has to watch.

    Where none can be had, the hub looks for calls from time to time, until nobody is parked.
    The same in a forked child that goes on with the hub: its epoll object is the parent's, too,
    and descriptors that the child adds or removes would be the parent's.
    """

    @classmethod
    def forget_parent(cls) -> None:
        """In a forked child: ring the child's hub from now on, and not the parent's."""
        waker: EventletWaker | None = getattr(cls._running_hub(), "_lockutils_waker", None)
        if waker is None:
            return
        waker._has_pipe = waker._is_watched = False
        pipe, waker._pipe = waker._pipe, []
        for end in pipe:
            os.close(end)
        if waker._parked and waker._timer is None:
            waker._timer = waker.hub.schedule_call_global(_PAUSE, waker._look_now_and_then)

    @staticmethod
    def _running_hub() -> Any:
        # absent while another thread is importing eventlet: then nobody has a hub
        hubs = getattr(sys.modules.get("eventlet.hubs"), "_threadlocal", None)
        return getattr(hubs, "hub", None)

    def __init__(self, hub: Any) -> None:
        super().__init__(hub)
        #: its two ends, if it is open
        self._pipe: list[int] = []
        self._has_pipe = True
        #: whether the hub surely watches the pipe; a signal handler may have stopped us half-way
        self._is_watched = False
        self._timer: Any = None

    def _listen(self) -> None:
        if self._is_watched or self._timer is not None:
            return
        try:
            self._open_pipe()
        except OSError:
            self._look_now_and_then()
            return
        hub, end = self.hub, self._pipe[0]
        listener = hub.listeners[hub.READ].get(end)
        if listener is None:
            listener = hub.add(hub.READ, end, self.deliver, self.deliver, lambda: None)
        else:
            self._register(end)
        # A listener keeps the greenthread that made it, which is only the first one of those
        # that park.  When that has died of an exception, it keeps all that it had, locks too.
        listener.greenlet = hub.greenlet
        self._is_watched = True

    def _stop_listening(self) -> None:
        self._is_watched = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        hub = self.hub
        for end in self._pipe[:1]:
            listener = hub.listeners[hub.READ].get(end)
            if listener is None:
                self._register(end)
            else:
                hub.remove(listener)

    def _register(self, end: int) -> None:
        """Have the kernel watch what the hub has a listener for; done before, as a rule."""
        register = getattr(self.hub, "register", None)
        if register is not None:
            register(end)

    def _open_pipe(self) -> None:
        if not self._has_pipe:
            raise OSError("the hub is the parent's")
        if not self._pipe:
            self._pipe.extend(os.pipe())
            for end in self._pipe:
                os.set_blocking(end, False)

    def _look_now_and_then(self) -> None:
        if self._parked:
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

    def call_after(
        self, seconds: float, call: Callable[[], None], take_back: list[Callable[[], None]]
    ) -> None:
        take_back.append(self.hub.schedule_call_global(seconds, call).cancel)

    def __del__(self) -> None:
        for end in self._pipe:
            os.close(end)
