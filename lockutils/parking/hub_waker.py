"""Wakes for the greenthreads of one hub, posted from any native thread.

A hub runs in one thread and is not thread-safe.  Each hub that has parked greenthreads gets
one waker: a queue of calls, and something that the hub waits on and any thread can ring.
One for the hub and not for each waiter: two thousand waiters must not need two thousand
descriptors.
"""

from __future__ import annotations

import sys
from time import monotonic

from lockutils.parking.alarm import Alarm
from lockutils.parking.base import Parker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Any
else:
    from _collections import deque  # the same; collections takes a fifth of the import of it all


def _current() -> Any:
    """The running greenlet."""
    return sys.modules["greenlet"].getcurrent()


class HubWaker:
    """The calls posted to one hub.  A subclass knows how that hub is rung."""

    @classmethod
    def of_this_thread(cls) -> HubWaker | None:
        """Return the waker of the calling thread's hub.

        :return: ``None`` where the thread has no hub: then no greenthread can run in it
        :raises RuntimeError: when the hub itself calls, which must not wait
        """
        hub = cls._running_hub()
        if hub is None:
            return None
        if _current() is getattr(hub, "greenlet", hub):
            raise RuntimeError("a hub must not wait for a lock: it would stop its greenthreads")
        waker: HubWaker | None = getattr(hub, "_lockutils_waker", None)
        if waker is None:
            waker = hub._lockutils_waker = cls(hub)
        return waker

    @staticmethod
    def _running_hub() -> Any:
        raise NotImplementedError

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self._calls: deque[Callable[[], None]] = deque()
        #: who is parked: the hub is listening if there is anybody
        self._parked: set[HubParker] = set()
        self.alarm = Alarm()

    def enter(self, parker: HubParker) -> None:
        """Called in the hub's thread before a greenthread parks."""
        self._parked.add(parker)
        self._listen()

    def leave(self, parker: HubParker) -> None:
        """Called in the hub's thread after a greenthread parked; each step can be repeated."""
        self._parked.discard(parker)
        if not self._parked:
            self._stop_listening()
            if self._parked:  # a signal handler has parked meanwhile
                self._listen()

    def post(self, call: Callable[[], None]) -> None:
        """Have ``call`` called by the hub.  From any thread, at any instruction."""
        self._calls.append(call)
        self._ring()

    def deliver(self, *_: object) -> None:
        """Called by the hub when it was rung."""
        self._answer()
        try:
            while self._calls:
                self._calls.popleft()()
        finally:
            if self._calls:  # a greenthread died of an exception: the others still want theirs
                self._ring()

    def _listen(self) -> None:
        """Have the hub listen, if it does not yet."""
        raise NotImplementedError

    def _stop_listening(self) -> None:
        """Have the hub listen no more, if it does."""
        raise NotImplementedError

    def _ring(self) -> None:
        raise NotImplementedError

    def _answer(self) -> None:
        """Take back the ring, so that the next one is heard."""

    def call_after(
        self, seconds: float, call: Callable[[], None], take_back: list[Callable[[], None]]
    ) -> None:
        """Have the hub call ``call`` after ``seconds``; put into ``take_back`` what prevents it."""
        raise NotImplementedError

    def call_once(self, seconds: float, call: Callable[[], None]) -> None:
        """As :meth:`call_after`, for what is never prevented."""
        self.call_after(seconds, call, [])


class HubParker(Parker):
    """Switches the calling greenthread to its hub."""

    __slots__ = ("_waker",)

    def __init__(self, waker: HubWaker) -> None:
        super().__init__(waker.hub, monotonic, waker.post, waker.alarm)
        self._waker = waker

    def call_after(self, seconds: float, call: Callable[[], None]) -> None:
        self._waker.call_once(seconds, call)

    def _sleep(self, seconds: float | None) -> None:
        waker = self._waker
        waker.enter(self)
        # From here on a wake reaches the hub.
        if not self._woken:
            self._asleep = _current()
            if seconds is not None:
                waker.call_after(seconds, self._resume, self._take_back)
            waker.hub.switch()

    def _leave(self) -> None:
        super()._leave()
        self._waker.leave(self)

    def _continue(self, asleep: Any) -> None:
        asleep.switch()
