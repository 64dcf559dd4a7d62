"""Why a path of ours cannot be used."""

from __future__ import annotations

import os
import stat

from lockutils.errors import LockPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def refuse(error: OSError, path: bytes, source: str = "") -> NoReturn:
    """Raise ``error`` as a :class:`LockPathError` of ``path``, if it is not one already.

    :param source: what names the directory
    """
    if isinstance(error, LockPathError):
        raise error
    raise with_source(
        LockPathError(error.errno, error.strerror, os.fsdecode(path)), source
    ) from error


def with_source(error: LockPathError, source: str) -> LockPathError:
    """Return ``error``, which says what names the directory.

    Whoever raises it has it in no variable: the frame would keep the error, and the error the
    frame, with descriptors that are to be closed.
    """
    error.source = source
    return error


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether others than the owner may write there; on Windows the mode does not tell."""
    return os.name != "nt" and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
