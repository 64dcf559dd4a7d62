"""Who holds a lock and who waits for it: what the queue of this process knows, and the system."""

from __future__ import annotations

import os

from lockutils.backends.file.naming import key_of, name_of
from lockutils.backends.file.proc import begin_of
from lockutils.front import settings
from lockutils.front.arguments import check_options, warn_of_path
from lockutils.front.lock import registry_of
from lockutils.local.waiters import snapshot
from lockutils.observe.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.base import Backend
    from lockutils.errors import Holder
    from lockutils.front.settings import StrPath
    from lockutils.local.lock_by_key import Semaphores
    from lockutils.local.wait_queue import WaitQueue


def status(
    name: str,
    lock_file_prefix: str | None = None,
    external: bool = False,
    lock_path: StrPath | None = None,
    semaphores: Semaphores | None = None,
) -> Status:
    """Return who holds the lock ``name`` and who waits for it at the moment.

    Nothing is taken, nothing is created, and nobody notices: a single try at the same moment does
    not fail.  Tells of threads and tasks of this process by name; with ``external`` also of other
    processes, and of other tools on the same lock file.  What cannot be known is ``None`` in the
    :class:`Holder`.

    The parameters are those of :func:`lock`, and so are the exceptions.
    """
    name = name_of(name)
    key = key_of(name, lock_file_prefix)
    check_options(external=external)
    if lock_path is not None and not external:
        warn_of_path(lock_path)
    backend = None
    if external and settings.process_locking():
        backend = settings.lock_directory(lock_path, make=False)
    return look(key, registry_of(semaphores).find(key), backend)


def look(
    key: str, queue: WaitQueue | None, backend: Backend | None, *, waiters: bool = True
) -> Status:
    """Return the status of a lock.

    :param waiters: ``False`` to spare the search for them in other processes
    """
    holders, waiting = _here(queue)
    if backend is None:
        return Status(key, holders, waiting)
    outside, outside_waiting = backend.status(key, waiters=waiters)
    return Status(key, _joined(holders, queue, outside), _merged(waiting, outside_waiting))


def _here(queue: WaitQueue | None) -> tuple[list[Holder], list[Holder]]:
    """Return the holders and waiters of this process."""
    holders, waiters = [], []
    for waiter in [] if queue is None else snapshot(queue):
        if waiter.scoped is not None:
            holders.append(waiter.as_holder())
            if holders[-1].since is None:
                holders[-1].not_before = begin_of(os.getpid())
        elif waiter.parker is not None:  # else it tries, or is about to leave
            waiters.append(waiter.as_holder())
    return holders, waiters


def _joined(here: list[Holder], queue: WaitQueue | None, outside: list[Holder]) -> list[Holder]:
    """Add other processes to the holders of this one, which the system knows, too."""
    # a lock of this process alone says nothing of the file, which another library may hold
    if any(waiter.request is not None for waiter in queue.holders()) if queue else False:
        pid = os.getpid()
        outside = [holder for holder in outside if holder.pid != pid]
    return here + outside


def _merged(here: list[Holder], outside: list[Holder]) -> list[Holder]:
    """Put the waiters of this process in the places in line that it has.

    One place may be enough for all of them: the next one lines up when the first is served.
    """
    pid, rest = os.getpid(), here.copy()
    merged = []
    for waiter in outside:
        if waiter.pid != pid or not here:
            merged.append(waiter)
        elif rest:
            merged.append(rest.pop(0))
    return merged + rest
