"""Where the lock files are: argument, setting, environment, default; asked at each call."""

from __future__ import annotations

import os

from lockutils.directory import DefaultDirectory, Directory, default_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    StrPath: TypeAlias = str | os.PathLike[str]

_OURS = "LOCKUTILS_LOCK_PATH"
_OSLOS = "OSLO_LOCK_PATH"
# as os.environ keeps them inside
_OURS_RAW, _OSLOS_RAW = map(os.environ.encodekey, (_OURS, _OSLOS))

_user_id: Callable[[], int] = getattr(os, "geteuid", lambda: 0)  # Windows has no such call

_set_path: str | None = None
_defaults: dict[int, DefaultDirectory] = {}
_directories: dict[str, Directory] = {}  # by absolute path


def set_defaults(lock_path: StrPath | None) -> None:
    """Put the lock files of this process into ``lock_path``, where a call names no other.

    :param lock_path: a directory, created when it is first used; ``None`` takes it back
    :raises TypeError: if it is not a path
    :raises ValueError: if it is empty or contains NUL
    """
    global _set_path
    _set_path = None if lock_path is None else check_path(lock_path, "lock_path")


def get_lock_path() -> str:
    """Return the directory of the lock files, as an absolute path.

    The first of: :func:`set_defaults`, ``$LOCKUTILS_LOCK_PATH``, ``$OSLO_LOCK_PATH``, and a
    directory of the user's own that does not depend on the environment.  It need not exist
    yet.
    """
    return os.fsdecode(lock_directory(None).path)


def check_path(path: StrPath, source: str) -> str:
    """Return ``path`` made absolute; ``source`` is what an error calls it."""
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise TypeError(f"{source} must be a str or os.PathLike[str], not {path!r}")
    if not text or "\0" in text:
        raise ValueError(f"{source} is not the path of a directory: {text!r}")
    return os.path.abspath(text)


def lock_directory(lock_path: StrPath | None) -> Directory:
    """Return the directory for a call with this ``lock_path``.

    :raises TypeError: if ``lock_path`` is not a path
    :raises ValueError: if it, or the variable that names the directory, is no path of one
    :raises LockPathError: if it is the default directory, and not safe to use
    """
    if lock_path is not None:
        # looked up here, too, to spare the call
        known = _directories.get(lock_path) if type(lock_path) is str else None
        return known or _directory(lock_path, "lock_path")
    if _set_path is not None:
        return _directory(_set_path, "lock_path")
    environment = os.environ
    # Looking up what is not there costs os.environ 1 us, of the 9 that a lock may take.
    raw = getattr(environment, "_data", None)
    if raw is None or _OURS_RAW in raw or _OSLOS_RAW in raw:
        for variable in (_OURS, _OSLOS):
            value = environment.get(variable)
            if value:
                return _directory(value, f"${variable}")
    user = _user_id()
    return _defaults.get(user) or _make_default(user)


def _directory(path: StrPath, source: str) -> Directory:
    if isinstance(path, str):
        known = _directories.get(path)
        if known is not None:
            return known
    absolute = check_path(path, source)
    directory = _directories.get(absolute)
    if directory is None:
        if len(_directories) >= 256:  # a cache, not a record of every path ever seen
            _directories.clear()
        directory = _directories[absolute] = Directory(os.fsencode(absolute))
    return directory


def _make_default(user: int) -> DefaultDirectory:
    directory = DefaultDirectory(os.fsencode(f"{default_parent()}/lockutils-{user}"))
    directory.make()
    _defaults[user] = directory
    return directory
