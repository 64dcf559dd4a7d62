"""The steps that are system calls: of these alone other processes see anything."""

from steps import call

TICKETS, FILE, LOCK_FILE = (
    "backends/file/tickets.py",
    "backends/file/request.py",
    "backends/file/lock_file.py",
)
POSIX = "backends/file/syscalls.py"

# --- tickets
LOOKS_FOR_ANY = call(
    "look", TICKETS, "Ticket._next_number", "self._find(0, TICKETS)", "looks whether anybody waits"
)
LOOKS_BEYOND = call(
    "look", TICKETS, "Ticket._next_number", "self._find(newest + leap", "looks for the newest"
)
TRIES_NUMBER = call(
    "set", TICKETS, "Ticket.take", "taken = syscalls.span_try(", "tries to lock a number"
)
LOOKS_AGAIN = call(
    "look", TICKETS, "Ticket.take", "self._find(number + 1", "looks for a higher one, again"
)
UNDOES_NUMBER = call(
    "unset", TICKETS, "Ticket.take", "self.drop_number()", "unlocks what was not good", undoes=True
)
UNLOCKS_TOO = call(
    "unset",
    TICKETS,
    "Ticket.take",
    "syscalls.UNLOCK, number",
    "unlocks what was given back before",
    undoes=True,
)
DROPS = call("unset", TICKETS, "Ticket.drop_number", "syscalls.span_unlock(", "unlocks its number")
LOOKS_LOWER = call(
    "look", TICKETS, "Ticket.is_first", "self._find(number - _HALF", "looks for a lower one"
)
LOOKS_BEFORE = call(
    "look", TICKETS, "Ticket._wait_until_first", "self._find(number - reach", "the one before"
)
WAITS_FOR_IT = call(
    "wait_read", TICKETS, "Ticket._wait_for", "syscalls.span_wait(", "sleeps until it is gone"
)
LETS_IT_GO = call(
    "unread", TICKETS, "Ticket._wait_for", "syscalls.span_unlock(", "unlocks what it waited for"
)
CLOSES_LINE = call(
    "close_line", TICKETS, "Ticket.give_back", "syscalls.close_number(", "closes for the tickets"
)
CLOSES_POST = call(
    "close_post", "backends/file/post.py", "Post.close", "syscalls.close(", "closes its own"
)

# --- the lock file
LOOKS_AT_QUEUE = call(
    "look_any",
    FILE,
    "FileClaim._is_next",
    "self._place.is_surely_waited_for()",
    "looks if anybody waits",
)
TRIES_FLOCK = call(
    "flock_try", POSIX, "lock_at_once", "flock(fd, way | LOCK_NB)", "tries the flock"
)
TRIES_RECORD = call(
    "record_try", POSIX, "lock_at_once", "_fcntl(fd, _SETLK, record)", "tries the record lock"
)
STEP_FLOCK = call(
    "flock_try", LOCK_FILE, "LockFile._try_both", "syscalls.flock_try(", "tries the flock again"
)
STEP_RECORD = call(
    "record_try", LOCK_FILE, "LockFile._try_both", "syscalls.span_try(", "the record lock, too"
)
STEP_UNDO = call(
    "flock_unlock", LOCK_FILE, "LockFile._try_both", "syscalls.flock_unlock(", "undoes the flock"
)
WAITS_FLOCK = call("flock_wait", POSIX, "wait_at_once", "flock(fd, way)", "sleeps for the flock")
THEN_RECORD = call(
    "record_try", POSIX, "wait_at_once", "_fcntl(fd, _SETLK, record)", "takes the record lock"
)
AGAIN_FLOCK = call(
    "flock_wait", LOCK_FILE, "LockFile._wait_for_both", "syscalls.flock_wait(", "has the flock"
)
AGAIN_RECORD = call(
    "record_try",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "not kinds.record or syscalls.span_try(",
    "tries the record lock again",
)
NOT_WANTED = call(
    "flock_unlock",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "if self._unwanted and kinds.flock:",
    "gave up already: unlocks the flock",
)
WAITS_RECORD = call(
    "record_wait",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "syscalls.span_wait(",
    "sleeps for another tool",
)
STILL_FLOCK = call(
    "flock_try",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "syscalls.flock_try(",
    "has the flock still, or tries it",
)
LOST_FLOCK = call(
    "record_unlock",
    LOCK_FILE,
    "LockFile._wait_for_both",
    "syscalls.record_unlock(",
    "somebody has the flock: unlocks",
    undoes=True,
)
LETS_PASS = call(
    "flock_unlock",
    LOCK_FILE,
    "LockFile._let_others_pass",
    "syscalls.flock_unlock(",
    "keeps the flock from nobody",
)
UNLOCKS_RECORD = call(
    "record_unlock", POSIX, "release", "_fcntl(fd, _SETLK, _UNLOCK)", "unlocks the record lock"
)
UNLOCKS_FLOCK = call("flock_unlock", POSIX, "release", "flock(fd, LOCK_UN)", "unlocks the flock")
