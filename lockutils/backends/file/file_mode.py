"""The mode that the user wants for new files of the directories that he named."""

from __future__ import annotations

import errno
import os

VARIABLE = "LOCKUTILS_FILE_MODE"
_PROBLEM = "must be a mode from 0o600 to 0o777 with which the owner can read and write, not"
#: what :func:`lockutils.set_defaults` was told
setting: int | None = None


def check_mode(mode: int) -> int:
    """Return ``mode``.

    :raises TypeError: if it is not an int
    :raises ValueError: if it is no mode of a file that its owner can read and write
    """
    if isinstance(mode, bool) or not isinstance(mode, int):
        raise TypeError(f"file_mode must be an int, as 0o660, not {mode!r}")
    if not _is_mode(mode):
        raise ValueError(f"file_mode {_PROBLEM} {mode!r} (0o660 is a mode, 660 is not)")
    return mode


def parse_mode(text: str, source: str) -> int:
    """Return the mode that ``text`` says in octal digits, with or without ``0o``.

    :param source: what an error calls it
    :raises ValueError: if it says none
    """
    digits = text.removeprefix("0o")
    # int() takes more than digits, and not as many
    if set("01234567").issuperset(digits) and 0 < len(digits) < 10 and _is_mode(int(digits, 8)):
        return int(digits, 8)
    raise ValueError(f"{source} {_PROBLEM} {text!r}")


def _is_mode(mode: int) -> bool:
    return 0 <= mode <= 0o777 and mode & 0o600 == 0o600


def file_mode() -> int | None:
    """Return the mode to make files with; ``None`` for what the umask leaves.

    :raises OSError: if the variable says none
    """
    if setting is not None:
        return setting
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return parse_mode(text, f"${VARIABLE}")
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None
