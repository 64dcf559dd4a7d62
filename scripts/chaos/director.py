"""One run: processes, faults, witness; and what is to be seen when all is over."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import lockutils
from chaos import keys
from chaos.faults import Faults
from chaos.journal import Reader, Writer
from chaos.keys import Place
from chaos.population import Population
from chaos.witness import Witness

if TYPE_CHECKING:
    from chaos.life import Job

#: how often a fault is injected on average, in seconds
PACE = 0.03
_LOOK_EVERY = 0.05
#: how long all processes may take to end in peace, in bounds: one waits, then another
_ENDS_WITHIN = 3.0


@dataclass(frozen=True)
class Goal:
    """When a run is over: when all that is asked for is reached."""

    seconds: float
    turns: int
    kills: int


@dataclass
class Outcome:
    seconds: float
    witness: Witness
    injected: dict[str, int]
    #: processes that did not end, locks that could not be had in the end, locks of nobody
    wedges: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)


def run(job: Job, kinds: list[str], goal: Goal, bound: float) -> Outcome:
    place = Place(job.home, job.prefix)
    journal, reader = Writer(f"{job.home}/journal"), Reader(f"{job.home}/journal")
    witness = Witness(bound)
    chance = random.Random(f"{job.seed} faults")
    for directory in ("locks", "tampered"):
        os.mkdir(f"{job.home}/{directory}")
    population = Population(job, kinds, journal)
    faults = Faults(chance, job.faults, population, place, journal)
    start = before = time.monotonic()

    def look() -> None:
        nonlocal before
        for event in reader.events():
            witness.read(event)
        now = time.monotonic()
        witness.judge(0.0 if faults.is_anybody_stopped else now - before)
        before = now

    try:
        next_fault = start
        while not witness.wedges and not _is_reached(goal, start, witness, faults):
            if time.monotonic() >= next_fault:
                next_fault += chance.expovariate(1 / PACE)
                faults.inject(but=_too_many(goal, witness, faults))
            faults.undo()
            if time.monotonic() - before >= _LOOK_EVERY:
                population.reap()
                look()
            time.sleep(max(0.0, min(next_fault - time.monotonic(), PACE / 4)))
        faults.undo(all_now=True)
        if witness.wedges:
            _dump(population)
        late = population.end(_ENDS_WITHIN * bound)
        look()
        injected = {**faults.injected, **witness.faults}
        outcome = Outcome(time.monotonic() - start, witness, injected)
        for member in late:
            outcome.wedges.append(f"{member.job.process} (pid {member.pid}) does not end")
        if late and not witness.wedges:
            _dump(population)
        outcome.wedges += [*witness.wedges, *witness.left_over()]
    finally:
        population.close()
    _look_at_the_end(place, outcome)
    return outcome


def _is_reached(goal: Goal, start: float, witness: Witness, faults: Faults) -> bool:
    return (
        time.monotonic() - start >= goal.seconds
        and witness.turns.total() >= goal.turns
        and faults.injected["kill"] >= goal.kills
    )


def _too_many(goal: Goal, witness: Witness, faults: Faults) -> str | None:
    """What there was enough of so far, where a number is asked for of that and of turns."""
    is_early = goal.turns * faults.injected["kill"] > goal.kills * witness.turns.total()
    return "kill" if goal.turns and goal.kills and is_early else None


def _dump(population: Population) -> None:
    """Have everybody write down where he is."""
    for member in population.members:
        member.send(signal.SIGUSR1)
    time.sleep(1)


def _look_at_the_end(place: Place, outcome: Outcome) -> None:
    """Every lock can be had by a stranger, and nothing is left but the files that may stay."""
    for key in keys.names("xdsof"):
        options = {"slots": keys.SLOTS} if keys.is_slotted(key) else {}
        for fair in False, True:
            try:
                with lockutils.lock(
                    key,
                    place.prefix_of(key),
                    external=True,
                    lock_path=place.path_of(key),
                    fair=fair,
                    timeout=10,
                    **options,
                ):
                    pass
            except lockutils.AcquireLockFailedException as error:
                outcome.wedges.append(str(error))
    for directory in "locks", "tampered":
        path = f"{place.home}/{directory}"
        expected = {".lockutils-queue", *keys.names("xso" if directory == "locks" else "f")}
        found = set(os.listdir(path)) - expected - {".new", ".other"}
        outcome.leaks += [f"file {directory}/{name}" for name in sorted(found)]
        outcome.leaks += [
            f"a lock on {directory}/{name}: {line}"
            for name in sorted(os.listdir(path))
            for line in _locks_on(f"{path}/{name}")
        ]
    _look_at_the_default_directory(place, outcome)


def _look_at_the_default_directory(place: Place, outcome: Outcome) -> None:
    """No more files than it is to keep; those of this run are removed."""
    directory = lockutils.get_lock_path()
    ours = [name for name in os.listdir(directory) if name.startswith(place.prefix)]
    if len(ours) > _KEPT:
        outcome.leaks.append(f"{len(ours)} files in the default directory")
    for name in ours:
        lockutils.remove_external_lock_file(name)


#: what the default directory keeps, and what may be made between two sweeps
_KEPT = 256 + 4 * 64


def _locks_on(path: str) -> list[str]:
    inode = f":{os.stat(path).st_ino} "
    with open("/proc/locks") as table:
        return [line.strip() for line in table if inode in line]
