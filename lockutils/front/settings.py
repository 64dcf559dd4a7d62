"""Where the lock files are: argument, setting, environment, default; asked at each call.

Where the program has oslo.config loaded, and ``[oslo_concurrency]`` is registered there, what
that says counts as oslo.concurrency has it.  It is looked up in ``sys.modules``, never imported.
"""

from __future__ import annotations

import os
import sys

from lockutils.backends.file import file_mode as modes
from lockutils.backends.file.directory import DefaultDirectory, Directory, default_parent
from lockutils.backends.file.refusal import refuse
from lockutils.parking import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    StrPath: TypeAlias = str | os.PathLike[str]

_OURS = "LOCKUTILS_LOCK_PATH"
_OSLOS = "OSLO_LOCK_PATH"
# as os.environ keeps them inside
_OURS_RAW, _OSLOS_RAW = map(os.environ.encodekey, (_OURS, _OSLOS))

_GROUP = "oslo_concurrency"
_modules = sys.modules

_user_id: Callable[[], int] = getattr(os, "geteuid", lambda: 0)  # Windows has no such call

#: an argument that was not given
_KEEP: Any = object()
#: what :func:`set_defaults` was told last
_set: Directory | None = None
_defaults: dict[int, DefaultDirectory] = {}
#: by absolute path, which a call named, or by the setting that named it and that
_directories: dict[str | tuple[str, str], Directory] = {}


def set_defaults(
    lock_path: StrPath | None = _KEEP,
    *,
    file_mode: int | None = _KEEP,
    clean: bool = _KEEP,
    warn_after: float | None = _KEEP,
) -> None:
    """Set the defaults of this process; what is not given stays as it is.

    :param lock_path: a directory for the lock files, where a call names no other; created when it
        is first used; ``None`` takes it back
    :param file_mode: the mode of lock files that are made from now on, and of the file in which
        waiters queue, whatever the umask; not in the default directory, which is the user's
        alone.  ``None`` takes it back
    :param clean: ``True`` to keep lock directories that the user named small, as the default
        directory is: when this process makes a file in one that has more than 256, it may remove
        the empty files that nobody has locked.  It does nothing in a directory that has anything
        else in it, and nothing on Windows.  It can harm other tools: see
        :doc:`/howto/keep-small`.  The default is ``False``
    :param warn_after: seconds after which a waiter logs a warning, by the logger ``lockutils``,
        and again each time that it has waited twice as long; 10 by default.  ``None`` for never
    :raises TypeError: if ``lock_path`` is not a path, ``file_mode`` not an int, ``clean`` not a
        bool, or ``warn_after`` not a number
    :raises ValueError: if ``lock_path`` is empty or contains NUL, with ``file_mode`` the owner
        cannot read and write, or ``warn_after`` is not more than 0
    """
    global _set
    if warn_after is not _KEEP and warn_after is not None:
        if isinstance(warn_after, bool) or not isinstance(warn_after, (int, float)):
            raise TypeError(f"warn_after must be a number of seconds or None, not {warn_after!r}")
        if not warn_after > 0:
            raise ValueError(
                f"warn_after must be more than 0, or None for no warning: {warn_after!r}"
            )
    if file_mode is not _KEEP and file_mode is not None:
        modes.check_mode(file_mode)
    if clean is not _KEEP and not isinstance(clean, bool):
        raise TypeError(f"clean must be a bool, not {clean!r}")
    if lock_path is not _KEEP:
        path = None if lock_path is None else check_path(lock_path, "lock_path")
        _set = None if path is None else Directory(os.fsencode(path), "set_defaults")
        show = getattr(_modules.get("lockutils.oslo.conf"), "show_setting", None)
        if show is not None:  # else that module looks, if another thread is importing it
            show()
    if file_mode is not _KEEP:
        modes.setting = file_mode
    if clean is not _KEEP:
        Directory.swept = clean
    if warn_after is not _KEEP:
        deadline.warn_after = warn_after


def setting() -> str | None:
    """Return what :func:`set_defaults` was told last, as an absolute path."""
    return None if _set is None else os.fsdecode(_set.path)


def get_lock_path(conf: Any = None) -> str:
    """Return the directory of the lock files, as an absolute path.

    The first of: ``[oslo_concurrency] lock_path`` where oslo.config is in use,
    :func:`set_defaults`, ``$LOCKUTILS_LOCK_PATH``, ``$OSLO_LOCK_PATH``, and a directory of the
    user's own that does not depend on the environment.  It need not exist yet.

    :param conf: an ``oslo_config.cfg.ConfigOpts`` to ask in place of the global one; it is given
        the options of :mod:`lockutils.opts` if it has none of that name
    """
    if conf is not None:
        from lockutils.oslo.conf import register_opts

        register_opts(conf)
        path = configured_path(conf)
        if path is not None:
            return check_path(path, "[oslo_concurrency] lock_path")
    return os.fsdecode(lock_directory(None).path)


