"""The processes that have the locks on a file, and those that wait for them.

A process has a lock if ``fdinfo`` of one of its descriptors says so.  That cannot be seen of
another user's process.  Then the table alone will do for a record lock of the process itself
(``POSIX``), which goes with the process, and nobody inherits it.

Our own holder has a flock and a record lock on one descriptor.  Our own waiter may have the flock
alone, while another tool has the record lock, or while no slot is free.  It has a ticket then.

A tool that polls is not seen while it waits: that a process has the file open says nothing.
"""

from __future__ import annotations

from lockutils.backends.file.queue import BYTES, DECLARED, HALF, TICKETS
from lockutils.errors import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.proc import File, Line, Process, Processes

#: how many bytes the tickets for a lock file have
SPAN = TICKETS * BYTES
EXCLUSIVE, SHARED, SLOTS = "exclusive", "shared", "slots"


class Users:
    """The holders and waiters of a lock file, put together from the table and the processes.

    :param file: its device and inode
    :param lines: of the table, of this file alone
    :param is_sure: whether they are of this file
    """

    def __init__(
        self, processes: Processes, file: File, lines: list[Line], *, is_sure: bool = True
    ) -> None:
        self._processes = processes
        self._file = file
        self._lines = lines
        self._is_sure = is_sure
        #: asleep until they get a lock on the file itself
        self._sleepers = [line for line in lines if line.waits]
        #: locks of whom no process is known yet
        self._left = [line for line in lines if not line.waits]
        self._has_records = any(line.kind != b"FLOCK" for line in self._left)
        self._has_slots = any(line.start > DECLARED for line in self._left)
        #: the process, if it is known, and the locks that one descriptor of it has
        self._held: list[tuple[int | None, list[Line]]] = []
        #: number of each ticket -> its process, if it is known
        self._tickets: dict[int, int | None] = {}
        #: processes of which it cannot be seen whether they have a ticket
        self._hidden: set[int] = set()
        #: the tickets that nobody may pass
        self._strict: set[int] = set()

    @property
    def are_complete(self) -> bool:
        """Whether all locks and tickets are somebody's."""
        return self.left == ([], [])

    @property
    def left(self) -> tuple[list[Line], list[int]]:
        """The locks and tickets that are nobody's."""
        return self._left, [number for number, pid in self._tickets.items() if pid is None]

    @property
    def may_only_wait(self) -> bool:
        """Whether one that was found may be a waiter, which its ticket would tell."""
        return self._has_records and any(map(_is_flock_alone, (it for _, it in self._held)))

    # --- looking

    def find_holders(self) -> None:
        """Look for the processes that have the locks."""
        for pid in dict.fromkeys(line.pid for line in self._left if line.pid > 0):
            self._look_for_locks(self._processes.get(pid))
        for process in self._processes.all() if self._left else ():
            self._look_for_locks(process)
            if not self._left:
                break

    def _look_for_locks(self, process: Process) -> None:
        try:
            for locks in process.locks_on(self._file):
                if self._explain(locks):
                    self._held.append((process.pid, locks))
                    if not self._left:
                        return
        except PermissionError:
            for line in [one for one in self._left if one.pid == process.pid]:
                # of a flock, only that its process cannot be seen
                self._hold(process.pid if line.kind == b"POSIX" else None, line)

    def _explain(self, locks: list[Line]) -> bool:
        """Take out what a descriptor has; whether there was any of it."""
        # The record locks of two readers are alike, and their flocks are not.  With the flock of
        # a process of another pid namespace the table does not have it.
        if any(line.pid > 0 and line not in self._left for line in locks):
            return False
        found = False
        for line in locks:
            if line in self._left:
                self._left.remove(line)
                found = True
        return found

    def find_tickets(self, queue: File, first_byte: int, lines: list[Line]) -> None:
        """Look for the processes that have the tickets.

        :param first_byte: of ticket 0
        :param lines: the tickets that the table has
        """
        for line in lines:
            for number, is_strict in _numbers(line, first_byte):
                self._tickets[number] = None
                if is_strict:
                    self._strict.add(number)
        likely = dict.fromkeys(line.pid for line in self._sleepers if line.pid > 0)
        for process in (*map(self._processes.get, likely), *self._processes.all()):
            if self.are_complete:
                break
            self._look_for_tickets(process, queue, first_byte)

    def _look_for_tickets(self, process: Process, queue: File, first_byte: int) -> None:
        try:
            for locks in process.locks_on(queue):
                for line in locks:
                    for number, _ in _numbers(line, first_byte):
                        if number in self._tickets:
                            self._tickets[number] = process.pid
        except PermissionError:
            self._hidden.add(process.pid)

    def _hold(self, pid: int | None, line: Line) -> None:
        """Take out a lock, and what belongs to the same descriptor if it is one of ours."""
        self._left.remove(line)
        self._held.append((pid, [line]))
        records = [one for one in self._left if one.pid == -1 and one.writes == line.writes]
        if line.kind == b"FLOCK" and records:
            self._left.remove(records[0])

    def guess(self, before: Users) -> None:
        """Make do with locks of whom no process was found.

        :param before: of the look before this one
        """
        if not self._is_sure:
            self._left.clear()
            return
        # A lock that was not there a moment ago was taken by the process that the table names.
        for line in [one for one in self._left if one.pid > 0 and one not in before._lines]:
            self._hold(line.pid, line)
        # the others are as many descriptors as there are locks of one kind
        flocks = [line for line in self._left if line.kind == b"FLOCK"]
        records = [line for line in self._left if line.kind != b"FLOCK" and line.start <= DECLARED]
        self._left.clear()
        for line in max(flocks, records, key=len):
            self._held.append((None, [line]))

    # --- telling

    def holders(self) -> list[Holder]:
        """Return who holds a lock."""
        return [
            self._holder(pid, self._mode(locks))
            for pid, locks in self._held
            if not self._only_waits(pid, locks)
        ]

    def _mode(self, locks: list[Line]) -> str:
        if self._has_slots:
            return SLOTS
        return EXCLUSIVE if any(line.writes for line in locks) else SHARED

    def _only_waits(self, pid: int | None, locks: list[Line]) -> bool:
        """Whether it is one of ours that waits for the record lock, with its flock in hand."""
        return (
            self._has_records
            and pid is not None
            and pid in self._tickets.values()
            and _is_flock_alone(locks)
        )

    def waiters(self) -> list[Holder]:
        """Return who waits, the next to be served first as far as that is known."""
        asleep = {line.pid: line for line in self._sleepers if line.pid > 0}
        # one that sleeps, and may have a ticket, is the first of those with a ticket of nobody
        hidden = [pid for pid in asleep if pid in self._hidden]
        first: list[Holder] = []
        others: list[Holder] = []
        for number in _in_order(list(self._tickets)):
            pid = self._tickets[number]
            if pid is None and hidden:
                pid = hidden.pop(0)
            line = None if pid is None else asleep.pop(pid, None)
            mode = None
            if line is not None:
                mode = EXCLUSIVE if line.writes else SLOTS if self._has_slots else SHARED
            elif number not in self._strict:
                mode = EXCLUSIVE
            (others if line is None else first).append(self._holder(pid, mode))
        # Other tools sleep on the file itself, as the first of ours do, in no order of ours.
        mode_of = {True: EXCLUSIVE, False: SHARED}
        foreign = [self._holder(pid, mode_of[line.writes]) for pid, line in asleep.items()]
        return [*first, *foreign, *others]

    def _holder(self, pid: int | None, mode: str | None) -> Holder:
        if pid is None:
            return Holder(mode=mode)
        command, begin = self._processes.get(pid).facts()
        return Holder(pid, command=command, mode=mode, not_before=begin)


def _is_flock_alone(locks: list[Line]) -> bool:
    return all(line.kind == b"FLOCK" for line in locks)


def _numbers(line: Line, first_byte: int) -> list[tuple[int, bool]]:
    """Return the tickets that a lock on the queue file is, and whether nobody may pass them.

    Neighbouring tickets of one process are one lock.
    """
    if not line.writes or line.waits or not first_byte <= line.start < first_byte + SPAN:
        return []
    start, end = line.start - first_byte, line.end - first_byte
    return [
        (number, number * BYTES + BYTES <= end)
        for number in range(start // BYTES, (end - 1) // BYTES + 1)
    ]


def _in_order(numbers: list[int]) -> list[int]:
    """Return numbers that go round, from the first to the last."""
    some = numbers[:1]
    return sorted(numbers, key=lambda number: (number - some[0] + HALF) % TICKETS)
