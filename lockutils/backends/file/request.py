"""The file driver: one lock, one file, on one host."""

from __future__ import annotations

import os
from posix import sched_yield
from time import monotonic

from lockutils.backends.file import lock_file, syscalls
from lockutils.backends.file.descriptors import opened
from lockutils.backends.file.lock_file import LockFile, unusable
from lockutils.backends.file.post import Post
from lockutils.backends.file.status import holder_of
from lockutils.errors import SlotsMismatchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory
    from lockutils.errors import Holder


#: how often a try begins again because the file was replaced
_ROUNDS = 20


class FileClaim(LockFile):
    """One contender for one lock file.  See :class:`lockutils.backends.base.Claim`."""

    can_block = True

    _slots = 1
    _post: Post | None = None

    def __init__(self, key: str, directory: Directory, fair: bool = False) -> None:
        super().__init__(key, directory)
        self._fair = fair

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
        self._process = lock_file.this_process
        held = syscalls.lock_at_once(cell, place.path, place.owner)
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
        try:
            return not self._place.is_surely_waited_for() if post is None else post.may_try()
        except OSError as error:
            raise unusable(error, self._place.queue) from error

    def _try_step_by_step(self) -> bool:
        try:
            # Who replaces the file each time before we have locked it is as good as a holder.
            for _ in range(_ROUNDS):
                if not self._try_both(self._open()):
                    self._let_go()
                    return False
                if self._is_current():
                    return True
                self._let_go()
        except OSError as error:
            self._let_go()
            raise unusable(error, self._place.path) from error
        return False

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
        if kind == syscalls.READ and post.ticket is None:
            post.leave()
            self._stand(in_order=True)

    def _stand(self, *, in_order: bool) -> Post | None:
        """Stand somewhere; ``None`` if this one stands there already."""
        post = self._post
        if post is None:
            self._process = lock_file.this_process
            post = self._post = Post(self._place, self._directory)
        try:
            return post if post.line_up(in_order=in_order) else None
        except OSError as error:
            if self._fair:
                raise unusable(error, self._place.queue) from error
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
                    if ticket is not None and not self._wait_for_turn(post):
                        return False
                self._wait_in_kernel()
                # This may be the place in the kernel's queue of one who gave up, and who wants
                # the lock now may have come later than others: then it is not his turn.
                now = None if post is None else post.ticket
                if post is None or now is ticket or post.may_try():
                    if self._steps_back():
                        continue
                    if post is None or post.ends_for(now):
                        self._served()
                        return True
                self._let_go()
        except OSError as error:
            self._let_go()
            raise unusable(error, self._place.path) from error

    def _wait_for_turn(self, post: Post) -> bool:
        try:
            return post.wait()
        except OSError as error:
            raise unusable(error, self._place.queue) from error

    def _steps_back(self) -> bool:
        """Whether the lock that was waited for is given to others once more."""
        return False

    def _served(self) -> None:
        """What a contender does that has waited, as soon as it has the lock."""
        self._place.was_served()
        if self._post is not None:
            self._post.step_out()

    def stand_aside(self) -> None:
        if self._post is not None:
            self._post.leave()
        self._let_others_pass()

    def take_over(self, other: FileClaim) -> bool:
        self._unwanted = False
        if self._post is not None and other._post is not None:
            return self._post.take_over(other._post)
        return True

    # --- letting go

    def release(self) -> None:
        if self._process is not lock_file.this_process:
            # the parent's; our copies are closed already
            self._cell, self._post = [], None
            return
        self._let_go()
        post = self._post
        if post is not None:
            try:
                # Whoever we have woken may have been given our own core, and we need it at once.
                sched_yield()
            finally:
                # Here a process may lose its core for long, so that several signals come.
                post.close()

    def hand_to_children(self) -> None:
        """Let the programs that this process starts inherit the lock, until it is released."""
        os.set_inheritable(self._cell[0], True)

    def holder(self) -> Holder | None:
        return holder_of(self._place.path)
