"""``lockutils why``: who holds a lock and does what, who waits, and whether it is a deadlock."""

from __future__ import annotations

import errno
import os
from time import monotonic, time

from lockutils.backends.file.proc import command_of, read, stat_of
from lockutils.backends.file.queue import QueueRange
from lockutils.backends.file.refusal import refuse
from lockutils.cli.listing import fields, when
from lockutils.cli.options import (
    HELP,
    LOCK_PATH,
    UsageError,
    key_from,
    lock_path_of,
    parse_one,
    print_help,
)
from lockutils.cli.report import cannot_use, write, write_json
from lockutils.errors import Holder
from lockutils.front.settings import lock_directory
from lockutils.observe.wait_graph import Deadlock, deadlock_of
from lockutils.observe.wait_records import Wait, wait_for_file, waits_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.backends.file.directory import Directory

FREE, HELD, DEADLOCK = 0, 1, 2
#: of the JSON; it changes when a field goes or changes its meaning, and not when one is added
VERSION = 1

PROGRAM = "lockutils why"
USAGE = f"""\
{PROGRAM} [OPTION ...] NAME

Tells who holds the lock NAME, what that process is doing and what started it, and who waits for
the lock, in order.  In a deadlock it shows the cycle.  It takes no lock, and nobody notices it."""
OPTIONS = {
    "--lock-path": LOCK_PATH,
    "--prefix": ("", "P", "put P and a dash before the name"),
    "--json": ("", "", "write one JSON object, for programs"),
    "--help": HELP,
}
EPILOG = """\
A deadlock is found once its waits are a second old, among processes of one user that use lockutils.
Only root can tell what another user's processes have open.

Exit status: 0 if the lock is free, 1 if it is held, 2 if it is held in a deadlock; 64 for a wrong
command line; 73 if the lock directory cannot be used.

Example:
  lockutils why db-migration || echo "not now"
"""


def why(arguments: list[str]) -> int:
    """Tell of one lock what ``arguments`` ask for.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, name = parse_one(arguments, OPTIONS, PROGRAM, "name")
    if "--help" in given:
        return print_help(USAGE, OPTIONS, EPILOG)
    if name is None:
        raise UsageError(f"no name of a lock (see {PROGRAM} --help)")
    path, key = lock_path_of(given), key_from(name, given)
    try:
        reason = Reason(lock_directory(path, make=False), key)
    except OSError as error:
        return cannot_use(error)
    if "--json" in given:
        write_json(reason.as_json())
    else:
        write("".join(f"{line}\n" for line in reason.lines()))
    return reason.status


class Reason:
    """The holders and waiters of a lock at the moment, and the deadlock if there is one."""

    def __init__(self, directory: Directory, key: str) -> None:
        """Look.

        :raises LockPathError: if the directory cannot be one
        """
        self.name = key
        if os.path.exists(directory.path) and not os.path.isdir(directory.path):
            error = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            refuse(error, directory.path, directory.source)
        holders, self.waiters = directory.status(key)
        self.holders = [_Process(holder) for holder in holders]
        self.deadlock: Deadlock | None = None
        if holders:
            path = directory.file_of(key)
            wait = wait_for_file(os.fsdecode(path), key, QueueRange(path).use() or 1)
            self.deadlock = None if wait is None else deadlock_of(wait)

    @property
    def status(self) -> int:
        if not self.holders:
            return FREE
        return HELD if self.deadlock is None else DEADLOCK

    def lines(self) -> list[str]:
        """Return what to tell a person."""
        name = repr(self.name)
        if not self.holders:
            lines = [f"{name} is free"]
        else:
            lines = [f"{name} is held"]
            for process in self.holders:
                lines += process.lines()
        if self.waiters:
            lines.append(f"{len(self.waiters)} waiting, in this order:")
            lines += [f"  {waiter}{_mode(waiter)}{_since(waiter)}" for waiter in self.waiters]
        if self.deadlock is not None:
            lines.append("deadlock:")
            lines += [f"  {line}" for line in self.deadlock.lines()]
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return what to tell a program."""
        deadlock = self.deadlock
        return {
            "version": VERSION,
            "name": self.name,
            "state": ("free", "held", "deadlock")[self.status],
            "holders": [process.as_json() for process in self.holders],
            "waiters": [fields(waiter) for waiter in self.waiters],
            "deadlock": None if deadlock is None else [_wait(one) for one in deadlock.cycle],
        }


class _Process:
    """A holder, and what it is doing."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.parents: list[tuple[int, str | None]] = []
        self.state: str | None = None
        self.kernel: str | None = None
        self.waits: list[Wait] = []
        pid = holder.pid
        if pid is None or holder.host is not None:
            return
        self.waits = waits_of(pid)
        self.state = _state_of(pid)
        self.kernel = _sleeps_in(pid)
        try:
            _, parent, _ = stat_of(pid)
            while parent:
                self.parents.append((parent, command_of(parent)))
                _, parent, _ = stat_of(parent)
        except OSError:
            pass  # it has just ended, or its parents are not visible from here

    def lines(self) -> list[str]:
        lines = [f"  by {self.holder}{_mode(self.holder)}{_since(self.holder)}"]
        lines += [f"    started by {Holder(pid, command=it)}" for pid, it in self.parents]
        if self.state:
            doing = f" in {self.kernel}" if self.kernel else ""
            lines.append(f"    {self.state}{doing}")
        for wait in self.waits:
            who = wait.who if wait.pid == self.holder.pid else str(wait)
            seconds = monotonic() - wait.since
            lines.append(f"    {who} waits for {wait.name!r}, {seconds:.0f} s by now")
        return lines

    def as_json(self) -> dict[str, Any]:
        return {
            **fields(self.holder),
            "parents": [{"pid": pid, "command": command} for pid, command in self.parents],
            "state": self.state,
            "kernel": self.kernel,
            "waits": [_wait(wait) for wait in self.waits],
        }


def _mode(holder: Holder) -> str:
    return "" if holder.mode in (None, "exclusive") else f", {holder.mode}"


def _since(holder: Holder) -> str:
    if holder.since is None and holder.not_before is None:
        return ""
    return f", {when(holder)}" if holder.since is None else f", since {when(holder)}"


def _wait(wait: Wait) -> dict[str, Any]:
    return {
        "pid": wait.pid,
        "who": wait.who,
        "name": wait.name,
        "since": time() - (monotonic() - wait.since),
    }


def _state_of(pid: int) -> str | None:
    """Return what a process does, as ``S (sleeping)``; ``None`` if it has ended."""
    try:
        text = read(f"/proc/{pid}/status").decode("utf-8", "replace")
    except OSError:
        return None
    return text.partition("\nState:")[2].partition("\n")[0].strip()


def _sleeps_in(pid: int) -> str | None:
    """Return the function of the kernel that the first thread sleeps in, where one may know it."""
    try:
        where = read(f"/proc/{pid}/wchan").decode().strip()
    except OSError:
        return None
    return where if where != "0" else None
