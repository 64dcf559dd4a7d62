"""The options ``[oslo_concurrency]`` of oslo.config, for programs that use it.

The options need be registered by somebody to be read from a configuration file: whoever first
asks for ``lockutils.CONF`` does so, :func:`register_opts`, or oslo.concurrency where it is loaded.
"""

from __future__ import annotations

import copy
import os

from oslo_config import cfg

from lockutils.front.settings import is_registered, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["list_opts", "register_opts"]

_GROUP = "oslo_concurrency"


class _SameAsTheirs:
    """Equal to any option of the same name: the ones that oslo.concurrency may register later.

    oslo.config refuses a second option of a name that is not equal to the first.  Each option is
    of a subclass of its kind there: then Python asks it first, whichever side it is on.
    """

    dest: str

    def __eq__(self, other: object) -> bool:
        return self.dest == getattr(other, "dest", None)

    def __ne__(self, other: object) -> bool:  # that of cfg.Opt would come first
        return not self == other

    def __hash__(self) -> int:
        return hash(self.dest)


class _BoolOpt(_SameAsTheirs, cfg.BoolOpt):  # type: ignore[misc]
    pass


class _StrOpt(_SameAsTheirs, cfg.StrOpt):  # type: ignore[misc]
    pass


_disable = _BoolOpt(
    "disable_process_locking",
    default=False,
    help="Whether external locks are locks of one process alone.",
)
_lock_path = _StrOpt(
    "lock_path",
    help=(
        "Directory of the lock files, which nobody should be able to write to but the users "
        "of the locks. By default what $LOCKUTILS_LOCK_PATH or $OSLO_LOCK_PATH says, or a "
        "directory of the user who runs the process."
    ),
)


def list_opts() -> list[tuple[str, list[Any]]]:
    """Return the options, as pairs of a group and what is in it.

    The generator of sample configuration files finds them by the entry point ``lockutils``.
    """
    return [(_GROUP, copy.deepcopy([_disable, _lock_path]))]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register those of the options with ``conf`` that it does not have, of whomever."""
    missing = [opt for opt in (_disable, _lock_path) if not is_registered(conf, opt.dest)]
    conf.register_opts(missing, _GROUP)


def show_setting() -> None:
    """Make what :func:`lockutils.set_defaults` was told the default of ``lock_path``.

    For programs that read the option: our own look-up passes over its default.
    """
    _lock_path.default = setting() or os.environ.get("OSLO_LOCK_PATH")
    cfg.CONF.register_opts([])  # which makes it forget the values that it has looked up


show_setting()
