"""The tickets that this process has for a lock file."""

from __future__ import annotations

import errno
import os

from lockutils.backends.file import syscalls
from lockutils.backends.file.descriptors import owners
from lockutils.local.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Iterable
else:
    from _collections import deque  # the same; collections takes a fifth of the import of it all

#: how many numbers there are
TICKETS = 2**22
HALF = TICKETS // 2


class LocalTickets:
    """The tickets of this process for one lock file.

    They belong to the process and not to its waiters: the waiter that is first in the process
    uses the lowest, whoever took it.  So two threads that enter the in-process queue in one
    order, and take their tickets in the other, need not exchange them.

    All are locked by one descriptor, so that two thousand greenthreads can wait.  It closes
    with its last user.  No guard keeps threads apart, since a signal handler or finaliser may
    come in at any place, and wait: what must be one step is one call into C, on one object.
    """

    __slots__ = ("__weakref__", "_file", "numbers", "recent")

    def __init__(self) -> None:
        #: number -> the entry's note of it, of those that are locked or about to be
        self.numbers: dict[int, list[int]] = {}
        #: numbers taken last.  None is taken again while an unlocking of it may be under way.
        self.recent: deque[int] = deque(maxlen=64)
        #: at most one, once it is open: of threads that open it at the same time the first counts
        self._file: dict[None, _QueueFile] = {}

    def open(self, path: bytes) -> int:
        """Return the descriptor, opened if it is not yet.

        :raises OSError: if the queue file cannot be used
        """
        file = self._file.get(None) or self._file.setdefault(None, _QueueFile(path))
        return file.fd_box[0]

    @property
    def fd_box(self) -> list[int]:
        """The descriptor, if it is open."""
        file = self._file.get(None)
        return [] if file is None else file.fd_box

    def lowest(self) -> int | None:
        return self._first(self.numbers.copy(), 1)

    def highest(self) -> int | None:
        return self._first(self.numbers.copy(), -1)

    def newest(self) -> int | None:
        """The highest number taken of late; ``None`` if there is no need to be beyond it."""
        return self._first(dict.fromkeys(self.recent.copy()), -1)

    def _first(self, numbers: Iterable[int], sign: int) -> int | None:
        for some in numbers:  # any, to say where the circle begins
            return min(numbers, key=lambda number: sign * ((number - some + HALF) % TICKETS))
        return None


#: of each lock file, as long as anybody has tickets for it or may take one
local_tickets: Registry[LocalTickets] = Registry(LocalTickets)


class _QueueFile:
    """An open queue file, which closes with its last user."""

    __slots__ = ("_closer", "fd_box", "path")

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.fd_box: list[int] = []
        descriptor = _Descriptor(self.fd_box, path)
        owners.add(descriptor)
        #: A generator, since a signal handler may raise at the entry of ``__del__``.  One that is
        #: dropped is closed by the interpreter, inside its ``try``.
        self._closer = _closing(descriptor)
        next(self._closer)
        writable, _ = syscalls.open_file(self.fd_box, path)
        if not writable:
            raise PermissionError(errno.EACCES, "Queue file cannot be written to")


class _Descriptor:
    __slots__ = ("fd_box", "path")

    def __init__(self, fd_box: list[int], path: bytes) -> None:
        self.fd_box = fd_box
        self.path = path


def _closing(descriptor: _Descriptor) -> Generator[None, None, None]:
    try:
        yield
    finally:
        try:
            syscalls.close(descriptor.fd_box)
        finally:
            owners.discard(descriptor)


def _forget_parent() -> None:
    """In a forked child: its parent's tickets are not its own, and the copies are closed."""
    for tickets in [found for _, found in local_tickets.items()]:
        tickets.numbers.clear()
        tickets._file.clear()
    local_tickets.clear()


os.register_at_fork(after_in_child=_forget_parent)
