"""Readers of a lock file: any number at once, and no writer meanwhile.

The kernel lets a reader in whenever other readers are, also past a writer that waits for
them.  So a reader that is in looks whether anybody waits, and if so leaves again and stands in
line.  A reader that waits always has a ticket, and a writer that meets readers or tickets has
one, too: each is served in the order of arrival, and readers next to each other share.
"""

from __future__ import annotations

from lockutils.backends.file import lock_file, syscalls
from lockutils.backends.file.descriptors import opened
from lockutils.backends.file.request import FileClaim
from lockutils.errors import LockPathError
from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.lock_kinds import Families

#: seconds to give to writers that wait in the order of the kernel, each time they have not
#: taken the lock yet; and how many times, since they may be stopped
_INSTANT = 0.00005
_TIMES = 2000


class JointClaim(FileClaim):
    """A claim that others may hold at the same time, who ask in the same way."""

    _way = syscalls.SHARED

    @property
    def resource(self) -> bytes:
        # not what an exclusive claim waits for; no path has a NUL in it
        return b"%b\0%d" % (self._place.path, self._slots)

    def try_acquire(self, passing: bool = False) -> bool:
        post = self._post
        if post is not None and not self._is_next():
            return False
        if not self._take_now():
            return False
        if post is not None:
            self._served()
        elif (self._fair or not passing) and self._others_wait():
            self._let_go()
            return False
        return True

    def _others_wait(self) -> bool:
        if not self._fair:
            return self._place.is_waited_for()
        try:
            return not self._is_next()
        except LockPathError:
            self._let_go()
            raise

    def _take_now(self) -> bool:
        """Take the lock if nobody's is in the way; whoever waits."""
        return self._try_step_by_step()

    def others_go_first(self) -> bool:
        return False  # the place in line says who does

    def line_up(self) -> None:
        if self._stand(in_order=True) is not None:
            self._check_slots()


class SharedClaim(JointClaim):
    """One reader."""

    _record = syscalls.WHOLE_SHARED
    _times = _TIMES

    def _take_now(self) -> bool:
        cell, place = self._cell, self._place
        self._process = lock_file.this_process
        held = syscalls.lock_at_once(cell, place.path, place.owner, self._way, self._record)
        if held:
            opened.add(cell[0])
            return True
        return held is None and self._try_step_by_step()

    def _checked_kinds(self) -> Families:
        return self._kinds  # to read, a descriptor that cannot write is as good as another

    def _steps_back(self) -> bool:
        if not self._times or not self._place.is_marked():
            return False
        self._times -= 1
        self._let_go()
        sleep(_INSTANT)
        return True
