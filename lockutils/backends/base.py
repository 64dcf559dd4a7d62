"""The contract between lockutils and what excludes others outside of this process."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any, Protocol

    from lockutils.errors import Holder

    class Claim(Protocol):
        """One contender for one lock, from its first try to its release.

        At most one thread at a time calls a claim, except for :meth:`stand_aside`.  The
        caller has the in-process turn, so a claim meets no rival of its own process, other
        than one that its user keeps apart on purpose.
        """

        #: equal for all claims that contend for the same thing
        @property
        def resource(self) -> Hashable: ...

        #: whether :meth:`block` works; else the claim is polled
        @property
        def can_block(self) -> bool: ...

        def try_acquire(self, passing: bool = False) -> bool:
            """Try once, without sleeping.  May be called from an event loop.

            :param passing: also where others wait, unless waiters are served in strict order
            :return: whether the lock is held now; if not, no trace is left of the try
            :raises LockPathError: if the lock cannot be used; nothing is held then
            """

        def others_go_first(self) -> bool:
            """Whether another waiter is about to take the lock: nobody has it at the moment.

            Then the caller steps back for an instant and tries again.  ``False`` where all
            waiters are served in strict order: then he stands in line.
            """

        def go_first(self) -> None:
            """Called after stepping back in vain: whoever waits does not take the lock."""

        def line_up(self) -> None:
            """Be seen to wait, until the lock is held or released.  Does not sleep.

            :raises LockPathError: if waiters are to be served in strict order and cannot be
            :raises SlotsMismatchError: if the lock is held in another number of slots
            """

        def check_use(self) -> None:
            """Called after a try that failed, instead of :meth:`line_up`, if nobody waits.

            :raises SlotsMismatchError: if the lock is held in another number of slots
            """

        def block(self) -> bool:
            """Sleep in the calling native thread until the lock is held.

            Not interruptible but by an exception from a signal handler; whoever sees one
            calls :meth:`release`.

            :return: ``False`` if :meth:`stand_aside` was called, and the lock is not held
            """

        def stand_aside(self) -> None:
            """Called while another thread is in :meth:`block` and nobody wants the lock.

            Lets go of whatever is held already, and leaves the line, so that nobody waits for
            a waiter who gave up.  :meth:`block` may go on all the same.
            """

        def take_over(self, other: Any) -> bool:
            """Called after :meth:`stand_aside`: go on in place of ``other``, of the same
            resource, with what that has from :meth:`line_up`.

            :return: ``False`` if :meth:`block` is about to return, and it is too late
            """

        def release(self) -> None:
            """Let go of the lock, or of whatever a try or an interrupted wait has left.

            Callable at any time after the claim was made, any number of times.
            """

        def holder(self) -> Holder | None:
            """Return who holds the lock at the moment, where that can be told."""
