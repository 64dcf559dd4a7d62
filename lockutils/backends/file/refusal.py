"""Why a path of ours cannot be used."""

from __future__ import annotations

import os
import stat

from lockutils.errors import LockPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def refuse(error: OSError, path: bytes) -> NoReturn:
    """Raise ``error`` as a :class:`LockPathError` of ``path``, if it is not one already."""
    if isinstance(error, LockPathError):
        raise error
    raise LockPathError(error.errno, error.strerror, os.fsdecode(path)) from error


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether others than the owner may write there; on Windows the mode does not tell."""
    return os.name != "nt" and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
