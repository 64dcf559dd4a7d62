"""Processes that hold the same files by other tools."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from chaos import keys
from chaos.journal import GONE, KILL
from chaos.turns import Entry, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any

    from chaos.life import Life

_SHORTEST = 0.002
#: how long a command whose lockutils was killed is watched, in seconds
_DIES_IN = 0.1
#: between two commands, in seconds: to start one takes more of a core than a hundred turns
_REST = 0.3


#: by the system call that they lock with: those do not see each other
_LIBRARIES = {"flock": ["filelock", "portalocker"], "lockf": ["fasteners", "oslo"]}


def run_library(life: Life) -> None:
    """Hold by one library: two in one process would drop each other's locks (POSIX)."""
    life.begins()
    chance = life.chance("main")
    how = chance.choice(["flock", "lockf"])
    hold = _holder(chance.choice(_LIBRARIES[how]))
    while not life.is_over():
        key = keys.pick(chance, "o")
        plan = Plan([key], how, False, None, 0.0, None, 1.0)
        entry = Entry(life.journal, life.job.process, plan)
        with hold(life.place.file_of(key)):
            entry.begin()
            time.sleep(chance.random() / 500)
            entry.end()
        entry.left()
        time.sleep(_SHORTEST + chance.random() / 100)


def _holder(library: str) -> Callable[[str], AbstractContextManager[Any]]:
    if library == "filelock":
        import filelock

        return lambda path: filelock.FileLock(path, poll_interval=0.002)
    if library == "portalocker":
        import portalocker

        return lambda path: portalocker.Lock(
            path, "a", flags=portalocker.LockFlags.EXCLUSIVE, timeout=None
        )
    import fasteners

    if library == "oslo":
        from oslo_concurrency import lockutils as oslo

        def by_oslo(path: str) -> AbstractContextManager[Any]:
            directory, _, name = path.rpartition("/")
            return oslo.external_lock(name, lock_path=directory)

        return by_oslo
    return fasteners.InterProcessLock


_LOCKUTILS = "import sys; from lockutils.cli import main; sys.exit(main())"
#: a shell program that is told what to write to the journal, how long to hold, and the journal
_PROGRAM = """
printf '0 BEGIN %s\\n' "$1" >>"$3"
sleep "$2"
printf '0 END %s\\n' "$1" >>"$3"
"""


def run_commands(life: Life) -> None:
    """Run commands under flock(1) and ``lockutils run``; some of the latter are killed."""
    life.begins()
    chance = life.chance("main")
    number = 0
    while not life.is_over():
        number += 1
        key = keys.pick(chance, "o")
        path = life.place.file_of(key)
        how = chance.choice(["flock", "exclusive"])
        if how == "flock":
            tool = ["flock", path]
        else:
            tool = [sys.executable, "-c", _LOCKUTILS, "run", "--lock", key]
            tool += ["--lock-path", path.rsplit("/", 1)[0], "--"]
        name = f"{life.job.process}/c{number}"
        command = ["sh", "-c", _PROGRAM, "sh", f"{key} {how} {name}.1"]
        command += [str(chance.random() / 100), f"{life.job.home}/journal"]
        process = subprocess.Popen([*tool, *command])
        if how != "flock" and chance.random() < 0.3:
            time.sleep(chance.random() / 5)
            # lockutils alone: its command must not go on while somebody else is in
            life.journal.write(KILL, "-", "-", name)
            process.kill()
        process.wait()
        if process.returncode < 0:
            time.sleep(_DIES_IN)
            life.journal.write(GONE, "-", "-", name)
        time.sleep(chance.random() * _REST)
