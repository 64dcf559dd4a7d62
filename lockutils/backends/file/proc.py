"""What Linux tells of locks on files and of processes, in ``/proc`` (proc(5)).

Nothing is opened but files of ``/proc``: to close a lock file would drop the record locks that
another library of this process has on it (fcntl(2)).
"""

from __future__ import annotations

import errno
import os
import time

from lockutils.errors import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    #: device and inode
    File: TypeAlias = tuple[int, int]

#: the kernel renders as much of a table in one go; between two of them it changes
_PAGE = 4096
#: how much of a command line is told
_COMMAND = 200
#: the beginning of a line, and its file, start and end
_TAIL = 4
_BOOT_TIME = 7  # CLOCK_BOOTTIME, which Python has on Linux alone, as there is a /proc
END = 2**63


class Line:
    """A lock on a file, or a process that sleeps until it gets one.

    :ivar kind: ``b"FLOCK"``, ``b"POSIX"``, ``b"OFDLCK"``, or another one, as a lease
    :ivar waits: whether it is asked for, and not held
    :ivar writes: whether it is an exclusive one
    :ivar pid: the process that took it or asks for it; -1 of an ``OFDLCK``; 0 if it cannot be
        seen from here
    :ivar start: its first byte
    :ivar end: the one after its last byte
    """

    __slots__ = ("end", "kind", "pid", "start", "waits", "writes")

    def __init__(self, text: bytes) -> None:
        # "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a waiter has "->" after the number
        fields = text.split()
        self.waits = fields[1] == b"->"
        kind, _, mode, pid, _, start, end = fields[-7:]
        self.kind = kind
        self.writes = mode == b"WRITE"
        self.pid = int(pid)
        self.start = int(start)
        self.end = END if end == b"EOF" else int(end) + 1

    def _what(self) -> tuple[object, ...]:
        return self.kind, self.waits, self.writes, self.pid, self.start, self.end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and self._what() == other._what()

    def __hash__(self) -> int:
        return hash(self._what())


def trouble() -> str:
    """Return why nothing can be told of the processes here; empty if it can."""
    if not os.path.exists("/proc/locks"):
        return "there is no /proc/locks"
    try:
        if os.readlink("/proc/self") == str(os.getpid()):
            return ""
    except OSError:
        pass  # we are not visible in it
    return "/proc is that of another pid namespace, where processes have other numbers"


class Table:
    """``/proc/locks``, read once.

    The kernel renders it page by page: of several pages, a lock may be missing that was moved
    meanwhile from one to the other, because others ended.

    :raises OSError: if there is none, or its numbers are not those that processes have here
    """

    def __init__(self) -> None:
        if why := trouble():
            raise OSError(errno.ENOENT, why)
        self._text = read("/proc/locks")
        #: whether a lock may be missing in it
        self.is_torn = len(self._text) > _PAGE // 2
        self._by_inode: dict[bytes, list[bytes]] | None = None

    @property
    def is_indexed(self) -> bool:
        return self._by_inode is not None

    def index(self) -> None:
        """Prepare for many files; look once more for those that may be missing."""
        self._by_inode = _lines_by_inode(self._text)
        if self.is_torn:
            self._by_inode = {**_lines_by_inode(read("/proc/locks")), **self._by_inode}

    def lines(self, file: File) -> tuple[list[Line], bool]:
        """Return the locks on a file and who waits for them, and whether that is for sure.

        It is not where the table has devices that ``stat`` does not have (btrfs, overlayfs):
        then these lines may be of another file with the same inode number.
        """
        device, inode = file
        if self._by_inode is None:
            found = list(self._search(b":%d " % inode))
        else:
            found = self._by_inode.get(b"%d" % inode, [])
        name = b" %02x:%02x:%d " % (os.major(device), os.minor(device), inode)
        same = [Line(line) for line in found if name in line]
        if same or os.major(device):
            return same, True
        return [Line(line) for line in found if b" 00:" in line], False

    def _search(self, what: bytes) -> Iterator[bytes]:
        text, position = self._text, 0
        while (position := text.find(what, position)) >= 0:
            end = text.find(b"\n", position)
            yield text[text.rfind(b"\n", 0, position) + 1 : end]
            position = end


