"""Who waits for the locks of one directory: a file that is always empty.

It is made when somebody has to wait there for the first time.  All that it says is said by
record locks of open file descriptions, on bytes that it does not have: what a process had in
it goes with the process, at whatever instruction that is killed.

Each lock file has a span of its own, by a digest of its name.  On the first byte whoever waits
in the order of the kernel has a read lock: the mark that somebody waits.  The second half is
for tickets, a byte each: see :mod:`lockutils.backends.file.tickets`.  With 40 bits for the digest
two names may share a span; they would wait in one line, but still lock each their own file.

The queue only orders.  What excludes others is the lock file alone.
"""

from __future__ import annotations

import errno
import os
from _blake2 import blake2b
from time import monotonic

from lockutils.backends.file import syscalls
from lockutils.backends.file.tickets import TICKETS, Line
from lockutils.local.registry import Registry

#: a leading dot: no lock is ever named like this
QUEUE_NAME = b".lockutils-queue"
#: how long a process may go on without a look at the queue, in seconds.  The system has to
#: change from one process to another only so often, however short they hold the lock.
QUANTUM = 0.001
#: holders of one of N slots have a read lock on this byte of the lock file plus N
DECLARED = 2**62
_DECLARATIONS = syscalls.span(syscalls.WRITE, DECLARED, 0)
#: how long waiters who do not take a free lock are ignored: they are stopped, or out of luck
_IGNORED = 1.0

#: what it means that there is no queue file, or no record lock
_NOBODY = (errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)

_DIGEST_BYTES = 5
_SPAN = 2 * TICKETS

#: of each lock file, as long as anybody has tickets for it or may take one
_lines: Registry[Line] = Registry(Line)


class Place:
    """A lock file, and where to wait for it."""

    __slots__ = (
        "_any_mark",
        "_any_ticket",
        "_anybody",
        "first_ticket",
        "line",
        "looks_at",
        "mark",
        "owner",
        "path",
        "queue",
        "unmark",
    )

    def __init__(self, path: bytes, owner: int | None = None) -> None:
        #: of the lock file
        self.path = path
        #: as :attr:`lockutils.backends.file.directory.Directory.owner`
        self.owner = owner
        directory, _, name = path.rpartition(b"/")
        #: of the queue file
        self.queue = directory + b"/" + QUEUE_NAME
        self.line = _lines.get(path)
        start = int.from_bytes(blake2b(name, digest_size=_DIGEST_BYTES).digest(), "big") * _SPAN
        #: what to lock to be seen to wait, and to unlock
        self.mark = syscalls.span(syscalls.READ, start, 1)
        self.unmark = syscalls.span(syscalls.UNLOCK, start, 1)
        #: the byte of ticket 0
        self.first_ticket = start + TICKETS
        self._anybody = syscalls.span(syscalls.WRITE, start, _SPAN)
        self._any_mark = syscalls.span(syscalls.WRITE, start, 1)
        self._any_ticket = syscalls.span(syscalls.READ, self.first_ticket, TICKETS)
        #: when this process has to look before it takes the lock, on the monotonic clock
        self.looks_at = 0.0

    def may_pass(self) -> bool:
        """Look whether nobody waits; if so, that is good for a while."""
        if self.is_waited_for():
            return False
        self.looks_at = monotonic() + QUANTUM
        return True

    def was_served(self) -> None:
        """This process has waited, and may now pass the others for a moment."""
        self.looks_at = monotonic() + QUANTUM

    def ignore_waiters(self) -> None:
        self.looks_at = monotonic() + _IGNORED

    def is_waited_for(self) -> bool:
        """Whether another process waits; a mark of this one counts, too, its tickets do not."""
        return self._is_in_use(self._anybody)

    def is_surely_waited_for(self) -> bool:
        """As :meth:`is_waited_for`, for those who must not pass anybody.

        :raises OSError: if that cannot be told
        """
        return self._is_in_use(self._anybody, for_sure=True)

    def is_marked(self) -> bool:
        """Whether somebody waits in the order of the kernel."""
        return self._is_in_use(self._any_mark)

    def is_waited_for_in_order(self) -> bool:
        """Whether another process has a ticket."""
        return self._is_in_use(self._any_ticket)

    def is_held(self) -> bool:
        """Whether somebody has the record lock of the lock file."""
        return _look(self.path, syscalls.WHOLE) is not None

    def use(self) -> tuple[int | None, int | None]:
        """Return how those have the lock file who hold it at the moment.

        :return: the kind of their record lock, or ``None``; and how many may hold at a time
            as they have it, or ``None`` if nobody holds or another tool does
        """
        found = _look(self.path, _DECLARATIONS)
        if found is None:
            return None, None
        start, _, kind, pid = found
        if start > DECLARED:
            return kind, start - DECLARED
        return kind, 1 if pid == -1 else None  # a lock of a process is another tool's

    def _is_in_use(self, what: bytes, *, for_sure: bool = False) -> bool:
        # The descriptor that has our tickets does not see them.  If it is being closed at this
        # instant, none of them is left, and any descriptor will do.
        cell = self.line.cell
        if cell:
            try:
                return syscalls.span_in_use(cell[0], what) is not None
            except (OSError, IndexError):
                pass
        return _look(self.queue, what, for_sure=for_sure) is not None


def _look(path: bytes, what: bytes, *, for_sure: bool = False) -> tuple[int, int, int, int] | None:
    """As :func:`syscalls.span_in_use`, of the file at ``path``.

    :param for_sure: whether it is an error if that cannot be told, and not ``None``
    """
    cell: list[int] = []
    try:
        syscalls.open_into(cell, path, os.O_RDONLY)
        return syscalls.span_in_use(cell[0], what)
    except OSError as error:
        # there is no such file, so nobody was ever there; or no such lock
        if for_sure and error.errno not in _NOBODY:
            raise
        return None
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if cell:
            syscalls.close_number(cell[0])