def global_conf() -> Any:
    """Return the ``CONF`` of oslo.config; ``None`` where nobody has loaded it."""
    # absent while another thread is importing it
    return getattr(_modules.get("oslo_config.cfg"), "CONF", None)


def is_registered(conf: Any, option: str) -> bool:
    """Whether ``conf`` has this option of ``[oslo_concurrency]``."""
    return conf is not None and _GROUP in conf and option in conf[_GROUP]


def configured_path(conf: Any) -> str | None:
    """Return the ``lock_path`` that somebody gave ``conf``: in a file, or by a call.

    ``None`` for the default of the option, which is what the environment says anyway.
    """
    if not is_registered(conf, "lock_path"):
        return None
    path: str | None = conf[_GROUP].lock_path
    if not path:
        return None
    location = conf.get_location("lock_path", _GROUP)
    where = None if location is None else location.location
    if where is not None and where.is_user_controlled:
        return path
    # An override that was taken back leaves its location behind, so the value is looked at, too.
    by_default = where is not None and where.name == "opt_default"
    return None if by_default or path == os.environ.get(_OSLOS) else path


def sources() -> list[tuple[str, str | None]]:
    """Return what can name the directory where a call does not, and what each says.

    The first that says something counts, as in :func:`lock_directory`.
    """
    found = [
        ("[oslo_concurrency] lock_path", configured_path(global_conf())),
        ("set_defaults", setting()),
    ]
    return found + [(f"${variable}", os.environ.get(variable)) for variable in (_OURS, _OSLOS)]


def process_locking() -> bool:
    """Whether external locks are what they are, by ``[oslo_concurrency]``.

    ``False`` if ``disable_process_locking`` is set there: they are of this process alone.
    """
    conf = global_conf()
    if not is_registered(conf, "disable_process_locking"):
        return True
    return not conf[_GROUP].disable_process_locking


def check_path(path: StrPath, source: str) -> str:
    """Return ``path`` made absolute; ``source`` is what an error calls it.

    :raises TypeError: if it is not a path
    :raises ValueError: if no directory can have it
    :raises LockPathError: if it is relative, and there is no working directory
    """
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise TypeError(f"{source} must be a str or os.PathLike[str], not {path!r}")
    try:
        is_path = "\0" not in text and os.fsencode(text) != b""
    except UnicodeEncodeError:
        is_path = False
    if not is_path:
        raise ValueError(f"{source} is not the path of a directory: {text!r}")
    try:
        return os.path.abspath(text)
    except OSError as error:  # the working directory, which it is below, has been removed
        refuse(error, os.fsencode(text), source)


def lock_directory(lock_path: StrPath | None, *, make: bool = True) -> Directory:
    """Return the directory for a call with this ``lock_path``.

    :param make: whether to make the default directory if it is not there, and to check it
    :raises TypeError: if ``lock_path`` is not a path
    :raises ValueError: if it, or the variable that names the directory, is no path of one
    :raises LockPathError: if it is the default directory, and not safe to use; or a relative
        path, and there is no working directory
    """
    path, source = lock_path, "lock_path"
    if path is None and "oslo_config.cfg" in _modules:
        path, source = configured_path(global_conf()), "[oslo_concurrency] lock_path"
    if path is None and _set is not None:
        return _set
    if path is None:
        # Looking up what is not there costs os.environ 1 us, of the 9 that a lock may take.
        raw = getattr(os.environ, "_data", None)
        if raw is None or _OURS_RAW in raw or _OSLOS_RAW in raw:
            variable = _OURS if os.environ.get(_OURS) else _OSLOS
            path, source = os.environ.get(variable) or None, f"${variable}"
    if path is None:
        user = _user_id()
        return _defaults.get(user) or _default_directory(user, make)
    if type(path) is str:
        known = _directories.get(path if path is lock_path else (source, path))
        if known is not None:
            return known
    return _directory_at(check_path(path, source), source)


def _directory_at(path: str, source: str) -> Directory:
    key = path if source == "lock_path" else (source, path)
    known = _directories.get(key)
    if known is not None:
        return known
    if len(_directories) >= 256:  # a cache, not a record of every path ever seen
        _directories.clear()
    return _directories.setdefault(key, Directory(os.fsencode(path), source))


def _default_directory(user: int, make: bool) -> DefaultDirectory:
    directory = DefaultDirectory(os.fsencode(f"{default_parent()}/lockutils-{user}"), user)
    if make:
        directory.make()
        _defaults[user] = directory
    return directory
