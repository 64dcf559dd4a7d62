"""A contender for a lock file: exclusive, or one of many readers.

Whoever waits has a ticket, and the waiters of a file are in line by their tickets.  The first
two in line sleep on the lock file, the second while it is held; any other sleeps until the one two
places ahead is served.  So a stopped process at the head does not keep the lock from those behind
it, and an unlock wakes two at most.

Beside a waiter in strict order it is the first alone.  Readers and slots are always in strict
order among those that wait, since the kernel lets a reader pass a writer that waits for other
readers.
"""

from __future__ import annotations

import os
from posix import sched_yield
from time import monotonic

from lockutils.backends.base import HELD
from lockutils.backends.file import syscalls
from lockutils.backends.file.blocking_call import BlockingCall
from lockutils.backends.file.descriptors import owners
from lockutils.backends.file.lock_file import LockFile
from lockutils.backends.file.refusal import refuse
from lockutils.backends.file.tickets import QueueEntry
from lockutils.parking import helpers
from lockutils.parking.callback import may_sleep_for_others
from lockutils.parking.sleeper import Sleeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lockutils.backends.base import Grant
    from lockutils.backends.file.directory import Directory
    from lockutils.parking.deadline import Deadline

#: Seconds after which the third in line tries the file: the two before it may be stopped.  A waiter
#: behind it does so after this times the square of the distance: all try less than twice in it.
_LOOK = 1.0
#: how long the first in line may leave the free lock, before the second passes it
_PATIENCE = 0.1


