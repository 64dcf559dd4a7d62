"""The contract between a handle and what excludes others outside of this process.

A backend is a lock directory, or an engine that several hosts share.  A request is one contender
for one lock there, from its first try to its release.  The handle calls it in this order::

    backend.request()  ->  try_now()  ->  enqueue()  ->  block() or start()  ->  cancel()

The handle may leave out any step but the last, and call ``cancel()`` after any of them.

A process has one contender for each key at a time: the handle calls ``try_now``, ``block`` and
``start`` only while its waiter is the first of this process (readers and slots: while no other
waiter of this process is between its first try and its grant).  It may call ``enqueue`` earlier.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from lockutils.errors import Holder
    from lockutils.parking.deadline import Deadline


class Grant:
    """What a holder has.

    :ivar token: the fencing token, which rises with every acquisition of the name, or ``None``
    :ivar valid_until: when it counts as lost, on the boot-time clock; ``inf`` if never
    """

    __slots__ = ("token", "valid_until")

    def __init__(self, token: int | None = None, valid_until: float = float("inf")) -> None:
        self.token = token
        self.valid_until = valid_until


#: the grant of a lock that has no token and is held until it is released
HELD = Grant()


if TYPE_CHECKING:

    class Request(Protocol):
        """One contender for one lock, from its first try to its release.

        Only the thread that made it calls it, except for :meth:`cancel`.  Signal handlers and
        finalisers may interrupt any step and call :meth:`cancel`.  Where one does so inside
        :meth:`try_now`, :meth:`enqueue` or :meth:`start` of its own thread, that step goes on
        and may still take the lock or a place in line.  So whoever called the step calls
        :meth:`cancel` once more in the end, and that call releases everything.
        """

        #: set in one store, when all of the lock is held; ``None`` again after :meth:`cancel`
        grant: Grant | None
        #: why the lock will not be granted, if what :meth:`start` began has failed
        error: BaseException | None

        def try_now(self, barging: bool = False) -> bool:
            """Take the lock if that is possible without waiting.

            Event loops call this, too: it makes no network round trip and never sleeps.  A
            backend that needs one to answer returns ``False``.  The handle then goes on to
            :meth:`block` or :meth:`start`, but not for a caller with ``blocking=False`` or
            ``timeout=0``: that caller gets nothing, even if the lock is free.

            :param barging: whether to take it also where others wait, unless in strict order;
                the handle says so for a caller that will not wait
            :return: whether the lock is held now; if not, nobody can see that it was tried
            :raises LockPathError: if the lock cannot be used; nothing is held then
            :raises SlotsMismatchError: if it is held in another number of slots
            """

        def enqueue(self) -> None:
            """Stand in line.  Never sleeps, and never takes the lock.

            The handle calls this for a waiter in strict order that arrives while others of this
            process are before it.

            :raises LockPathError: if the backend cannot keep strict order
            :raises SlotsMismatchError: if the lock is held in another number of slots
            """

        def block(self, deadline: Deadline) -> bool | None:
            """Sleep in the calling native thread until the lock is held.

            An exception from a signal handler goes through; the caller then still calls
            :meth:`cancel`.

            :return: whether the lock is held; ``False`` if the deadline passed, or somebody
                cancelled; ``None`` if this thread cannot sleep until that deadline: then the
                handle calls :meth:`start`
            :raises LockPathError: if the lock cannot be used; nothing is held then
            :raises SlotsMismatchError: if it is held in another number of slots
            """

        def start(self, changed: Callable[[], object]) -> bool:
            """Begin to wait for the lock in the background, and return at once.

            :param changed: the backend calls this once, from any thread, when it has set
                :attr:`grant` or :attr:`error`; after a :meth:`cancel`, only if that came at the
                same instant.  If it returns ``False`` the waiter can never run again, and the
                backend cancels the request
            :return: ``False`` if nothing can wait in the background: then the caller tries from
                time to time
            """

        def cancel(self) -> None:
            """Release the lock, or withdraw.

            Afterwards nothing on behalf of this request holds or wants the lock, but for a step
            that this call interrupts (see above).  Callable at any time, any number of times,
            from any thread, signal handler or finaliser.  Never waits for another holder.  In a
            forked child it touches nothing of the parent's.
            """

        #: the thread whose fork moves the held lock to its child; 0 if none does.  That child
        #: does not close what others close
        moves: int

        def leave_to_child(self) -> None:
            """In the parent of such a fork: close the lock without releasing it.

            A request that cannot be moved to another process has no such method.
            """

        def hand_to_children(self) -> None:
            """Let programs that this process starts from now on inherit the held lock.

            :raises RuntimeError: if it is not held, or cannot be inherited
            """

    class Backend(Protocol):
        """Where locks are shared with other processes: one for each directory or URL."""

        #: whether a lock can have more than one holder: readers, slots
        shares: bool

        def request(
            self, key: str, *, shared: bool = False, slots: int = 1, fair: bool = False
        ) -> Request:
            """Return a new contender for the lock ``key``, which holds nothing yet."""

        def status(self, key: str, *, waiters: bool = True) -> tuple[list[Holder], list[Holder]]:
            """Return the holders and the waiters of the lock at the moment.

            It takes and creates nothing, and nobody notices it.  This process is included.

            :param waiters: ``False`` to spare the search for waiters
            :return: holders; waiters, the next to be served first as far as the order is known.
                What cannot be known of one is ``None``
            """

        def is_held(self, key: str) -> bool:
            """Return whether anybody holds the lock at the moment, as :meth:`status` does."""
