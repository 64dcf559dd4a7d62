"""The processes of a run, from the outside: started, killed, stopped, let go."""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from chaos.journal import GONE, KILL
from chaos.life import Job

if TYPE_CHECKING:
    import random

    from chaos.journal import Writer

#: how many may be there at once, those that have been let go among them
_MOST = 4096


class Member:
    """One process."""

    def __init__(self, job: Job, pid: int) -> None:
        self.job = job
        self.pid = pid
        self.descriptor: int | None = os.pidfd_open(pid)
        #: whether it is to take turns for ever
        self.is_wanted = True

    def send(self, number: signal.Signals) -> None:
        if self.descriptor is None:
            return
        try:
            signal.pidfd_send_signal(self.descriptor, number)
        except ProcessLookupError:
            pass

    def forget(self) -> None:
        assert self.descriptor is not None
        os.close(self.descriptor)
        self.descriptor = None

    def has_ended(self, within: float = 0.0) -> bool:
        if self.descriptor is None:
            return True
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(within * 1000))


class Population:
    def __init__(self, first: Job, kinds: list[str], journal: Writer) -> None:
        self._first = first
        self._journal = journal
        self.members: list[Member] = []
        self._leaving: list[Member] = []
        self._started = 0
        with open(f"{first.home}/flags", "w+b") as file:
            file.truncate(_MOST)
            self._flags = mmap.mmap(file.fileno(), _MOST)
        self._nurseries = {kind: self._nursery(kind) for kind in set(kinds)}
        for kind in kinds:
            self.start(kind)

    def _nursery(self, kind: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "chaos.nursery", kind, self._first.home]
        with open(f"{self._first.home}/errors", "a") as errors:
            pipe = subprocess.PIPE
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True)

    def start(self, kind: str) -> None:
        self._started += 1
        number = self._started % (_MOST - 1) + 1  # the first flag is for all
        self._flags[number] = 0
        name = f"{kind}{self._started}"
        job = dataclasses.replace(self._first, process=name, kind=kind, number=number)
        nursery = self._nurseries[kind]
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        print(json.dumps(dataclasses.asdict(job)), file=nursery.stdin, flush=True)
        self.members.append(Member(job, int(nursery.stdout.readline())))

    def pick(self, chance: random.Random, *kinds: str) -> Member | None:
        found = [one for one in self.members if not kinds or one.job.kind in kinds]
        return chance.choice(found) if found else None

    def kill(self, member: Member) -> None:
        """Kill it, and start another in its place."""
        self._journal.write(KILL, "-", "-", member.job.process)
        member.send(signal.SIGKILL)
        self._replace(member)

    def let_go(self, member: Member) -> None:
        """Have it end in peace, and start another in its place."""
        self._flags[member.job.number] = 1
        self._replace(member)

    def _replace(self, member: Member) -> None:
        self.members.remove(member)
        self._leaving.append(member)
        self.start(member.job.kind)

    def reap(self) -> None:
        """Note who has ended."""
        for member in [one for one in self._leaving + self.members if one.has_ended()]:
            self._journal.write(GONE, "-", "-", member.job.process)
            member.forget()
            if member in self.members:
                self.members.remove(member)
                self.start(member.job.kind)
            else:
                self._leaving.remove(member)

    def end(self, within: float) -> list[Member]:
        """Have all end in peace; return those who do not."""
        deadline = time.monotonic() + within
        everybody = self.members + self._leaving
        self._flags[0] = 1
        late = [
            one for one in everybody if not one.has_ended(max(0.0, deadline - time.monotonic()))
        ]
        for member in everybody:
            if member not in late:
                self._journal.write(GONE, "-", "-", member.job.process)
        return late

    def close(self) -> None:
        """Kill whatever is left."""
        for member in self.members + self._leaving:
            member.send(signal.SIGKILL)
        for nursery in self._nurseries.values():
            nursery.kill()
            nursery.wait()
