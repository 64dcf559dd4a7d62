"""What a process has: its locks, and what its threads share."""

from typing import NamedTuple


class File(NamedTuple):
    """The locks of one acquisition on the lock file, all on one descriptor."""

    #: 0, or SHARED, or EXCLUSIVE
    flock: int = 0
    #: the same, of the record lock on the whole file
    record: int = 0
    slot: int | None = None


SHARED, EXCLUSIVE = 1, 2
NO_LOCK = File()


class Call(NamedTuple):
    """The marks of one :class:`~lockutils.backends.file.blocking_call.BlockingCall`."""

    started: bool = False
    unbegun: bool = True
    unpublished: bool = True
    #: marks that ``cancel`` has taken
    cancelled: frozenset = frozenset()
    over: bool = False
    #: whether the helper has begun its sleeps, and ended them
    began: bool = False
    left: bool = False
    granted: bool = False
    #: the thread that withdraws the request
    withdrawer: str | None = None


class Shared(NamedTuple):
    """What the threads of a process share.  Acquisitions are numbered, from 0 on."""

    #: how many numbers there are; how many may be used, and from which one on
    ring: int = 16
    start: int = 0
    limit: int = 6
    #: by acquisition: whether it is in strict order; how many may hold together with it
    strict: tuple = ()
    together: tuple = ()
    #: acquisitions in the in-process queue, and those that hold
    queue: tuple = ()
    holding: frozenset = frozenset()
    #: how many have entered the queue
    came: int = 0
    #: LocalTickets: who uses it; ``claimed``, and the highest of these; ``numbers``.  If one
    #: thread takes all tickets, the highest will do
    users: frozenset = frozenset()
    claimed: frozenset = frozenset()
    several: bool = False
    newest: int | None = None
    numbers: tuple = ()
    #: by acquisition, of its QueueEntry: the number in ``_taken``
    taken: tuple = ()
    #: whether the process may barge for a moment; whether the model lets it come back to do so
    quantum: bool = False
    barges: bool = False
    #: by acquisition: its helper, if there is one; whether helpers can be called back
    calls: tuple = ()
    callable: bool = True
    patient: bool = True
    #: acquisitions that keep their ticket
    in_line: frozenset = frozenset()


class Process(NamedTuple):
    """One process."""

    #: bytes of the queue file that are locked to write, and to read, a bit each
    tickets: int = 0
    reads: int = 0
    #: by acquisition
    files: tuple = ()
    #: by acquisition: ``None``, or whether its watch has seen a closing
    watches: tuple = ()
    shared: Shared = Shared()
    #: where each thread stands; which of them may still be interrupted
    threads: tuple = ()
    restless: frozenset = frozenset()
    stopped: bool = False
    #: whether it was killed, and the kernel has yet to drop its locks
    dying: bool = False


DEAD = Process()


class Locks(NamedTuple):
    """What others can see of a process."""

    tickets: int
    reads: int
    flock: int
    record: int
    slots: int
    #: numbers that are kept, each with whether nobody may pass it
    kept: frozenset


def kept_numbers(shared):
    return [shared.taken[one] for one in shared.in_line if shared.taken[one] in shared.numbers]


def locks_of(process):
    kept = frozenset(
        (number, bool(process.tickets >> 2 * number & 2)) for number in kept_numbers(process.shared)
    )
    slots = 0
    for file in process.files:
        if file.slot is not None:
            slots |= 1 << file.slot
    return Locks(
        process.tickets,
        process.reads,
        max((file.flock for file in process.files), default=0),
        max((file.record for file in process.files), default=0),
        slots,
        kept,
    )


def put(values, position, value):
    return (*values[:position], value, *values[position + 1 :])
