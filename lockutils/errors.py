"""The typed errors of lockutils."""

from __future__ import annotations

import os
from errno import EACCES, EROFS
from stat import S_IMODE, S_ISREG, S_IWGRP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def printable(text: str) -> str:
    """Return ``text``, which others wrote, as it can stand in a line of ours.

    What would break the line, move the cursor or turn the direction of writing is escaped.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class Holder:
    """A holder of a lock, or a waiter for it, as far as it can be known.

    Every attribute is ``None`` where it cannot be known.  Texts are as their authors wrote
    them, with escapes for what cannot be printed in one line.

    :ivar pid: process id on this host, or on ``host``
    :ivar host: the name of its host; ``None`` for this one
    :ivar command: the command line of the process
    :ivar thread: the name of the native thread
    :ivar task: the name of the task of asyncio or trio
    :ivar since: when it acquired the lock, or began to wait: seconds since the epoch
    :ivar mode: ``"exclusive"``, ``"shared"`` or ``"slots"``
    :ivar not_before: when the process began, where ``since`` is not known: it cannot have acquired
        the lock before; seconds since the epoch
    """

    __slots__ = ("command", "host", "mode", "not_before", "pid", "since", "task", "thread")

    def __init__(
        self,
        pid: int | None = None,
        host: str | None = None,
        command: str | None = None,
        thread: str | None = None,
        task: str | None = None,
        since: float | None = None,
        mode: str | None = None,
        *,
        not_before: float | None = None,
    ) -> None:
        self.pid = pid
        self.host = None if host is None else printable(host)
        self.command = None if command is None else printable(command)
        self.thread = None if thread is None else printable(thread)
        self.task = None if task is None else printable(task)
        self.since = since
        self.mode = mode
        self.not_before = not_before

    @property
    def description(self) -> str:
        """What tells it apart: its task and thread in this process, the command of another."""
        thread = f"thread {self.thread}" if self.thread else ""
        if self.task:
            return f"task {self.task}" + (f" of {thread}" if thread else "")
        return thread or self.command or ""

    def __str__(self) -> str:
        who = "a process that is not visible from here"
        if self.pid is not None:
            who = f"process {self.pid}"
        if self.host is not None:
            who += f" on {self.host}"
        return who + (f" ({self.description})" if self.description else "")

    def __repr__(self) -> str:
        known = ((name, getattr(self, name)) for name in _FIELDS)
        return f"Holder({', '.join(f'{name}={it!r}' for name, it in known if it is not None)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Holder):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in _FIELDS))


_FIELDS = ("pid", "host", "command", "thread", "task", "since", "mode", "not_before")


class AcquireLockFailedException(Exception):
    """The lock was not acquired: somebody else holds it.

    Nothing is held when this is raised.

    :ivar lock_name: the name that was asked for
    :ivar waited: how long the caller waited, in seconds
    :ivar holder: who holds the lock, or ``None`` where that is not known
    """

    def __init__(self, lock_name: str, waited: float = 0.0, holder: Holder | None = None) -> None:
        # one argument: OSError would take two of them for errno and strerror
        super().__init__(lock_name)
        self.lock_name = lock_name
        self.waited = waited
        self.holder = holder

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.lock_name, self.waited, self.holder)

    @property
    def message(self) -> str:
        """What happened, in one line: the name is quoted so that it cannot break it."""
        text = f"Failed to acquire the lock {self.lock_name!r}"
        if self.waited:
            text += f" after {self.waited:.3f} s"
        if self.holder is not None:
            text += f", held by {self.holder}"
        return text

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"


class LockTimeout(AcquireLockFailedException, TimeoutError):
    """The time-out ran out before the lock was free.

    :ivar deadlock: who waited for whom, if the wait would not have ended without a time-out;
        else, and where that is not known, empty
    """

    deadlock = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return *super().__reduce__(), {"deadlock": self.deadlock}

    @property
    def message(self) -> str:
        text = super().message
        return f"{text}; deadlock: {self.deadlock}" if self.deadlock else text


class DeadlockError(RuntimeError):
    """The caller would wait for itself without end, and was refused at once.

    It holds the lock itself, or a ``lockutils run`` does that waits for this process to end.
    Where :func:`lockutils.debug.watch_deadlocks` is on, also a waiter among several that wait for
    each other.

    Nothing that the caller held before has changed.
    """


class SlotsMismatchError(ValueError):
    """The lock is in use with another number of slots.  Nothing was acquired.

    :ivar lock_name: the name that was asked for, or the path of its lock file
    :ivar slots: the number that was asked for; 1 is an exclusive or shared lock
    :ivar slots_in_use: the number that the others have
    """

    def __init__(self, lock_name: str, slots: int, slots_in_use: int) -> None:
        super().__init__(lock_name, slots, slots_in_use)
        self.lock_name = lock_name
        self.slots = slots
        self.slots_in_use = slots_in_use

    def __str__(self) -> str:
        return (
            f"the lock {self.lock_name!r} is in use with slots={self.slots_in_use}, "
            f"and cannot be had with slots={self.slots}: all users must agree"
        )


class LockPathError(OSError):
    """The lock directory or a lock file cannot be used.

    ``errno``, ``strerror`` and ``filename`` say why, as in any :class:`OSError`.

    :ivar source: what names the directory: ``lock_path``, ``set_defaults``, a variable as
        ``$LOCKUTILS_LOCK_PATH``, ``[oslo_concurrency] lock_path``, or ``default``; empty if the
        path of the file was given
    """

    source = ""

    @property
    def hint(self) -> str:
        """What to do about it; empty where ``strerror`` has to do."""
        if self.errno == EACCES:
            return _hint_of_mode(self.filename)
        if self.errno != EROFS:
            return ""
        return (
            "make it writable, as by ReadWritePaths= in a systemd unit, or set "
            "$LOCKUTILS_LOCK_PATH for all who share the locks"
        )

    def __str__(self) -> str:
        return super().__str__() + self.remark

    @property
    def remark(self) -> str:
        """What follows the path in a line: ``source`` and ``hint``."""
        hint = self.hint
        return (f" (by {self.source})" if self.source else "") + (f": {hint}" if hint else "")


def _hint_of_mode(path: str) -> str:
    """What to do about a file or directory of somebody else; empty if that is not the trouble."""
    try:
        try:
            status, what = os.lstat(path), "it"
        except OSError:
            status, what = os.stat(os.path.dirname(path)), "its directory"
        groups = {os.getegid(), *os.getgroups()}
    except (AttributeError, OSError, TypeError, ValueError):  # AttributeError: as on Windows
        return ""
    user, group, mode = status.st_uid, status.st_gid, status.st_mode
    if user == os.geteuid():
        return ""
    whose = f"{what} belongs to user {user} and group {group}, with the mode {S_IMODE(mode):o}"
    if mode & S_IWGRP and group not in groups:
        return f"{whose}: join that group"
    if not S_ISREG(mode):
        return ""
    return (
        f"{whose}: have its owner chmod it, or remove it while it is not in use, and have all who "
        "share the locks set one file_mode, as 660, by set_defaults(), $LOCKUTILS_FILE_MODE or "
        "--file-mode"
    )
