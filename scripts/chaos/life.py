"""What all actors of one process share: where they are, when to stop, what went wrong."""

from __future__ import annotations

import collections
import mmap
import os
import random
import traceback
from dataclasses import dataclass, fields
from typing import Any

from chaos.belongings import belongings
from chaos.journal import FAULT, Writer
from chaos.keys import Place
from chaos.shortage import Shortages
from chaos.turns import Entry, Plan, draw


@dataclass(frozen=True)
class Job:
    """What a process is told."""

    #: its name in the journal
    process: str
    #: what it is to be
    kind: str
    seed: str
    #: which byte of the flags is its own
    number: int
    home: str
    prefix: str
    #: how locks are held, with weights, and of which kinds they are
    modes: dict[str, int]
    keys: str
    faults: list[str]
    #: how long anybody may wait, in seconds
    bound: float

    @classmethod
    def of(cls, values: dict[str, Any]) -> Job:
        return cls(**{field.name: values[field.name] for field in fields(cls)})


class Life:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.place = Place(job.home, job.prefix)
        self.journal = Writer(f"{job.home}/journal")
        self.belongings = belongings()
        #: what became of its turns
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.shortages = Shortages()
        with open(f"{job.home}/flags", "rb") as file:
            self._flags = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._troubles = os.open(
            f"{job.home}/troubles", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
        )

    def begins(self) -> None:
        """Called before the first turn: what is there now may be there in the end."""
        self.belongings = belongings()

    def is_over(self) -> bool:
        return self._flags[self.job.number] != 0 or self.is_run_over()

    def is_run_over(self) -> bool:
        return self._flags[0] != 0

    def chance(self, actor: object) -> random.Random:
        """Return the dice of one actor: the same for the same seed."""
        return random.Random(f"{self.job.seed} {self.job.process} {actor}")

    def draw(self, chance: random.Random) -> Plan:
        return draw(chance, self.job.modes, self.job.keys)

    def entry(self, plan: Plan) -> Entry:
        return Entry(self.journal, self.job.process, plan)

    def note(self, fault: str) -> None:
        """Write down what this process does to itself."""
        self.journal.write(FAULT, fault, "-", self.job.process)

    def injects(self, fault: str) -> bool:
        return fault in self.job.faults

    def trouble(self, what: str | None = None) -> None:
        """Report what must not be: the exception at hand, unless told."""
        text = what if what is not None else traceback.format_exc()
        os.write(self._troubles, f"--- {self.job.process}, {self.job.kind}\n{text}\n".encode())
