"""Waits that others can read: who waits for what, and what it holds meanwhile.

From outside it cannot be seen which thread or task of a process holds a lock, and which waits for
another.  So a waiter that has waited for long and holds something publishes both, for as long as it
waits.  A record is a file without a name (memfd_create(2)): others of the same user find it among
the open files of the process, and the kernel removes it with the process, whenever that is killed.

It is written once, before anybody can read all of it, and is gone before its waiter goes on.  So
if a reader finds the same record twice, the wait went on all the time in between.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from itertools import count
from time import monotonic

from lockutils.backends.file.proc import command_of, read, stat_of
from lockutils.errors import printable
from lockutils.local.registry import registries_of_names
from lockutils.observe import published
from lockutils.parking.native import closer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NamedTuple

    from lockutils.front.handle import Lock
    from lockutils.local.waiters import Waiter
else:
    from typing import NamedTuple

_NAME = "lockutils-wait"
#: of a record that is read, in bytes
_LONGEST = 1_000_000

_modules = sys.modules
_numbers = count(1)
#: whether the waiters of this process end deadlocks: see :func:`lockutils.debug.watch_deadlocks`
watching = False


class Hold(NamedTuple):
    """A lock that a waiter holds.

    :ivar ids: of its lock file, and of its queue in the process
    :ivar shared: whether it is held by a reader
    :ivar certain: whether nobody but the waiter can release it
    """

    ids: tuple[str, ...]
    shared: bool
    certain: bool


class Wait(NamedTuple):
    """A wait, and what the waiter holds.

    :ivar pid: of the process that waits
    :ivar number: tells apart the waits of one process
    :ivar who: the thread or task
    :ivar since: the monotonic clock, which all processes of a host share
    :ivar name: of the lock that it waits for
    :ivar path: of the lock file; empty if it has none
    :ivar ids: as of a :class:`Hold`
    :ivar watches: whether it is to end a deadlock
    """

    pid: int
    number: int
    who: str
    since: float
    name: str
    path: str
    ids: tuple[str, ...]
    shared: bool
    slots: int
    watches: bool
    holds: tuple[Hold, ...]

    def __str__(self) -> str:
        if self.pid == os.getpid():
            words = [self.who]
        else:
            words = [
                command_of(self.pid) or "",
                "" if self.who == "thread MainThread" else self.who,
            ]
        what = ", ".join(filter(None, words))
        return f"process {self.pid}" + (f" ({printable(what)})" if what else "")


class Record:
    """A wait that is published until :meth:`end`."""

    __slots__ = ("_file", "wait")

    def __init__(self, wait: Wait) -> None:
        self.wait = wait
        #: what closes the descriptor
        self._file: list[Any] = []
        create = getattr(os, "memfd_create", None)
        if create is not None:
            try:
                self._file.extend(map(closer_of, map(create, (_NAME,))))
                os.write(self._file[0].fileno(), json.dumps([stat_of("self")[2], wait]).encode())
            except OSError:
                self.end()  # no descriptor left: then only this process knows
        published[wait.number] = self

    @property
    def is_over(self) -> bool:
        return self.wait.number not in published

    def end(self) -> None:
        """Take it back.  Callable any number of times."""
        published.pop(self.wait.number, None)
        for file in self._file:
            file.close()


def take_back(queue: object) -> None:
    """End the records of waiters that hold the lock of ``queue``: somebody has just released it.

    Those that wait on look again some time, and then publish what they hold by then.
    """
    released = _queue_id(queue)
    for record in list(published.values()):
        if any(released in hold.ids for hold in record.wait.holds):
            record.end()


def wait_of(lock: Lock, waiter: Waiter, since: float, *, by_task: bool) -> Wait:
    """Return the wait for ``lock`` of ``waiter``, which calls this, with all that it holds."""
    path, ids = "", [_queue_id(lock._queue)]
    file_of = getattr(lock._backend, "file_of", None)
    if file_of is not None:
        path = os.fsdecode(file_of(lock._key))
        try:
            ids.append(file_id(os.stat(path)))
        except OSError:
            pass  # just removed
    return Wait(
        os.getpid(),
        next(_numbers),
        waiter.as_holder().description,
        since,
        lock.name,
        path,
        tuple(ids),
        waiter.shared,
        waiter.slots,
        watching,
        tuple(_held_by(waiter, by_task=by_task)),
    )


def wait_for_file(path: str, name: str, slots: int) -> Wait | None:
    """Return the wait that somebody would have who asked for a lock file now.

    :return: ``None`` if there is no such file
    """
    try:
        ids = (file_id(os.stat(path)),)
    except OSError:
        return None
    return Wait(0, 0, "", monotonic(), name, path, ids, False, slots, False, ())


def _held_by(waiter: Waiter, *, by_task: bool) -> Iterator[Hold]:
    queues = [queue for registry in registries_of_names() for _, queue in registry.items()]
    for queue in queues:
        for other in queue.holders():
            certain = waiter.waits_for_itself(other, by_task=by_task)
            if certain or waiter.is_of_same(other):
                yield Hold((_queue_id(queue), *_file_ids(other)), other.shared, certain)
    above = _modules.get("lockutils.cli.above")  # there below `lockutils run` alone
    for device, inode, shared in () if above is None else above.held():
        yield Hold((f"{device}:{inode}",), shared, True)


def _file_ids(holder: Waiter) -> list[str]:
    try:
        return [file_id(os.fstat(fd)) for fd in getattr(holder.request, "fd_box", ())]
    except OSError:
        return []  # released by another thread meanwhile


def _queue_id(queue: object) -> str:
    return f"{os.getpid()}/{id(queue)}"


def file_id(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


# --- of other processes


def waits_of(pid: int) -> list[Wait]:
    """Return the published waits of a process and of all those that it has started.

    Below a ``lockutils run`` it is the command, and what that starts, that waits.
    """
    found: dict[int, list[Wait]] = {}
    pids = [pid]
    for one in pids:
        if one not in found:
            found[one] = list(_read(one))
            pids.extend(_children(one))
    return [wait for waits in found.values() for wait in waits]


def _read(pid: int) -> Iterator[Wait]:
    if pid == os.getpid():
        yield from [record.wait for record in list(published.values())]
        return
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return  # another user's, or it has ended
    for name in names:
        path = f"{directory}/{name}"
        try:
            if os.readlink(path).startswith(f"/memfd:{_NAME}"):
                start, wait = _parse(_content(path))
                # a copy that a child has inherited says nothing of the child
                if wait.pid == pid and start == stat_of(pid)[2]:
                    yield wait
        except (OSError, ValueError, TypeError):
            pass  # closed meanwhile, or not yet written


def _content(path: str) -> bytes:
    fd_box: list[int] = []
    try:
        # opened and kept by one call into C, as in lockutils.backends.file.syscalls; it may be
        # another file by now, and nothing that sleeps
        fd_box.extend(map(os.open, (path,), (os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY,)))
        if not stat.S_ISREG(os.fstat(fd_box[0]).st_mode):
            return b""
        return os.read(fd_box[0], _LONGEST)
    finally:
        if fd_box:
            os.close(fd_box[0])


def _parse(text: bytes) -> tuple[int, Wait]:
    """Return when the process began, and its wait.

    :raises ValueError: if it is none
    :raises TypeError: if it is none
    """
    start, fields = json.loads(text)
    wait = Wait(*fields)
    holds = tuple(
        Hold(tuple(map(str, ids)), bool(shared), bool(certain))
        for ids, shared, certain in wait.holds
    )
    return start, Wait(
        int(wait.pid),
        int(wait.number),
        str(wait.who),
        float(wait.since),
        str(wait.name),
        str(wait.path),
        tuple(map(str, wait.ids)),
        bool(wait.shared),
        int(wait.slots),
        bool(wait.watches),
        holds,
    )


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found.extend(map(int, read(f"/proc/{pid}/task/{thread}/children").split()))
    except OSError:
        pass  # it has ended, or the kernel does not tell
    return found


def _after_fork_in_child() -> None:
    for record in list(published.values()):
        record.end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
