"""An eventlet greenthread parks in its hub."""

from __future__ import annotations

import os
import sys

from lockutils._native import read, write
from lockutils.parking.mailbox import Mailbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class EventletMailbox(Mailbox):
    """Rung by a pipe: the read end is all that the hub has to watch."""

    @staticmethod
    def _running_hub() -> Any:
        # absent while another thread is importing eventlet: then nobody has a hub
        hubs = getattr(sys.modules.get("eventlet.hubs"), "_threadlocal", None)
        return getattr(hubs, "hub", None)

    def __init__(self, hub: Any) -> None:
        super().__init__(hub)
        self._read_end, self._write_end = os.pipe()
        for end in self._read_end, self._write_end:
            os.set_blocking(end, False)
        self._listener: Any = None

    def _listen(self) -> None:
        self._listener = self.hub.add(
            self.hub.READ, self._read_end, self.deliver, self.deliver, lambda: None
        )
        # A listener keeps the greenthread that made it, which is only the first one of those
        # that park.  When that has died of an exception, it keeps all that it had, locks too.
        self._listener.greenlet = self.hub.greenlet

    def _stop_listening(self) -> None:
        self.hub.remove(self._listener)

    def _ring(self) -> None:
        try:
            write(self._write_end, b"!")
        except BlockingIOError:
            pass  # full: it rings already

    def _answer(self) -> None:
        try:
            read(self._read_end, 4096)
        except BlockingIOError:
            pass

    def call_after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        cancel: Callable[[], None] = self.hub.schedule_call_global(seconds, call).cancel
        return cancel

    def __del__(self) -> None:
        for end in self._read_end, self._write_end:
            os.close(end)
