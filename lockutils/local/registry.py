"""Key -> the one in-process lock of that key, weakly held."""

from __future__ import annotations

import os
from _functools import partial  # type: ignore[import-not-found]

# Deletes an entry only if its reference is dead, in one step.  weakref.WeakValueDictionary
# rests on it, and so must we: a check and a deletion in two steps can drop a lock that
# another thread has just put under the same key.
from _weakref import _remove_dead_weakref  # type: ignore[attr-defined]
from weakref import WeakSet, ref

from lockutils.local.wait_queue import WaitQueue
from lockutils.local.waiters import Waiter, take_turn
from lockutils.parking.native import sleep
from lockutils.parking.on_eventlet import EventletWaker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from typing import Any, Generic, TypeVar

    LockT = TypeVar("LockT")
else:
    Generic, LockT = (object,), 0  # typing is not imported


#: how many names there may be before those that nobody uses any more are removed
_LEAST_ROOM = 64
#: seconds between two looks whether another thread is done with a key that is not plain
_PAUSE = 0.0005
#: types of keys that C compares
_PLAIN = frozenset({str, int, bytes})


class Registry(Generic[LockT]):
    """One live lock for each key in use; it goes with its last user, and its entry soon after.

    Every holder and every waiter has a strong reference to the lock, so it cannot go while
    somebody depends on it (nova bug 872558).

    For keys that C compares there is no guard around look-up-or-create.  ``dict.setdefault`` is
    one step for them, and the loops below start again whenever what they found was dying.

    The names of locks are short and many, and some dead ones may stay.  Other keys may be large:
    a plain one goes in the instant its lock does, others with the next call.
    """

    #: whether the keys are names of locks, for :func:`registries_of_names`
    of_names: bool

    __slots__ = (
        "__weakref__",
        "_creators",
        "_dead",
        "_make",
        "_references",
        "_room",
        "of_names",
    )

    def __init__(self, factory: Callable[[], LockT]) -> None:
        self._make = factory
        self._references: dict[Hashable, ref[LockT]] = {}
        #: keys that are not plain, and whose locks are gone
        self._dead: list[Hashable] = []
        #: who creates locks for keys that are not plain, one thread at a time
        self._creators = WaitQueue()
        #: how many entries there may be, the dead among them, before the dead are removed
        self._room = _LEAST_ROOM
        self.of_names = False
        _registries.add(self)

    def get(self, key: Hashable) -> LockT:
        """Return the lock of ``key``, the same to all callers as long as anybody has it."""
        references = self._references
        reference = references.get(key)
        if reference is not None:
            found = reference()
            if found is not None:
                return found
        if not self.of_names or type(key) is not str:
            return self._create(key)
        if len(references) >= self._room:
            self._sweep()
        while True:
            lock = self._make()
            _remove_dead_weakref(references, key)
            found = references.setdefault(key, ref(lock))()
            if found is not None:
                return found

    def _create(self, key: Hashable) -> LockT:
        if type(key) in _PLAIN:
            return self._insert(key, partial(_remove_dead_weakref, self._references))
        # The comparison may be Python code, which lets in another thread between setdefault's
        # search and its insertion.
        creators, creator = self._creators, Waiter()
        turn = take_turn(creators, creator)
        try:
            next(turn)
            # A signal handler, or a finaliser that the collector runs in the middle, may take
            # a lock: what its own thread has entered below is no obstacle.
            while (first := creators.first()) is not None and first.thread is not creator.thread:
                sleep(_PAUSE)
            self.forget_dead()
            return self._insert(key, self._dead.append)
        finally:
            turn.close()

    def _insert(self, key: Hashable, when_dead: Callable[[Hashable], object]) -> LockT:
        """Insert a lock of ``key``; ``when_dead`` is called with the key when it is gone."""
        references = self._references
        while True:
            lock = self._make()
            _remove_dead_weakref(references, key)
            # All in C: what a signal handler raises into a callback in Python is lost.  The
            # callback gets the reference, which is the default of next here, and not used.
            callback = partial(next, map(when_dead, (key,)))
            found = references.setdefault(key, ref(lock, callback))()
            if found is not None:
                return found

    def forget_dead(self) -> None:
        """Let go of keys that nobody uses any more."""
        while self._dead:
            try:
                key = self._dead.pop()
            except IndexError:
                return
            _remove_dead_weakref(self._references, key)

    def _sweep(self) -> None:
        """Remove the dead entries.  Rare enough to cost each entry little.

        Not by a callback of the references, which would cost each use.
        """
        references = self._references
        # Not its items: making a tuple may start the collector, and a finaliser take a lock.
        for key in list(references):
            _remove_dead_weakref(references, key)
        self._room = max(_LEAST_ROOM, 2 * len(references))

    def find(self, key: Hashable) -> LockT | None:
        """Return the lock of ``key`` if there is one; creates none."""
        reference = self._references.get(key)
        return None if reference is None else reference()

    def items(self) -> Iterator[tuple[Hashable, LockT]]:
        """Yield each live key and its lock."""
        for key in list(self._references):
            lock = self.find(key)
            if lock is not None:
                yield key, lock

    def clear(self) -> None:
        """Forget all locks: their users keep them, and the next ones get others."""
        self._references.clear()

    def __len__(self) -> int:
        """The number of keys that somebody holds, waits for or has a lock of."""
        self.forget_dead()
        return sum(reference() is not None for reference in list(self._references.values()))


_registries: WeakSet[Registry[Any]] = WeakSet()


def registries_of_names() -> list[Registry[Any]]:
    """Return the registries of locks by name; not those of a program's own containers."""
    while True:
        try:
            return [registry for registry in _registries if registry.of_names]
        except RuntimeError:  # another thread has just made one: the set changed under way
            pass


def _after_fork_in_child() -> None:
    """The child holds nothing, and of those who wait it has the ones of the thread that forked."""
    EventletWaker.forget_parent()
    for registry in list(_registries):
        registry._creators.clear()
        for reference in list(registry._references.values()):
            forget = getattr(reference(), "forget_parent", None)
            if forget is not None:
                forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
