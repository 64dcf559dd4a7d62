"""Cleaners that honour locks: as systemd-tmpfiles does (tmpfiles.d(5)), and ``lockutils gc``."""

from __future__ import annotations

import fcntl
import os
import random
from typing import TYPE_CHECKING

import lockutils
from chaos import keys
from lockutils.backends.file.sweep import open_directory, remove_if_free

if TYPE_CHECKING:
    from chaos.keys import Place


class Cleaner:
    def __init__(self, place: Place) -> None:
        self._place = place

    def clean(self, chance: random.Random) -> bool:
        """Remove one lock file if nobody has a lock on it; whether that was so."""
        # not those that other tools lock, too: they do not look whether it is still there
        key = keys.pick(chance, "xsdn")
        directory = self._place.path_of(key) or lockutils.get_lock_path()
        name = f"{self._place.prefix_of(key) or ''}{key}"
        path = f"{directory}/{name}"
        if chance.random() < 0.5:
            return _collect(directory, name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return False
            os.unlink(path)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def _collect(directory: str, name: str) -> bool:
    """Remove one lock file as ``lockutils gc`` does."""
    cell: list[int] = []
    try:
        status = open_directory(cell, os.fsencode(directory), own=False)
        return remove_if_free(cell[0], status, name)
    except OSError:
        return False
    finally:
        for descriptor in cell:
            os.close(descriptor)
