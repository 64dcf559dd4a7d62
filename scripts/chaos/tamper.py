"""Lock files that somebody removes, replaces or changes who does not care whether they are held."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from chaos import keys
from chaos.journal import APART, SPLIT

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from chaos.journal import Writer
    from chaos.keys import Place


class Tamperer:
    """Changes one thing in the tampered directory, and tells how to put it right again."""

    def __init__(self, place: Place, journal: Writer) -> None:
        self._place = place
        self._journal = journal
        self._names = keys.names("f")
        self._directory = f"{place.home}/tampered"

    def tamper(self, chance: random.Random) -> Callable[[], None]:
        key = chance.choice(self._names)
        if chance.random() < 0.3:
            path = f"{self._directory}/.lockutils-queue"
        else:
            path = self._place.file_of(key)
        os.makedirs(self._directory, exist_ok=True)
        removing = [self._unlink, self._replace, self._put_link, self._put_folder, self._put_fifo]
        changing = [self._truncate, self._write, self._forbid, self._link]
        how = chance.choice([*removing, *changing, self._remove_all])
        if how in changing:
            return self._try(how, path)
        # the whole directory goes, or nobody knows which lock waits by the queue
        for name in self._names:
            self._journal.write(SPLIT, name, "-", "tamperer")
        try:
            return self._try(how, path)
        finally:
            for name in self._names:
                self._journal.write(APART, name, "-", "tamperer")

    def _try(self, how: Callable[[str], None], path: str) -> Callable[[], None]:
        try:
            how(path)
        except OSError:  # there is no such file at the moment, or there is something odd
            pass
        return lambda: self._mend(path)

    def _mend(self, path: str) -> None:
        """Take away what is no lock file, and what was done to one."""
        try:
            if os.path.isfile(path) and not os.path.islink(path):
                os.chmod(path, 0o644)
                os.unlink(f"{self._directory}/.other")
            else:
                self._remove(path)
        except OSError:
            pass

    def _remove(self, path: str) -> None:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)

    def _unlink(self, path: str) -> None:
        os.unlink(path)

    def _replace(self, path: str) -> None:
        with open(f"{self._directory}/.new", "w"):
            pass
        os.replace(f"{self._directory}/.new", path)

    def _put_link(self, path: str) -> None:
        self._remove(path)
        os.symlink("elsewhere", path)

    def _put_folder(self, path: str) -> None:
        self._remove(path)
        os.mkdir(path)

    def _put_fifo(self, path: str) -> None:
        self._remove(path)
        os.mkfifo(path)

    def _remove_all(self, path: str) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def _truncate(self, path: str) -> None:
        os.truncate(path, 0)

    def _write(self, path: str) -> None:
        with open(path, "r+") as file:
            file.write("somebody else's text")

    def _forbid(self, path: str) -> None:
        os.chmod(path, 0)

    def _link(self, path: str) -> None:
        os.link(path, f"{self._directory}/.other")
