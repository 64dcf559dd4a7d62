"""A gevent greenlet parks in its hub."""

from __future__ import annotations

import sys

from lockutils.parking.hub_waker import HubWaker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class GeventWaker(HubWaker):
    """Rung by the event loop's own thread-safe watcher.

    The watcher is active only while somebody is parked: gevent takes a loop without active
    watchers for one that would never end, and says so by LoopExit.
    """

    @staticmethod
    def _running_hub() -> Any:
        # absent while another thread is importing gevent: then nobody has a hub
        get_hub = getattr(sys.modules.get("gevent._hub_local"), "get_hub_if_exists", None)
        return None if get_hub is None else get_hub()

    def __init__(self, hub: Any) -> None:
        super().__init__(hub)
        self._watcher = hub.loop.async_()

    def _listen(self) -> None:
        if not self._watcher.active:
            self._watcher.start(self.deliver)

    def _stop_listening(self) -> None:
        self._watcher.stop()

    def _ring(self) -> None:
        self._watcher.send()

    def call_after(
        self, seconds: float, call: Callable[[], None], take_back: list[Callable[[], None]]
    ) -> None:
        timer = self.hub.loop.timer(seconds)
        take_back.append(timer.close)  # before it is active: nothing else would end it early
        timer.start(call, update=True)

    def call_once(self, seconds: float, call: Callable[[], None]) -> None:
        # a loop that has nothing else to do is not kept from its end
        timer = self.hub.loop.timer(seconds, ref=False)

        def fire() -> None:
            timer.close()
            call()

        timer.start(fire, update=True)