def _lines_by_inode(text: bytes) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for line in text.split(b"\n"):
        fields = line.rsplit(None, 3)
        if len(fields) == _TAIL:
            found.setdefault(fields[1].rpartition(b":")[2], []).append(line)
    return found


class Process:
    """The files that a process has open, looked at once and as far as needed."""

    __slots__ = ("_facts", "_found", "_names", "pid")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._facts: tuple[str | None, float | None] | None = None
        self._found: dict[File, list[str]] = {}
        #: descriptors that were not looked at yet
        self._names: list[str] | None = None

    def locks_on(self, file: File) -> Iterator[list[Line]]:
        """Yield the locks that it has on a file by each of its descriptors.

        :raises PermissionError: if that cannot be told: it is another user's
        """
        count = 0
        while True:
            found = self._found.get(file, ())
            if count < len(found):
                yield self._locks_of(found[count])
                count += 1
            elif not self._look_at_next():
                return

    def facts(self) -> tuple[str | None, float | None]:
        """Return its command line, and when it began, in seconds since the epoch."""
        if self._facts is None:
            self._facts = command_of(self.pid), begin_of(self.pid)
        return self._facts

    def _look_at_next(self) -> bool:
        """Note which file one more descriptor is of; ``False`` if there is none."""
        if self._names is None:
            try:
                # the latest last, where it is taken first: a short hold is of a file that was
                # opened just now
                self._names = os.listdir(f"/proc/{self.pid}/fd")
            except (FileNotFoundError, ProcessLookupError):
                self._names = []  # it has ended
        if not self._names:
            return False
        name = self._names.pop()
        try:
            status = os.stat(f"/proc/{self.pid}/fd/{name}")
        except PermissionError:
            raise
        except OSError:
            return True  # it was closed meanwhile, or cannot be looked at, as on a dead NFS
        self._found.setdefault((status.st_dev, status.st_ino), []).append(name)
        return True

    def _locks_of(self, name: str) -> list[Line]:
        try:
            info = read(f"/proc/{self.pid}/fdinfo/{name}")
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [Line(line[5:]) for line in info.split(b"\n") if line.startswith(b"lock:")]


class Processes:
    """The processes that can be seen from here, each looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, Process] = {}
        self._numbers: list[int] = []

    def get(self, pid: int) -> Process:
        return self._known.get(pid) or self._known.setdefault(pid, Process(pid))

    def all(self) -> Iterator[Process]:
        """Yield them, the lowest number first: of two, it is the parent as a rule."""
        if not self._numbers:
            self._numbers = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        yield from map(self.get, self._numbers)


def command_of(pid: int) -> str | None:
    """Return the command line of a process, or the beginning of it."""
    try:
        words = read(f"/proc/{pid}/cmdline", _COMMAND).rstrip(b"\0").split(b"\0")
    except OSError:
        return None
    return printable(b" ".join(words).decode("utf-8", "replace")) or None


def begin_of(pid: int | str) -> float | None:
    """Return when a process began, in seconds since the epoch."""
    try:
        _, _, ticks = stat_of(pid)
    except OSError:
        return None
    booted = time.time() - time.clock_gettime(_BOOT_TIME)
    return round(booted + ticks / os.sysconf("SC_CLK_TCK"), 2)  # not more exact than a tick


def stat_of(pid: int | str) -> tuple[int, int, int]:
    """Return the number of a process, of its parent, and the time when it began.

    That time is in ticks of the clock since the system was booted.

    :raises OSError: if there is no such process
    """
    number, rest = read(f"/proc/{pid}/stat").split(b" (", 1)
    fields = rest.rpartition(b") ")[2].split()
    return int(number), int(fields[1]), int(fields[19])


def read(path: str, limit: int | None = None) -> bytes:
    """Return the content of a file of ``/proc``, or its beginning.

    :raises OSError: if it cannot be read
    """
    # A file object: a signal handler may raise before there is a "try", and it closes all the same.
    with open(path, "rb", 0) as file:
        return (file.readall() if limit is None else file.read(limit)) or b""
