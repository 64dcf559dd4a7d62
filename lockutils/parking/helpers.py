"""Native threads that sleep in system calls for waiters who must not.

A waiter in a greenthread or in a task cannot call what blocks in the kernel.  A helper thread
does it in its place.  Helpers are few, are used again, and end when they have been idle for a
while, when the process forks and when the interpreter ends.
"""

from __future__ import annotations

import atexit
import os

from lockutils.parking.native import Empty, SimpleQueue, start_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lockutils.parking.native import Thread

#: at most so many at once: as many keys as one process can wait for without polling
LIMIT = 64
_IDLE_SECONDS = 10.0

_idle: list[_Helper] = []
_running: set[_Helper] = set()
#: what calls back those who are busy when the interpreter ends, by job
_enders: dict[Callable[[], None], Callable[[], bool]] = {}
_is_ending = False


class NoHelper(Exception):
    """All helpers are busy, or the system has no thread for another one."""


class _Helper(SimpleQueue):  # type: ignore[type-arg]
    """A thread, and the jobs that are on their way to it; ``None`` ends it."""

    def __init__(self) -> None:
        self.thread: list[Thread] = []

    def serve(self) -> None:
        try:
            while True:
                try:
                    job = self.get(True, _IDLE_SECONDS)
                except Empty:
                    try:
                        _idle.remove(self)
                    except ValueError:  # just taken by somebody: the job is on its way
                        continue
                    return
                if job is None:
                    return
                job()
                _enders.pop(job, None)
                del job
                if _is_ending:
                    return
                _idle.append(self)
        finally:
            _running.discard(self)

    def end(self) -> None:
        """Have it end when it is idle, and wait until it has."""
        self.put(None)
        for thread in self.thread:
            thread.join()


def run(job: Callable[[], None], end: Callable[[], bool] | None = None) -> None:
    """Have a helper call ``job``, which must not raise.

    :param end: makes ``job`` return soon, and tells whether it will; called when the
        interpreter ends
    :raises NoHelper: if there is none to be had; nothing has been called then
    """
    if _is_ending:
        raise NoHelper
    if end is not None:
        _enders[job] = end
    # No signal handler can raise within a call into C: who takes a helper gives it the job.
    try:
        next(map(SimpleQueue.put, iter(_idle.pop, None), (job,)))
        return
    except IndexError:
        pass
    helper = _Helper()
    helper.put(job)
    try:
        if len(_running) >= LIMIT:
            raise NoHelper
        _running.add(helper)
        helper.thread.extend(map(start_thread, (helper.serve,)))
    except BaseException as error:
        if not helper.thread:
            _running.discard(helper)
            _enders.pop(job, None)
            # "can't start new thread": a limit, or the interpreter is ending
            if isinstance(error, (RuntimeError, MemoryError)):
                raise NoHelper from None
        raise


def _end_idle() -> None:
    """A process with one thread alone can fork without harm, and without a warning."""
    while True:
        try:
            helper = _idle.pop()
        except IndexError:
            return
        helper.end()


def _end_all() -> None:
    """An interpreter must not end before its threads have (Py_EndInterpreter)."""
    global _is_ending
    _is_ending = True
    _end_idle()
    ended = [end() for end in list(_enders.values())]
    if all(ended):  # else one sleeps that cannot be called back
        for helper in _running.copy():
            helper.end()


def _after_fork_in_child() -> None:
    _idle.clear()
    _running.clear()
    _enders.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_end_idle, after_in_child=_after_fork_in_child)
