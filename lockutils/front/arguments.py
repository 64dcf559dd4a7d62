"""Arguments that are not what they must be.

A slip here would run code unlocked: ``lock("x", "prefix", "/path")`` would lock nothing outside
of the process, and ``acquire(0.2)`` would wait without end.
"""

from __future__ import annotations

import sys

from lockutils.front.settings import check_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.front.settings import StrPath

#: where callers of ours are not
_PACKAGE = __name__.partition(".")[0] + "."


def check_options(
    *,
    external: bool = False,
    fair: bool = False,
    shared: bool = False,
    reentrant: bool = False,
    do_log: bool | str = True,
    delay: float = 0.0,
) -> None:
    """Raise if one of them is not of its type.

    :raises TypeError: names the option, and its value
    """
    flags = {"external": external, "fair": fair, "shared": shared, "reentrant": reentrant}
    for option, value in flags.items():
        if value is not True and value is not False:
            raise TypeError(f"{option} must be True or False, not {value!r}")
    if not isinstance(do_log, (bool, str)):
        raise TypeError(f"do_log must be a bool or a str, not {do_log!r}")
    if isinstance(delay, bool) or not isinstance(delay, (int, float)):
        raise TypeError(f"delay must be a number of seconds, not {delay!r}")


def warn_of_path(lock_path: StrPath) -> None:
    """Warn once for each place that gives a directory to a lock of this process alone."""
    import warnings

    check_path(lock_path, "lock_path")
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"lock_path={lock_path!r} has no effect without external=True: "
        "the lock excludes nobody outside of this process",
        stacklevel=level,
    )
