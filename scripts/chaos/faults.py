"""What the director does to processes, at instants that its dice tell."""

from __future__ import annotations

import collections
import heapq
import itertools
import signal
import time
from typing import TYPE_CHECKING

from chaos.cleaner import Cleaner
from chaos.tamper import Tamperer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from chaos.journal import Writer
    from chaos.keys import Place
    from chaos.population import Member, Population

#: by name: how often each is chosen, and what it is
WEIGHTS = {
    "kill": 20,  # SIGKILL
    "stop": 4,  # SIGSTOP, and SIGCONT a while later
    "interrupt": 15,  # SIGINT or SIGALRM; their handlers raise
    "fork": 8,  # a signal handler that forks; and holders that fork and start programs
    "clean": 10,  # a lock file is removed by one who has locked it
    "tamper": 10,  # a lock file is removed, replaced or changed by one who has not
    "end": 2,  # a process ends in peace, and is looked at
    # the processes do these by themselves
    "descriptors": 0,  # there are no more of them
    "threads": 0,  # there is no memory for another one
    "errors": 0,  # system calls of the file driver fail
}


class Faults:
    def __init__(
        self,
        chance: random.Random,
        names: list[str],
        population: Population,
        place: Place,
        journal: Writer,
    ) -> None:
        self._chance = chance
        self._names = names
        self._population = population
        self._cleaner = Cleaner(place)
        self._tamperer = Tamperer(place, journal)
        self.injected: collections.Counter[str] = collections.Counter()
        #: what is to be undone, and when, on the monotonic clock
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._stopped: set[Member] = set()

    def inject(self, but: str | None = None) -> None:
        """Do something, unless what is due is not to be done: each comes as often by itself."""
        (name,) = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if name in self._names and name != but and getattr(self, f"_{name}")():
            self.injected[name] += 1

    @property
    def is_anybody_stopped(self) -> bool:
        return bool(self._stopped)

    def undo(self, *, all_now: bool = False) -> None:
        """Undo what is due."""
        while self._later and (all_now or self._later[0][0] <= time.monotonic()):
            heapq.heappop(self._later)[2]()

    def _undo_in(self, seconds: float, undo: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), undo))

    def _kill(self) -> bool:
        victim = self._population.pick(self._chance)
        if victim is not None:
            self._population.kill(victim)
        return victim is not None

    def _stop(self) -> bool:
        victim = self._population.pick(self._chance)
        if victim is None or victim in self._stopped:
            return False

        def go_on() -> None:
            self._stopped.discard(victim)
            victim.send(signal.SIGCONT)

        self._stopped.add(victim)
        victim.send(signal.SIGSTOP)
        longest = 1.0 if self._chance.random() < 0.05 else 0.1
        self._undo_in(self._chance.random() * longest, go_on)
        return True

    def _interrupt(self) -> bool:
        number = self._chance.choice([signal.SIGINT, signal.SIGALRM])
        return self._send(number, "threads", "trio")

    def _fork(self) -> bool:
        return self._send(signal.SIGUSR2, "threads")

    def _send(self, number: signal.Signals, *kinds: str) -> bool:
        victim = self._population.pick(self._chance, *kinds)
        if victim is not None:
            victim.send(number)
        return victim is not None

    def _end(self) -> bool:
        victim = self._population.pick(self._chance)
        if victim is not None and victim not in self._stopped:
            self._population.let_go(victim)
        return victim is not None

    def _clean(self) -> bool:
        return self._cleaner.clean(self._chance)

    def _tamper(self) -> bool:
        undo = self._tamperer.tamper(self._chance)
        self._undo_in(self._chance.random() / 50, undo)
        return True
