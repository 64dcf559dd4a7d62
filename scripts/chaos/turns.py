"""One turn at a lock: what is asked for, and how it is written down."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lockutils
from chaos import keys
from chaos.journal import ASK, BEGIN, END, LEFT

if TYPE_CHECKING:
    from chaos.journal import Writer
    from chaos.keys import Place

#: how a lock may be held where the key does not say, and how often it is
MODES = {"exclusive": 50, "shared": 20, "reentrant": 10, "internal": 5, "all": 10}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Plan:
    """What a turn is to be."""

    keys: list[str]
    how: str
    fair: bool
    timeout: float | None
    #: how long the lock is held, in seconds; with 0 nobody else is let in between
    hold: float
    #: after how long the one who takes the turn is cancelled or killed, in seconds
    ended_after: float | None
    #: a number from 0 to 1, for what happens seldom
    luck: float

    @property
    def is_tampered(self) -> bool:
        return any(map(keys.is_tampered, self.keys))

    def handle(self, place: Place) -> Any:
        """Return the handle of the lock, or of all of them."""
        first = self.keys[0]
        options: dict[str, Any] = {"fair": self.fair, "timeout": self.timeout, "external": True}
        options["lock_path"] = place.path_of(first)
        if place.prefix_of(first):
            options["lock_file_prefix"] = place.prefix_of(first)
        if self.how == "all":
            return lockutils.lock_all(self.keys, **options)
        if self.how == "internal":
            options["external"] = False
        elif keys.is_slotted(first):
            options["slots"] = keys.SLOTS
        else:
            options["shared"] = self.how == "shared"
            options["reentrant"] = self.how == "reentrant"
        return lockutils.lock(first, **options)


def draw(chance: random.Random, modes: dict[str, int], kinds: str) -> Plan:
    """Draw the next turn of somebody by his own chance, and by nothing else."""
    key = keys.pick(chance, kinds)
    wanted = [key]
    (how,) = chance.choices(list(modes), list(modes.values()))
    if keys.is_slotted(key):
        how = "slots"
    elif how == "all":
        wanted = keys.names(key[0])[:4]
        chance.shuffle(wanted)
        wanted = wanted[:2]
    timeouts = [None, 0.0, chance.random() / 500, chance.random() / 20]
    holds = [0.0, chance.random() / 2000, chance.random() / 300]
    return Plan(
        keys=wanted,
        how=how,
        fair=chance.random() < 0.3,
        timeout=chance.choices(timeouts, [60, 10, 15, 15])[0],
        hold=chance.choices(holds, [50, 40, 10])[0],
        ended_after=chance.random() / 100 if chance.random() < 0.25 else None,
        luck=chance.random(),
    )


class Entry:
    """What the journal says of one turn.

    A signal handler may raise at any instant, and calls :meth:`end` before; so nothing here
    minds being done twice, and a BEGIN is never written after that.
    """

    def __init__(self, journal: Writer, process: str, plan: Plan) -> None:
        self._journal = journal
        self._plan = plan
        self._who = f"{process}.{next(_numbers)}"
        self._begun = False

    def ask(self) -> None:
        self._write(ASK)

    def begin(self) -> None:
        self._begun = True
        self._write(BEGIN)

    def end(self) -> None:
        if self._begun:
            self._write(END)

    def left(self) -> None:
        self._write(LEFT)

    def _write(self, what: str) -> None:
        how = "exclusive" if self._plan.how in ("all", "reentrant") else self._plan.how
        for key in self._plan.keys:
            self._journal.write(what, key, how, self._who)
