"""The contract between lockutils and what excludes others outside of this process."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Protocol

    from lockutils.holder import Holder

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

        def try_acquire(self) -> bool:
            """Try once, without sleeping.  May be called from an event loop.

            :return: whether the lock is held now; if not, no trace is left of the try
            :raises LockPathError: if the lock cannot be used; nothing is held then
            """

        def block(self) -> None:
            """Sleep in the calling native thread until the lock is held.

            Not interruptible but by an exception from a signal handler; whoever sees one
            calls :meth:`release`.
            """

        def stand_aside(self) -> None:
            """Called while another thread is in :meth:`block` and nobody wants the lock.

            Lets go of whatever is held already, so that nobody waits for a waiter who gave
            up.  :meth:`block` goes on, and takes it again.
            """

        def release(self) -> None:
            """Let go of the lock, or of whatever a try or an interrupted wait has left.

            Callable at any time after the claim was made, any number of times.
            """

        def holder(self) -> Holder | None:
            """Return who holds the lock at the moment, where that can be told."""
