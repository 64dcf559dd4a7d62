"""A container of locks by key, for a program's own use."""

from __future__ import annotations

from lockutils.backends.file.naming import name_of
from lockutils.front.handle import Lock
from lockutils.local.registry import Registry
from lockutils.local.wait_queue import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, NoReturn


class LockByKey:
    """Locks by key: ``with locks(key): ...`` or ``with locks[key]: ...``.

    All users of equal keys get the same lock, as long as anybody holds it, waits for it or
    has it; then the container forgets it, and the key: a str, bytes or int at once, any other
    with the next call.  Two containers have nothing to do with each other.

    :param lock_factory: called without arguments for the lock of a new key.  What it returns
        must allow weak references.  By default a key's locks are handles as from
        :func:`lockutils.lock`, for any kind of waiter, that serve in the order of arrival
    """

    def __init__(self, lock_factory: Callable[[], Any] | None = None) -> None:
        if lock_factory is not None and not callable(lock_factory):
            raise TypeError(f"lock_factory must be callable, not {lock_factory!r}")
        self._plain = lock_factory is None
        self.registry: Registry[Any] = Registry(lock_factory or WaitQueue)

    def __getitem__(self, key: Hashable) -> Any:
        """Return the lock of ``key``.

        :raises TypeError: if ``key`` is not hashable
        """
        self.registry.forget_dead()
        found = self.registry.get(key)
        if not self._plain:
            return found
        name = key if isinstance(key, str) else repr(key)
        return Lock(name, name, found)

    __call__ = __getitem__

    def __copy__(self) -> LockByKey:
        """Return this very container: another one would let in a second holder of each key."""
        return self

    def __deepcopy__(self, _: object) -> LockByKey:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is of this process alone")

    def __len__(self) -> int:
        """The number of live keys."""
        return len(self.registry)


class Semaphores(LockByKey):
    """A separate place for in-process locks, to be given to ``lock(..., semaphores=...)``."""

    def __init__(self) -> None:
        super().__init__()
        self.registry.of_names = True

    def __getitem__(self, name: Hashable) -> Any:
        """Return a handle of the lock ``name``, the one of ``lock(name, semaphores=self)``.

        :raises TypeError: if ``name`` is ``None`` or bytes
        """
        return super().__getitem__(name_of(name))

    __call__ = __getitem__

    def get(self, name: str) -> Lock:
        """Return a handle of the lock ``name`` of this place."""
        handle: Lock = self[name]
        return handle
