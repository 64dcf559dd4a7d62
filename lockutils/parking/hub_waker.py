"""Wakes for the greenthreads of one hub, posted from any native thread.

A hub runs in one thread and is not thread-safe.  Each hub that has parked greenthreads gets
one waker: a queue of calls, and something that the hub waits on and any thread can ring.
One for the hub and not for each waiter: two thousand waiters must not need two thousand
descriptors.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Any

    from lockutils.parking.deadline import Deadline
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
        # after fork the old one still rings the parent
        if waker is None or waker._pid != os.getpid():
            waker = hub._lockutils_waker = cls(hub)
        return waker

    @staticmethod
    def _running_hub() -> Any:
        raise NotImplementedError

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self._pid = os.getpid()
        self._calls: deque[Callable[[], None]] = deque()
        self._parked = 0

    def enter(self) -> None:
        """Called in the hub's thread before a greenthread parks."""
        self._parked += 1
        if self._parked == 1:
            self._listen()

    def leave(self) -> None:
        """Called in the hub's thread after a greenthread parked."""
        self._parked -= 1
        if self._parked == 0:
            self._stop_listening()

    def post(self, call: Callable[[], None]) -> None:
        """Have ``call`` called by the hub.  From any thread, at any instruction."""
        # The hub's own thread rings, too: a signal handler may have interrupted the very
        # system call that the hub sleeps in.
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
        raise NotImplementedError

    def _stop_listening(self) -> None:
        raise NotImplementedError

    def _ring(self) -> None:
        raise NotImplementedError

    def _answer(self) -> None:
        """Take back the ring, so that the next one is heard."""

    def call_after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Have the hub call ``call`` after ``seconds``; return what takes that back."""
        raise NotImplementedError


class HubParker:
    """Switches the calling greenthread to its hub."""

    __slots__ = ("_greenlet", "_waker", "_woken")
    clock = staticmethod(monotonic)

    def __init__(self, waker: HubWaker) -> None:
        self._waker = waker
        self._greenlet: Any = None
        self._woken = False

    async def park(self, deadline: Deadline) -> bool:
        left = deadline.left()
        if left == 0.0:
            return False
        waker = self._waker
        take_back = None
        waker.enter()
        try:
            # From here on a wake reaches the hub; one that came before has set the flag.
            if not self._woken:
                self._greenlet = _current()
                if left is not None:
                    take_back = waker.call_after(left, self._resume)
                waker.hub.switch()
            self._woken = False
        finally:
            # What is still posted must not switch to this greenthread when it is elsewhere.
            self._greenlet = None
            waker.leave()
            if take_back is not None:
                take_back()
        return deadline.left() != 0.0

    def wake(self) -> bool:
        self._woken = True
        self._waker.post(self._resume)
        return True

    def _resume(self) -> None:
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.switch()
