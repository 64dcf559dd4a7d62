"""Native threads that sleep in system calls for waiters who must not.

A waiter with a time-out, in a greenthread or in a task cannot call what blocks in the kernel
and cannot be called back.  A helper thread does it in its place.  Helpers are few, are used
again, and end when they have been idle for a while.
"""

from __future__ import annotations

import os

from lockutils.parking.native import Empty, SimpleQueue, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: at most so many at once: as many keys as one process can wait for without polling
LIMIT = 64
_IDLE_SECONDS = 10.0

_idle: list[SimpleQueue[Callable[[], None]]] = []
_running: set[int] = set()


class NoHelper(Exception):
    """All helpers are busy, or the system has no thread for another one."""


def run(errand: Callable[[], None]) -> None:
    """Have a helper call ``errand``, which must not raise.

    :raises NoHelper: if there is none to be had; nothing has been called then
    """
    # No signal handler can raise within a call into C: who takes a helper gives it the errand.
    try:
        next(map(SimpleQueue.put, iter(_idle.pop, None), (errand,)))
        return
    except IndexError:
        pass
    if len(_running) >= LIMIT:
        raise NoHelper
    inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
    inbox.put(errand)
    started: list[int] = []
    try:
        _running.add(id(inbox))
        started.extend(map(start_new_thread, (_serve,), ((inbox,),)))
    except BaseException as error:
        if not started:
            _running.discard(id(inbox))
            # "can't start new thread": a limit, or the interpreter is ending
            if isinstance(error, (RuntimeError, MemoryError)):
                raise NoHelper from None
        raise


def _serve(inbox: SimpleQueue[Callable[[], None]]) -> None:
    try:
        while True:
            try:
                errand = inbox.get(True, _IDLE_SECONDS)
            except Empty:
                try:
                    _idle.remove(inbox)
                except ValueError:  # just taken by somebody: the errand is on its way
                    continue
                return
            errand()
            del errand
            _idle.append(inbox)
    finally:
        _running.discard(id(inbox))


def _after_fork_in_child() -> None:
    _idle.clear()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
