"""Who may write to a directory."""

from __future__ import annotations

import os
import stat


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether others than the owner may write there; on Windows the mode does not tell."""
    return os.name != "nt" and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
