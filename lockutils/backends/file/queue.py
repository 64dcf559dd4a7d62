"""The queue file of a directory, which tells the waiters for its locks.  It is always empty.

The first waiter makes it.  Each waiter holds a record lock of an open file description on it, on
bytes that the file does not have.  The kernel removes those locks with the process, whenever that
is killed.

Each lock file has a range of its own, by a digest of its name, for tickets: see
:mod:`lockutils.backends.file.tickets`.  With 40 bits for the digest two names may share a
range; they would wait in one line, but still lock each their own file.

The queue only orders.  What excludes others is the lock file alone.
"""

from __future__ import annotations

import errno
import os
from _blake2 import blake2b
from time import monotonic

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import owners
from lockutils.backends.file.opening import open_file
from lockutils.errors import SlotsMismatchError
from lockutils.local.registry import Registry
from lockutils.parking.native import closer_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

#: a leading dot: no lock is ever named like this
QUEUE_NAME = b".lockutils-queue"
#: how long a process may go on without a look at the queue, in seconds.  The system has to
#: change from one process to another only so often, however short they hold the lock.
QUANTUM = 0.001
#: holders of one of N slots have a read lock on this byte of the lock file plus N
DECLARED = 2**62
_DECLARATIONS = syscalls.span(syscalls.WRITE, DECLARED, 0)

#: what it means that there is no queue file, or no record lock
_NOBODY = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)

_DIGEST_BYTES = 5

#: how many numbers there are for tickets, and bytes for each
TICKETS = 2**22
BYTES = 2
HALF = TICKETS // 2
#: how many numbers of its own a process remembers; more than those that a thread can be late
_REMEMBERED = 64


class QueueRange:
    """A lock file, and where to wait for it."""

    __slots__ = ("_any_ticket", "first_byte", "owner", "path", "queue", "recheck_at")

    def __init__(self, path: bytes, owner: int | None = None) -> None:
        #: of the lock file
        self.path = path
        #: as :attr:`lockutils.backends.file.directory.Directory.owner`
        self.owner = owner
        directory, _, name = path.rpartition(b"/")
        #: of the queue file
        self.queue = directory + b"/" + QUEUE_NAME
        digest = blake2b(name, digest_size=_DIGEST_BYTES).digest()
        #: of ticket 0
        self.first_byte = int.from_bytes(digest, "big") * TICKETS * BYTES
        self._any_ticket = syscalls.span(syscalls.READ, self.first_byte, TICKETS * BYTES)
        #: when this process has to look before it takes the lock, on the monotonic clock
        self.recheck_at = 0.0

    def may_barge(self) -> bool:
        """Look whether nobody waits; if so, that is good for a quantum."""
        if self.is_waited_for():
            return False
        self.begin_quantum()
        return True

    def begin_quantum(self) -> None:
        """Let this process take the lock without a look for a moment."""
        self.recheck_at = monotonic() + QUANTUM

    def is_waited_for(self, *, for_sure: bool = False) -> bool:
        """Whether another process waits.

        :param for_sure: whether it is an error if that cannot be told, and not ``False``
        :raises OSError: if it cannot be told for sure
        """
        tickets = local_tickets.find(self.path)
        # The descriptor that has our own tickets does not see them.
        ours = [] if tickets is None else tickets.fd_box.copy()
        return _look(self.queue, self._any_ticket, ours, for_sure=for_sure) is not None

    def is_held(self) -> bool:
        """Whether a holder has the record lock of the lock file."""
        found = _look(self.path, syscalls.WHOLE)
        return found is not None and found[1] != syscalls.REMOVAL_END

    def use(self) -> int | None:
        """Return in how many slots the lock is held: 1 if it is held exclusively or shared.

        :return: ``None`` if nobody holds it, or another tool does, or the file is being removed
        """
        found = _look(self.path, _DECLARATIONS)
        if found is None or found[1] == syscalls.REMOVAL_END:
            return None
        start, _, _, pid = found
        if start > DECLARED:
            return start - DECLARED
        return 1 if pid == -1 else None  # a lock of a process is another tool's

    def check_slots(self, slots: int) -> None:
        """Raise if others hold the lock in another number of slots.

        :raises SlotsMismatchError: so
        """
        found = self.use()
        if found is not None and found not in (1, slots):
            raise SlotsMismatchError(os.fsdecode(self.path), slots, found)


