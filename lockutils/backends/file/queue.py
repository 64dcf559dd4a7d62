"""Who waits for the locks of one directory: a file that is always empty.

It is made when somebody has to wait there for the first time.  All that it says is said by
record locks of open file descriptions, on bytes that it does not have: what a process had in
it goes with the process, at whatever instruction that is killed.

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
from lockutils.backends.file.local_tickets import TICKETS, local_tickets
from lockutils.backends.file.tickets import BYTES

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
        # The descriptor that has our own tickets does not see them.
        tickets = local_tickets.find(self.path)
        for fd in () if tickets is None else tickets.fd_box:
            try:
                return syscalls.span_in_use(fd, self._any_ticket) is not None
            except OSError as error:
                if for_sure and error.errno not in _NOBODY:
                    raise
                return False
        return _look(self.queue, self._any_ticket, for_sure=for_sure) is not None

    def is_held(self) -> bool:
        """Whether somebody has the record lock of the lock file."""
        return _look(self.path, syscalls.WHOLE) is not None

    def use(self) -> int | None:
        """Return in how many slots the lock is held: 1 if it is held exclusively or shared.

        :return: ``None`` if nobody holds it, or another tool does
        """
        found = _look(self.path, _DECLARATIONS)
        if found is None:
            return None
        start, _, _, pid = found
        if start > DECLARED:
            return start - DECLARED
        return 1 if pid == -1 else None  # a lock of a process is another tool's


def _look(path: bytes, what: bytes, *, for_sure: bool = False) -> tuple[int, int, int, int] | None:
    """As :func:`syscalls.span_in_use`, of the file at ``path``; ``None`` also on an error.

    :param for_sure: whether an error is raised that does not say that there is nobody
    """
    fd_box: list[int] = []
    try:
        syscalls.open_into(fd_box, path, os.O_RDONLY)
        return syscalls.span_in_use(fd_box[0], what)
    except OSError as error:
        if for_sure and error.errno not in _NOBODY:
            raise
        return None
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if fd_box:
            syscalls.close_number(fd_box[0])