class FileRequest(LockFile):
    """One contender for one lock file.  See :class:`lockutils.backends.base.Request`."""

    grant: Grant | None = None
    error: BaseException | None = None

    _slots = 1
    #: whether nobody passes it in line, and it passes nobody
    _strict = False
    _entry: QueueEntry | None = None
    _call: BlockingCall | None = None
    _sleeper: Sleeper | None = None

    def __init__(self, key: str, directory: Directory, fair: bool = False) -> None:
        super().__init__(key, directory)
        self._fair = fair
        self._strict = fair or self._strict

    # --- without waiting

    def try_now(self, barging: bool = False) -> bool:
        place = self._range
        held: bool | None = None
        if self._strict or self._entry is not None:
            if not self._may_try(barging):
                held = False
        elif monotonic() >= place.recheck_at and not barging and not place.may_barge():
            held = False
        if self._at_once and held is None:
            owners.add(self)
            held = syscalls.lock_at_once(
                self.fd_box, place.path, place.owner, self._flock_op, self._record
            )
            if held is False:
                owners.discard(self)
                # Who has it may be no holder, but about to remove the file.  Whoever will not
                # wait must know; a waiter finds out in any case.
                held = None if barging and not place.is_held() else False
        if held is None:
            held = self._try_step_by_step()
        if not held:
            if barging:
                place.check_slots(self._slots)
            return False
        entry = self._entry
        if entry is not None:
            self._served(entry)
        self.grant = HELD
        if self.fd_box:
            return True
        self.grant = None  # a signal handler has cancelled meanwhile, or forked
        return False

    def _may_try(self, barging: bool) -> bool:
        """Whether nobody is to be served before."""
        entry = self._entry
        try:
            if entry is not None and entry.is_taken:
                ahead, at_most = self._ticket_ahead(entry, entry.tickets.lowest())
                # One that polls has no sleep that could end: it tries whenever it looks.
                return ahead is None or at_most is not None
            if barging and not self._fair:
                return True
            return not self._range.is_waited_for(for_sure=self._fair)
        except OSError as error:
            return self._go_without_order(error)

    def _go_without_order(self, error: OSError) -> bool:
        """After an error of the queue: leave the order to the kernel, if that is allowed."""
        if self._fair:
            refuse(error, self._range.queue, self._directory.source)
        return True

    # --- waiting

    def enqueue(self) -> None:
        if self._entry is not None:
            return
        entry = self._entry = QueueEntry(self._range, strict=self._strict)
        try:
            self._directory.check()  # in another user's queue it could stand without end
            try:
                entry.take()
            except FileNotFoundError:
                self._directory.make()
                entry.take()
        except OSError as error:
            entry.give_back()
            self._go_without_order(error)
        self._range.check_slots(self._slots)

    def block(self, deadline: Deadline) -> bool | None:
        self.enqueue()
        sleeper = self._sleeper = Sleeper(deadline)
        if not sleeper.begin() and deadline.left() is not None:
            self._sleeper = None
            sleeper.end()
            return None
        try:
            if self.wait(sleeper):
                self.grant = HELD
            if sleeper.over:  # cancelled: whoever did so waits until this thread has left
                self.grant = None
                self.withdraw()
        finally:
            sleeper.end()
        return self.grant is not None

    def start(self, changed: Callable[[], object]) -> bool:
        self.enqueue()
        if not may_sleep_for_others():
            return False
        call = self._call = BlockingCall(self, changed)
        try:
            helpers.run(call.run, call.cancel)
        except helpers.NoHelper:
            self._call = None
            return False
        return True

    def wait(self, sleeper: Sleeper) -> bool:
        """Sleep in the calling native thread until the lock is held.

        :return: ``False`` if the sleeper was called back, or its time is up: then what the
            request has is still to be let go
        """
        entry = self._entry
        assert entry is not None
        while not sleeper.is_over():
            number = entry.tickets.lowest()
            try:
                if not self._wait_for_turn(entry, number, sleeper):
                    continue
                if not self.fd_box and not self._sleep_on_file(sleeper):
                    continue
                overtaken = self._was_overtaken(entry, number)
            except (OSError, IndexError) as error:
                self._let_go()
                # A signal handler may have cancelled; or it has forked, and this is the child:
                # then what was in use here is closed.
                if sleeper.over or sleeper.is_of_parent():
                    continue
                if isinstance(error, IndexError):
                    raise
                refuse(error, self.path, self._directory.source)
            if overtaken:
                self._let_go()
                continue
            self._served(entry)
            return True
        return False

    def _wait_for_turn(self, entry: QueueEntry, number: int | None, sleeper: Sleeper) -> bool:
        """Sleep until it is time to sleep on the lock file; ``False`` to look again.

        If the file is open then, it is locked.
        """
        try:
            if not entry.is_taken:
                return True
            ahead, at_most = self._ticket_ahead(entry, number)
            if ahead is None or (at_most == _PATIENCE and not sleeper.has_timer):
                return True
            fd = entry.tickets.open(self._range)
            try:
                if sleeper.lock_span(fd, entry.lock_of(ahead), at_most):
                    return False
            finally:
                entry.unlock(ahead)
        except OSError as error:
            return self._go_without_order(error)
        return at_most is not None and not sleeper.is_over() and self._try_step_by_step()

    def _ticket_ahead(
        self, entry: QueueEntry, number: int | None
    ) -> tuple[int | None, float | None]:
        """Return the ticket to sleep for, ``None`` to sleep on the lock file; and how long.

        After that time it is tried whether the lock is free all the same.
        """
        ahead = entry.ahead(number, 1 if self._strict else 3)
        if not ahead:
            return None, None
        (first, is_strict), *others = ahead
        if self._strict or is_strict:
            return first, None
        if not others:
            # A process that has just released the lock does not overtake the one it has woken.
            return (None, None) if self._range.is_held() else (first, _PATIENCE)
        (second, is_strict), *more = others
        if is_strict:
            return second, None
        return second, _LOOK * entry.distance(number) ** 2 if more else _LOOK

    def _was_overtaken(self, entry: QueueEntry, number: int | None) -> bool:
        """Whether the number that it waited with is another's by now, and it is not its turn.

        A waiter of this process that gave up may have taken it along.
        """
        now = entry.tickets.lowest()
        return now != number and self._ticket_ahead(entry, now)[0] is not None

    def _served(self, entry: QueueEntry) -> None:
        """What a contender does that has waited, as soon as it has the lock."""
        entry.give_back()
        self._range.begin_quantum()

    # --- letting go

    def cancel(self) -> None:
        self.grant = None
        call, sleeper = self._call, self._sleeper
        if call is not None:
            if not call.cancel():
                # The helper releases the lock.  The place in line goes at once.
                if self._entry is not None:
                    self._entry.give_back()
                return
        elif sleeper is not None:
            sleeper.over = True
            # by a signal handler in the very thread, it finds out on its way
            if not sleeper.is_of_this_thread() and not sleeper.call_back(patience=None):
                return  # that thread withdraws when it has left its call
            sleeper.end()
        self.withdraw()
        self._call = None  # which refers to this, and would leave it to the garbage collector

    def withdraw(self) -> None:
        """Let go of all that the request has.  No other thread is in :meth:`wait`."""
        self.grant = None  # again: the helper may have published it meanwhile
        try:
            self._let_go()
        finally:
            entry = self._entry
            if entry is not None:
                try:
                    # The waiter that we have woken may have been given our own core.  It is to run
                    # now, unless this process may still barge.
                    if self._strict or monotonic() >= self._range.recheck_at:
                        sched_yield()
                finally:
                    # Here a process may lose its core for long, so that several signals come.
                    entry.give_back()

    def hand_to_children(self) -> None:
        if self.grant is None:
            raise RuntimeError("the lock is not held")
        os.set_inheritable(self.fd_box[0], True)


class SharedRequest(FileRequest):
    """One reader of a lock file: any number hold it at once, and no writer meanwhile."""

    _flock_op = syscalls.SHARED
    _record = syscalls.WHOLE_SHARED
    _strict = True