def _look(
    path: bytes, what: bytes, is_open: Sequence[int] = (), *, for_sure: bool = False
) -> tuple[int, int, int, int] | None:
    """As :func:`syscalls.span_in_use`, of the file at ``path``; ``None`` also on an error.

    :param is_open: a descriptor of the file, if there is one already
    :param for_sure: whether an error is raised that does not say that there is nobody
    """
    fd_box: list[int] = []
    try:
        if not is_open:
            syscalls.open_into(fd_box, path, os.O_RDONLY)
        return syscalls.span_in_use((is_open or fd_box)[0], what)
    except OSError as error:
        if for_sure and error.errno not in _NOBODY:
            raise
        return None
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if fd_box:
            syscalls.close_number(fd_box[0])


class LocalTickets:
    """The tickets of this process for one lock file.

    The waiter that is first in the process waits with the lowest of them, whoever took it, and
    gives back its own.  So two threads that enter the in-process queue in one order, and take
    their tickets in the other, need not exchange them.

    All are locked by one descriptor, so that two thousand greenthreads can wait.  It closes
    with its last user.  No guard keeps threads apart, since a signal handler or finaliser may
    come in at any place, and wait: what must be one step is one call into C, on one object.
    """

    __slots__ = ("__weakref__", "_claimed", "_file", "numbers")

    def __init__(self) -> None:
        #: those that are locked: no thread waits with a number that is not
        self.numbers: dict[int, None] = {}
        #: The numbers claimed last.  Each is claimed once and never again.  So a number can be
        #: unlocked twice, or late, without harm.
        self._claimed: dict[int, object] = {}
        #: at most one, once it is open: of threads that open it at the same time the first counts
        self._file: dict[None, _QueueFile] = {}

    def open(self, place: QueueRange) -> int:
        """Return the descriptor, opened if it is not yet.

        :raises OSError: if the queue file cannot be used
        """
        file = self._file.get(None) or self._file.setdefault(None, _QueueFile(place))
        return file.fd_box[0]

    @property
    def fd_box(self) -> list[int]:
        """The descriptor, if it is open."""
        file = self._file.get(None)
        return [] if file is None else file.fd_box

    def claim(self, number: int) -> bool:
        """Claim a number for the calling entry; ``False`` if it is not beyond all others."""
        claimed, mine = self._claimed, object()
        if claimed.setdefault(number, mine) is not mine:
            return False  # another thread was faster
        if len(claimed) > _REMEMBERED:
            for old in list(claimed)[:-_REMEMBERED]:
                claimed.pop(old, None)
        return self.newest() == number

    def newest(self) -> int | None:
        """The highest number claimed."""
        return self._first(list(self._claimed), -1)

    def lowest(self) -> int | None:
        return self._first(list(self.numbers), 1)

    def _first(self, numbers: Iterable[int], sign: int) -> int | None:
        for some in numbers:  # any, to say where the circle begins
            return min(numbers, key=lambda number: sign * ((number - some + HALF) % TICKETS))
        return None


#: of each lock file, as long as anybody has tickets for it or may take one
local_tickets: Registry[LocalTickets] = Registry(LocalTickets)


class _QueueFile:
    """An open queue file, which closes with its last user."""

    __slots__ = ("_closer", "fd_box")

    def __init__(self, place: QueueRange) -> None:
        self.fd_box: list[int] = []
        #: what closes the descriptor when it is dropped
        self._closer: list[Any] = []
        descriptor = _Descriptor(self.fd_box, place.queue)
        owners.add(descriptor)
        try:
            mode = None if place.owner is None else 0o666  # nobody else gets into his directory
            writable, _ = open_file(self.fd_box, place.queue, mode)
            if not writable:
                raise PermissionError(errno.EACCES, "Queue file cannot be written to")
            self._closer.extend(map(closer_of, self.fd_box))
        finally:
            if not self._closer:
                syscalls.close(self.fd_box)
            owners.discard(descriptor)

    def forget_parent(self) -> None:
        """In a forked child: close the copy."""
        for closer in self._closer:
            closer.close()
        self.fd_box.clear()


class _Descriptor:
    __slots__ = ("fd_box", "path")
    moves = 0

    def __init__(self, fd_box: list[int], path: bytes) -> None:
        self.fd_box = fd_box
        self.path = path


def _forget_parent() -> None:
    """In a forked child: its parent's tickets are not its own, and the copies are closed."""
    for tickets in [found for _, found in local_tickets.items()]:
        tickets.numbers.clear()
        for file in list(tickets._file.values()):
            file.forget_parent()
        tickets._file.clear()
    local_tickets.clear()


os.register_at_fork(after_in_child=_forget_parent)
