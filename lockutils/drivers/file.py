"""The file driver: one lock, one file, on one host."""

from __future__ import annotations

import errno
import os
from posix import sched_yield
from stat import S_ISREG
from time import monotonic

from lockutils._native import allocate_lock
from lockutils.drivers import _posix, families
from lockutils.drivers.descriptors import opened
from lockutils.drivers.post import Post
from lockutils.drivers.proc_locks import holder_of
from lockutils.drivers.queue import Place
from lockutils.drivers.sweep import is_due, sweep
from lockutils.errors import LockPathError, SlotsMismatchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.directory import Directory
    from lockutils.holder import Holder

#: between a thread that waits for a record lock and those who make it stand aside
_guard = allocate_lock()
#: changes in a forked child, to tell it the claims of its parent
_this_process = object()


class FileClaim:
    """One contender for one lock file.  See :class:`lockutils.drivers.base.Claim`."""

    can_block = True

    # what a claim that is not exclusive has otherwise
    _way = _posix.EXCLUSIVE
    _record = _posix.WHOLE
    _slots = 1

    # of most claims, so that those need not be given them
    _kinds = families.BOTH
    _sweeps = False
    _unwanted = False
    _waits_for_record = False
    _post: Post | None = None
    _process: object = None

    def __init__(self, key: str, directory: Directory, fair: bool = False) -> None:
        self._directory = directory
        self._place = directory.places.get(key) or _place_of(key, directory)
        self._fair = fair
        #: the descriptor, if the file is open
        self._cell: list[int] = []

    @property
    def resource(self) -> bytes:
        return self._place.path

    # --- without waiting

    def try_acquire(self, passing: bool = False) -> bool:
        place = self._place
        if self._fair or self._post is not None:
            if not self._is_next():
                return False
        elif monotonic() >= place.looks_at and not passing and not place.may_pass():
            return False
        cell = self._cell
        self._process = _this_process
        held = _posix.lock_at_once(cell, place.path)
        if held:
            opened.add(cell[0])
        elif held is not None or not self._try_step_by_step():
            return False
        if self._post is not None:
            self._served()
        return True

    def _is_next(self) -> bool:
        """Whether nobody who came before is still to be served."""
        post = self._post
        return not self._place.is_waited_for() if post is None else post.may_try()

    def _try_step_by_step(self) -> bool:
        try:
            while True:
                if not self._try_both(self._open()):
                    self._let_go()
                    return False
                if self._is_current():
                    return True
                self._let_go()
        except OSError as error:
            self._let_go()
            raise _unusable(error, self._place.path) from error

    def _open(self) -> int:
        """Return the descriptor, opened if it is not yet."""
        cell = self._cell
        if cell:
            return cell[0]
        self._process = _this_process
        self._directory.check()
        try:
            self._writable, is_new = _posix.open_file(cell, self._place.path)
        except FileNotFoundError:
            self._directory.make()
            self._writable, is_new = _posix.open_file(cell, self._place.path)
        descriptor = cell[0]
        opened.add(descriptor)
        self._sweeps = is_new and self._directory.swept and is_due(descriptor)
        self._kinds = families.of_file(descriptor)
        return descriptor

    def _try_both(self, descriptor: int) -> bool:
        """Take both locks or none, as far as the file system has them."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock and not _posix.flock_try(descriptor, self._way):
                return False
            if not kinds.record or _posix.span_try(descriptor, self._record_for_mode()):
                return True
        except OSError as error:
            if not _posix.unsupported(error) or not self._learn_kinds():
                raise
            return self._try_both(descriptor)
        if kinds.flock:
            _posix.flock_unlock(descriptor)
            # Was it our own flock that we ran into?
            if self._learn_kinds():
                return self._try_both(descriptor)
        return False

    def _checked_kinds(self) -> families.Families:
        if not (self._kinds.flock or self._writable):
            # a read lock alone would let in every other reader
            raise OSError(errno.EACCES, "File cannot be written to, and has no flock")
        return self._kinds

    def _record_for_mode(self) -> bytes:
        """The record lock to take: a read lock where the descriptor allows no other.

        It still excludes every writer.
        """
        return self._record if self._writable else _posix.WHOLE_SHARED

    def _learn_kinds(self) -> bool:
        """After a surprise: whether this file system has other kinds than we thought."""
        before = self._kinds
        families.find_out(self._cell[0], self._directory.path)
        self._kinds = families.of_file(self._cell[0])
        return self._kinds is not before

    def _is_current(self) -> bool:
        """Whether the file that is locked is still what the path names.

        While we waited, somebody may have removed or replaced it: then the next one locks
        another file, and both of us would be in.
        """
        held = _posix.fstat(self._cell[0])
        if not S_ISREG(held.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        try:
            named = _posix.stat(self._place.path)
        except FileNotFoundError:
            return False
        return named.st_ino == held.st_ino and named.st_dev == held.st_dev

    # --- waiting

    def others_go_first(self) -> bool:
        if self._fair or self._post is not None:
            return False
        place = self._place
        return place.is_marked() and not place.is_waited_for_in_order() and not place.is_held()

    def go_first(self) -> None:
        self._place.ignore_waiters()

    def line_up(self) -> None:
        post = self._stand(in_order=self._fair)
        if post is None:
            return
        kind = self._check_slots()
        # A mark is not respected by readers who are in already when it is set, and in the
        # kernel's order more of them would pass.  So it is looked for them after it is set;
        # and they look for it after they are in.
        if kind == _posix.READ and post.ticket is None:
            post.leave()
            self._stand(in_order=True)

    def _stand(self, *, in_order: bool) -> Post | None:
        """Stand somewhere; ``None`` if this one stands there already."""
        post = self._post
        if post is None:
            self._process = _this_process
            post = self._post = Post(self._place, self._directory)
        try:
            return post if post.line_up(in_order=in_order) else None
        except OSError as error:
            if self._fair:
                raise _unusable(error, self._place.queue) from error
            return post  # the order is the kernel's, then

    def check_use(self) -> None:
        self._check_slots()

    def _check_slots(self) -> int | None:
        """Raise if others use the lock with slots; return the kind of record lock they have."""
        kind, slots = self._place.use()
        if slots is not None and slots > 1 and slots != self._slots:
            raise SlotsMismatchError(os.fsdecode(self._place.path), self._slots, slots)
        return kind

    def block(self) -> bool:
        post = self._post
        try:
            while True:
                ticket = None
                if post is not None:
                    ticket = post.ticket
                    if ticket is not None and not post.wait():
                        return False
                self._wait_in_kernel()
                # This may be the place in the kernel's queue of one who gave up, and who wants
                # the lock now may have come later than others: then it is not his turn.
                if post is None or post.ticket is ticket or post.may_try():
                    if self._steps_back():
                        continue
                    self._served()
                    return True
                self._let_go()
        except OSError as error:
            self._let_go()
            raise _unusable(error, self._place.path) from error

    def _steps_back(self) -> bool:
        """Whether the lock that was waited for is given to others once more."""
        return False

    def _served(self) -> None:
        """What a contender does that has waited, as soon as it has the lock."""
        self._place.was_served()
        if self._post is not None:
            self._post.step_out()

    def _wait_in_kernel(self) -> None:
        descriptor = self._open()
        if self._wait_at_once(descriptor):
            return
        while True:
            if self._wait_for_both(self._open()):
                if self._is_current():
                    return
                self._let_go()

    def _wait_at_once(self, descriptor: int) -> bool:
        """Wait, and do all that is left to do then in as few steps as possible.

        :return: ``False`` if that is for the single steps
        """
        ordinary = self._kinds is families.BOTH and self._writable
        path = self._place.path
        return ordinary and _posix.wait_at_once(descriptor, path, self._way, self._record)

    def _wait_for_both(self, descriptor: int) -> bool:
        """Wait for one lock, then for the other; ``False`` if it is to be done again."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock:
                _posix.flock_wait(descriptor, self._way)
            if not kinds.record or _posix.span_try(descriptor, self._record_for_mode()):
                return True
        except OSError as error:
            if not _posix.unsupported(error) or not self._learn_kinds():
                raise
            return False
        if kinds.flock and self._learn_kinds():
            _posix.flock_unlock(descriptor)
            return False
        # A foreign tool has the record lock.  We wait for it with our flock in hand, until
        # the waiter gives up: see stand_aside.
        with _guard:
            self._waits_for_record = True
            if self._unwanted and kinds.flock:
                _posix.flock_unlock(descriptor)
        try:
            _posix.span_wait(descriptor, self._record_for_mode())
        finally:
            with _guard:
                self._waits_for_record = False
        if kinds.flock and not _posix.flock_try(descriptor, self._way):
            _posix.record_unlock(descriptor)
            return False
        return True

    def stand_aside(self) -> None:
        if self._post is not None:
            self._post.leave()
        # Under the guard the waiting thread cannot get past its wait, so that the descriptor
        # is the one it waits with and not another that was given its number since.
        with _guard:
            self._unwanted = True
            if self._waits_for_record and self._kinds.flock:
                _posix.flock_unlock(self._cell[0])

    def take_over(self, other: FileClaim) -> None:
        self._unwanted = False
        if self._post is not None and other._post is not None:
            self._post.take_over(other._post)

    # --- letting go

    def release(self) -> None:
        if self._process is not _this_process:  # the parent's; our copies are closed already
            self._cell, self._post = [], None
            return
        self._let_go()
        post = self._post
        if post is not None:
            # Whoever we have woken may have been given our own core, and we need it at once.
            sched_yield()
            post.close()

    def _let_go(self) -> None:
        cell = self._cell
        if cell:
            # first, since the number may be another file's as soon as it is closed
            opened.discard(cell[0])
            _posix.release(cell)
            if self._sweeps:
                self._sweeps = False
                sweep(self._directory.path)

    def hand_to_children(self) -> None:
        """Let the programs that this process starts inherit the lock, until it is released."""
        os.set_inheritable(self._cell[0], True)

    def holder(self) -> Holder | None:
        return holder_of(self._place.path)


def this_process() -> object:
    """What tells the claims of this process from those that it had before it was forked."""
    return _this_process


def _unusable(error: OSError, path: bytes) -> LockPathError:
    if isinstance(error, LockPathError):
        return error
    return LockPathError(error.errno, error.strerror, os.fsdecode(path))


def _place_of(key: str, directory: Directory) -> Place:
    place = Place(directory.file_of(key))
    places = directory.places
    if len(places) >= 256:  # not a record of every name ever used
        places.clear()
    return places.setdefault(key, place)


def _after_fork_in_child() -> None:
    global _guard, _this_process
    _guard = allocate_lock()
    _this_process = object()


os.register_at_fork(after_in_child=_after_fork_in_child)
