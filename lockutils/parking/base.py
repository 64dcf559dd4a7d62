"""What every kind of waiter can do: park, and be woken from anywhere."""

from __future__ import annotations

from _operator import methodcaller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from lockutils.parking.deadline import Deadline

    class Parker(Protocol):
        """Lets one thread, greenthread or task sleep until it is told to look again.

        A parker belongs to the caller that made it and serves one acquisition.
        """

        #: what must run to run the owner: an event loop or a hub; ``None`` for a native thread
        @property
        def loop(self) -> object: ...

        #: the clock that the deadline of this waiter is on
        @property
        def clock(self) -> Callable[[], float]: ...

        async def park(self, deadline: Deadline) -> bool:
            """Sleep until :meth:`wake` or the deadline.

            Called by the owner alone.  Never misses a wake that came before it, may return
            early.  Whatever is raised into the sleep (a cancellation, a signal, a kill)
            goes through, and leaves nothing that could wake the waiter later elsewhere.
            The parkers of threads and greenthreads block here and never suspend the
            coroutine (see :func:`run`).

            :return: ``False`` only if the deadline has passed
            """

        def wake(self) -> bool:
            """Make the owner look again.  Callable from any thread, greenthread, task,
            signal handler or finaliser, any number of times; never blocks.

            :return: ``False``, or any exception, if the owner can never run again: its event
                loop is closed, its hub destroyed
            """


#: the longest sleep in one piece, in seconds: platforms have limits, 49 days and less
LONGEST = 1_000_000.0


_begin = methodcaller("send", None)


def run(make: Callable[..., Any], *arguments: object) -> Any:
    """Run to its end a coroutine that waits by parkers which block instead of suspending.

    :param make: makes it, of the arguments
    """
    try:
        # Made and begun by one call into C: Python complains of a coroutine that was made and
        # that a signal handler has kept from its beginning.
        next(map(_begin, map(make, *zip(arguments))))
    except StopIteration as done:
        return done.value
    raise RuntimeError("a blocking acquisition was given the parker of a task")
