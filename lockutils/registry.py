"""Key -> the one in-process queue of that key, weakly held."""

from __future__ import annotations

import os
import weakref

from lockutils.turns import TurnQueue

# Deletes an entry only if its reference is dead, in one step.  weakref.WeakValueDictionary
# rests on it, and so must we: a check and a deletion in two steps can drop a queue that
# another thread has just put under the same key.
from _weakref import _remove_dead_weakref  # type: ignore[attr-defined]  # isort: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable


class _KeyedReference(weakref.ref[TurnQueue]):
    __slots__ = ("key",)
    key: Hashable


class Registry:
    """One live :class:`TurnQueue` for each key in use; an entry goes with its last user.

    Every holder and every waiter has a strong reference to the queue, so it cannot go while
    somebody depends on it (nova bug 872558).

    There is no guard around look-up-or-create.  A guard would be entered a second time by
    the same thread when a signal handler, or a finaliser that the garbage collector runs in
    the middle, takes a lock.  ``dict.setdefault`` is one step, and the loop below starts
    again whenever what it found was dying.
    """

    __slots__ = ("__weakref__", "_forget", "_references")

    def __init__(self) -> None:
        self._references: dict[Hashable, _KeyedReference] = {}
        references = self._references

        def forget(reference: _KeyedReference) -> None:
            _remove_dead_weakref(references, reference.key)

        self._forget = forget
        _registries.add(self)

    def get(self, key: Hashable) -> TurnQueue:
        """Return the queue of ``key``, the same to all callers as long as anybody has it."""
        reference = self._references.get(key)
        if reference is not None:
            queue = reference()
            if queue is not None:
                return queue
        return self._create(key)

    def _create(self, key: Hashable) -> TurnQueue:
        references = self._references
        while True:
            queue = TurnQueue()
            reference = _KeyedReference(queue, self._forget)
            reference.key = key
            _remove_dead_weakref(references, key)
            reference = references.setdefault(key, reference)
            found = reference()
            # The second look is for keys whose __eq__ is Python code: another thread can
            # insert while setdefault compares.  The later of two insertions always sits
            # further down the probe chain, so it is the one that fails here.
            if found is not None and references.get(key) is reference:
                return found

    def __len__(self) -> int:
        """The number of keys that somebody holds, waits for or has a handle of."""
        return sum(reference() is not None for reference in list(self._references.values()))


_registries: weakref.WeakSet[Registry] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """The child holds nothing: whoever held or waited does so in the parent alone."""
    for registry in list(_registries):
        for reference in list(registry._references.values()):
            queue = reference()
            if queue is not None:
                queue.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
