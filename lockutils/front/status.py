"""The holders and waiters of a lock, from the queue of this process and from the system."""

from __future__ import annotations

import os

from lockutils.backends.file.naming import key_of, name_of
from lockutils.backends.file.proc import begin_of
from lockutils.errors import Holder, LockPathError
from lockutils.front import settings
from lockutils.front.arguments import check_options, warn_of_path
from lockutils.front.lock import registry_of
from lockutils.local.waiters import snapshot
from lockutils.observe.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.base import Backend
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
    """Return the holders and the waiters of the lock ``name`` at the moment.

    It takes and creates nothing, and nobody notices it: a single try at the same moment does not
    fail.  It names the threads and tasks of this process; with ``external`` also other processes,
    and other tools on the same lock file.  What cannot be known is ``None`` in the
    :class:`Holder`.

    The parameters and exceptions are those of :func:`lock`.
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


def look(key: str, queue: WaitQueue | None, backend: Backend | None) -> Status:
    """Return the status of a lock."""
    holders, waiters = _here(queue)
    if backend is None:
        return Status(key, holders, waiters)
    outside, outside_waiters = backend.status(key)
    return Status(key, _joined(holders, queue, outside), _merged(waiters, outside_waiters))


def holders_of(queue: WaitQueue, backend: Backend | None, key: str) -> list[Holder]:
    """Return the holders of a lock, without a search for its waiters."""
    holders, _ = _here(queue)
    if backend is None:
        return holders
    try:
        outside, _ = backend.status(key, waiters=False)
    except LockPathError:
        return holders
    return _joined(holders, queue, outside)


def _here(queue: WaitQueue | None) -> tuple[list[Holder], list[Holder]]:
    """Return the holders and waiters of this process."""
    holders, waiters = [], []
    for waiter in [] if queue is None else snapshot(queue):
        if waiter.scoped is not None:
            holders.append(waiter.as_holder())
            if holders[-1].since is None:
                holders[-1].not_before = begin_of("self")
        elif waiter.parker is not None:  # else it tries, or is about to leave
            waiters.append(waiter.as_holder())
    return holders, waiters


def _joined(here: list[Holder], queue: WaitQueue | None, outside: list[Holder]) -> list[Holder]:
    """Add other processes to the holders of this one, which the system knows, too."""
    # a lock of this process alone says nothing of the file, which another library may hold
    if any(waiter.request is not None for waiter in queue.holders()) if queue else False:
        pid = os.getpid()
        # one of whom nothing is known at all is us, where the system tells of no process
        outside = [holder for holder in outside if holder.pid != pid and holder != Holder()]
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
