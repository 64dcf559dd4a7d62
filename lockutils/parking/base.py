"""What every kind of waiter can do: park, and be woken from anywhere."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from lockutils.parking.alarm import Alarm
    from lockutils.parking.deadline import Deadline

#: the longest sleep in one piece, in seconds: platforms have limits, 49 days and less
LONGEST = 1_000_000.0


class Parker:
    """Lets one thread, greenthread or task sleep until it is told to look again.

    A parker belongs to the caller that made it and serves one acquisition.  This class parks
    whoever an event loop or hub runs; a subclass knows how that sleeps and is resumed.
    """

    __slots__ = ("_alarm", "_asleep", "_post", "_take_back", "_woken", "clock", "loop")

    def __init__(
        self,
        loop: Any,
        clock: Callable[[], float],
        post: Callable[[Callable[[], None]], object],
        alarm: Alarm,
    ) -> None:
        #: what must run to run the owner: an event loop or a hub; ``None`` for a native thread
        self.loop = loop
        #: the clock that the deadline of this waiter is on
        self.clock = clock
        #: has the loop call something; callable from anywhere, as :meth:`wake`
        self._post = post
        #: what resumes the owner when it is to look at its wait
        self._alarm = alarm
        #: what is to be resumed: the owner sleeps, or is about to
        self._asleep: Any = None
        #: whether a wake came since the owner looked
        self._woken = False
        #: what ends the timers
        self._take_back: list[Callable[[], None]] = []

    async def park(self, deadline: Deadline) -> bool:
        """Sleep until :meth:`wake` or the deadline.

        Called by the owner alone.  Never misses a wake that came before it, may return early.
        Whatever is raised into the sleep (a cancellation, a signal, a kill) goes through, and
        leaves nothing that could wake the waiter later elsewhere.  The parkers of threads and
        greenthreads block here and never suspend the coroutine (see :func:`run`).

        :return: ``False`` only if the deadline has passed
        """
        look_at, left = deadline.look(), deadline.left()
        if left == 0.0:
            return False
        try:
            try:
                if look_at != math.inf:
                    self._alarm.enter(self, look_at)
                asleep = self._sleep(None if left is None else min(left, LONGEST))
                if asleep is not None:
                    await asleep
                self._woken = False
            finally:
                self._leave()
        except BaseException:
            # A signal handler may have raised in the middle of it, and a second one here.
            try:
                self._leave()
            except BaseException:
                self._leave()
                raise
            raise
        return deadline.left() != 0.0

    def wake(self) -> None:
        """Make the owner look again.  Callable from any thread, greenthread, task, signal handler
        or finaliser, any number of times; never blocks.

        :raises Exception: if the owner can never run again: its event loop is closed, its hub
            destroyed
        """
        # Posted also by the loop's own thread: a signal handler may have interrupted the very
        # system call that the loop sleeps in.
        self._woken = True
        self._post(self._resume)

    def _sleep(self, seconds: float | None) -> Awaitable[object] | None:
        """Say what sleeps, and let it sleep unless ``_woken`` is set by then.

        A wake that came before found nothing to resume, and has set the flag.

        :return: what a task sleeps on
        """
        raise NotImplementedError

    def _leave(self) -> None:
        """Called after a sleep; each step can be repeated."""
        # What is still posted must not resume the owner when it is elsewhere.
        self._asleep = None
        self._alarm.parked.pop(self, None)
        while self._take_back:
            self._take_back[-1]()
            self._take_back.pop()

    def resume_soon(self) -> None:
        """Have the owner leave its sleep early.  Called by its loop or hub."""
        self._post(self._resume)

    def call_after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have the loop or hub call something, once, whether the owner is still parked or not."""
        raise NotImplementedError

    def _resume(self) -> None:
        asleep, self._asleep = self._asleep, None
        if asleep is not None:
            self._continue(asleep)

    def _continue(self, asleep: Any) -> None:
        raise NotImplementedError


async def _some_coroutine() -> None:
    """Something whose type has what :func:`run` needs, without an import of ``types``."""


_coroutine = _some_coroutine()
#: not a methodcaller, whose calls by several threads mix up their arguments in Python 3.13t
_send = type(_coroutine).send
_coroutine.close()


def run(make: Callable[..., Any], *arguments: object) -> Any:
    """Run to its end a coroutine that waits by parkers which block instead of suspending.

    :param make: makes it, of the arguments
    """
    try:
        # Made and begun by one call into C: Python complains of a coroutine that was made and
        # that a signal handler has kept from its beginning.
        next(map(_send, map(make, *zip(arguments)), (None,)))
    except StopIteration as done:
        return done.value
    raise RuntimeError("a blocking acquisition was given the parker of a task")
