"""The steps that are system calls: other processes see nothing else."""

from steps import call

TICKETS, LOCAL_TICKETS, FILE, LOCK_FILE, SLOTS, POSIX = (
    "backends/file/tickets.py",
    "backends/file/queue.py",
    "backends/file/request.py",
    "backends/file/lock_file.py",
    "backends/file/slots.py",
    "backends/file/syscalls.py",
)

# --- tickets
LOOKS_FOR_ANY = call(
    "look", TICKETS, "QueueEntry._next_number", "self._find(fd, 0, TICKETS)", "looks for a ticket"
)
LOOKS_BEYOND = call(
    "look", TICKETS, "QueueEntry._next_number", "self._find(fd, newest + leap", "looks for the last"
)
LOCKS_NUMBER = call(
    "lock_number", TICKETS, "QueueEntry.take", "syscalls.span_try(fd", "tries to lock a number"
)
LOOKS_AGAIN = call(
    "look", TICKETS, "QueueEntry.take", "self._find(fd, number + 1", "looks for a higher one"
)
UNLOCKS_NUMBER = call(
    "unlock_number", TICKETS, "QueueEntry.give_back", "self.unlock(number)", "unlocks a number"
)
LOOKS_AHEAD = call(
    "look", TICKETS, "QueueEntry._nearest", "self._find(fd, number - HALF", "looks ahead"
)
LOOKS_NEAR = call(
    "look", TICKETS, "QueueEntry._nearest", "self._find(fd, number - reach", "looks for a nearer"
)
LOOKS_BETWEEN = call(
    "look", TICKETS, "QueueEntry._nearest", "self._find(fd, found[0] + 1", "looks in between"
)
LOOKS_HOW_FAR = call(
    "look", TICKETS, "QueueEntry.distance", "number - HALF, HALF", "looks how far back it is"
)
LOOKS_IF_HELD = call(
    "look_held", FILE, "FileRequest._ticket_ahead", "self._range.is_held()", "looks if it is held"
)
WAITS_FOR_TICKET = call(
    "wait_ticket", FILE, "FileRequest._wait_for_turn", "sleeper.lock_span(", "sleeps for a ticket"
)
LETS_TICKET_GO = call(
    "unlock_read", FILE, "FileRequest._wait_for_turn", "entry.unlock(ahead)", "unlocks that"
)
DROPS_REQUEST = call(
    "drop_request",
    LOCAL_TICKETS,
    "_QueueFile.__init__",
    "map(closer_of, self.fd_box)",
    "drops its request",
)

# --- the lock file
LOOKS_FOR_WAITERS = call(
    "look_any", FILE, "FileRequest.try_now", "place.may_barge()", "looks if anybody waits"
)
LOOKS_FOR_SURE = call(
    "look_any",
    FILE,
    "FileRequest._may_try",
    "self._range.is_waited_for(",
    "looks if anybody waits, for sure",
)
TRIES_FLOCK = call(
    "flock_try", POSIX, "lock_at_once", "flock(fd, flock_op | LOCK_NB)", "tries the flock"
)
TRIES_RECORD = call(
    "record_try", POSIX, "lock_at_once", "_fcntl(fd, _SETLK, record)", "tries the record lock"
)
STEP_FLOCK = call(
    "flock_try", LOCK_FILE, "LockFile._try_both", "syscalls.flock_try(", "tries the flock by itself"
)
STEP_RECORD = call(
    "record_try", LOCK_FILE, "LockFile._try_both", "self._try_record(fd)", "the record lock, too"
)
STEP_UNDO = call(
    "flock_unlock", LOCK_FILE, "LockFile._try_both", "syscalls.flock_unlock(", "undoes the flock"
)
WAITS_FLOCK = call(
    "flock_wait", POSIX, "wait_at_once", "sleeper.flock(fd, flock_op)", "sleeps for the flock"
)
THEN_RECORD = call(
    "record_try", POSIX, "wait_at_once", "_fcntl(fd, _SETLK, record)", "takes the record lock"
)
AGAIN_FLOCK = call(
    "flock_wait", LOCK_FILE, "LockFile._wait_for_both", "sleeper.flock(fd", "has the flock"
)
AGAIN_RECORD = call(
    "record_try",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "self._try_record(fd)",
    "tries the record lock again",
)
WAITS_RECORD = call(
    "record_wait",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "sleeper.lock_span(",
    "sleeps for another tool",
)
UNLOCKS_RECORD = call(
    "record_unlock",
    POSIX,
    "release",
    "_fcntl(fd_box[0], _SETLK, _UNLOCK)",
    "unlocks the record lock",
)
UNLOCKS_FLOCK = call(
    "flock_unlock", POSIX, "release", "flock(fd_box[0], LOCK_UN)", "unlocks the flock"
)
CLOSES = call("close", POSIX, "release", "close(fd_box)", "closes the lock file")

# --- slots
TRIES_SLOT = call(
    "slot_try",
    SLOTS,
    "SlotRequest._take_slot",
    "syscalls.span(syscalls.WRITE, slot, 1)",
    "tries a slot",
)
WATCHES = call(
    "watch",
    SLOTS,
    "SlotRequest._wait_for_both",
    "sleeper.watch_closing(",
    "watches for a closing",
)
READS_WATCH = call(
    "read",
    SLOTS,
    "SlotRequest._wait_for_both",
    "sleeper.read(self._watch[0]",
    "sleeps until a closing",
)
CLOSES_WATCH = call(
    "close_watch",
    SLOTS,
    "SlotRequest._sleep_on_file",
    "finally:\n            syscalls.close(self._watch)",
    "watches no more",
)
