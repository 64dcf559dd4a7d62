"""Resolve a name to its key, directory and queue, and return a handle."""

from __future__ import annotations

import sys

from lockutils.backends.file.naming import key_of, name_of
from lockutils.front import settings
from lockutils.front.arguments import check_options, warn_of_path
from lockutils.front.handle import Lock
from lockutils.front.sharing import SharingLock
from lockutils.local.lock_by_key import Semaphores
from lockutils.local.registry import Registry
from lockutils.local.wait_queue import WaitQueue
from lockutils.parking.deadline import limit_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.backends.base import Backend
    from lockutils.front.settings import StrPath

_modules = sys.modules
_default_registry: Registry[WaitQueue] = Registry(WaitQueue)
_default_registry.of_names = True


def lock(
    name: str,
    lock_file_prefix: str | None = None,
    external: bool = False,
    lock_path: StrPath | None = None,
    do_log: bool | str = True,
    semaphores: Semaphores | None = None,
    delay: float = 0.01,
    fair: bool = False,
    blocking: bool = True,
    *,
    timeout: float | None = None,
    shared: bool = False,
    slots: int = 1,
    reentrant: bool = False,
) -> Lock:
    """Return a handle of the lock ``name``; acquires nothing yet.

    Use it by ``with`` or ``async with``, or by its methods.  A lock excludes every native
    thread, greenthread and task of this process that asks for the same name.

    :param name: any string; another object, as a number or a UUID, stands for its ``str``
    :param lock_file_prefix: put before the name, with a dash between
    :param external: exclude also every process of this host that shares the lock directory;
        not if oslo.config is in use, and says ``[oslo_concurrency] disable_process_locking``
    :param lock_path: the lock directory, created where it is missing; by default that of
        :func:`get_lock_path`.  Without ``external`` it has no effect, and a ``UserWarning`` says so
    :param do_log: log at debug level when the lock is asked for, acquired and released; a string
        is put into the lines as the name of who does so
    :param semaphores: where the in-process locks are; by default one place for all
    :param delay: accepted as oslo.concurrency has it; nothing here polls
    :param fair: serve the waiters of all processes strictly in the order they came, also a
        caller that does not wait.  By default this holds for the waiters of one process, and a
        process may pass those of others for a thousandth of a second: see the README
    :param blocking: ``False`` tries once, and raises :class:`AcquireLockFailedException`
    :param timeout: how long to wait, in seconds; ``None`` waits without end, 0 tries once.  When
        it has passed, ``with`` raises :class:`LockTimeout`
    :param shared: a reader: any number of readers hold at a time, never together with an
        exclusive holder.  Waiters are served in the order of arrival, so that readers who come
        later do not keep out a writer.  Asking for the exclusive lock while holding the shared
        one raises :class:`DeadlockError`
    :param slots: how many may hold at a time, over all processes if ``external``.  All users of
        a name must agree: another number raises :class:`SlotsMismatchError`, and an exclusive or
        shared user counts as another number.  Waiters are served in the order of arrival
    :param reentrant: the thread, greenthread or task that holds the lock may acquire it again,
        if it asked for that each time; the last release frees the lock.  Each acquisition is
        released once, by whoever has the handle
    :raises TypeError: if an argument is not of its type
    :raises ValueError: if ``timeout`` is negative or NaN, or comes with ``blocking=False``,
        if ``slots`` is less than 1, or more with ``shared``, or if the lock directory is not a
        path
    :raises LockPathError: if there is no safe lock directory
    """
    # common case, inlined
    if lock_file_prefix is None and type(name) is str:
        key = name
    else:
        name = name_of(name)
        key = key_of(name, lock_file_prefix)
    if not (do_log is True and type(external) is type(fair) is bool and delay == 0.01):
        check_options(external=external, fair=fair, do_log=do_log, delay=delay)
    limit = None if blocking is True and timeout is None else limit_of(blocking, timeout)
    if lock_path is not None and not external:
        warn_of_path(lock_path)
    if external and ("oslo_config.cfg" not in _modules or settings.process_locking()):
        backend: Backend | None = settings.lock_directory(lock_path)
    else:
        backend = None
    registry = _default_registry if semaphores is None else registry_of(semaphores)
    queue = registry.get(key)
    if not (shared is reentrant is False and slots == 1):
        mode = shared, slots, reentrant
        return SharingLock(mode, name, key, queue, backend, limit, do_log, fair)
    return Lock(name, key, queue, backend, limit, do_log, fair)


def registry_of(semaphores: Semaphores | None) -> Registry[WaitQueue]:
    """Return where the in-process locks are, for a call with these ``semaphores``.

    :raises TypeError: if it is something else
    """
    if semaphores is None:
        return _default_registry
    if not isinstance(semaphores, Semaphores):
        raise TypeError(f"semaphores must be a lockutils.Semaphores or None, not {semaphores!r}")
    return semaphores.registry


def unpickled(*how: Any) -> Lock:
    """Return a handle of a lock that a handle in another process is of."""
    *mode, name, key, backend, timeout, do_log, fair = how
    queue = _default_registry.get(key)
    if mode:
        return SharingLock(*mode, name, key, queue, backend, timeout, do_log, fair)
    return Lock(name, key, queue, backend, timeout, do_log, fair)
