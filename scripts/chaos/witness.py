"""Replays the journal, and knows of the locks only what it reads there."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

from chaos.journal import APART, ASK, BEGIN, END, FAULT, GONE, KILL, LEFT, SPLIT, Event
from chaos.keys import SLOTS, is_slotted


@dataclass
class Turn:
    event: Event
    #: of the key when this turn was asked for
    generation: int
    #: the witness' clock when it was asked for or came in
    clock: float
    #: who came in since its process was killed, if anybody: then it does nothing more
    passed_by: Event | None = None

    @property
    def how(self) -> str:
        return self.event.how


@dataclass
class Key:
    """Who is at a lock."""

    inside: dict[str, Turn] = field(default_factory=dict)
    waiting: dict[str, Turn] = field(default_factory=dict)
    #: goes up when its file is about to be taken away, and when it has been: odd in between,
    #: when those who ask may find either file
    generation: int = 0


class Witness:
    """Judges overlaps as it reads, and wedges by a clock of its own.

    Its clock stands while any process is stopped: a stopped process may have what others wait
    for, or be the next.  As nobody holds for longer than an instant, a waiter is one that is
    not served if the lock is free, and just as well if others have it one after the other.
    """

    def __init__(self, bound: float) -> None:
        #: how long anybody may wait, in seconds
        self.bound = bound
        self.clock = 0.0
        self.keys: dict[str, Key] = collections.defaultdict(Key)
        self.turns: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self.overlaps: list[str] = []
        self.wedges: list[str] = []
        #: the longest wait by how it was asked for, in seconds
        self.longest: dict[str, float] = {}
        #: turns that met one of another file of the same name, which no lock could keep out
        self.split = 0
        self._killed: set[str] = set()
        self._at: dict[str, set[tuple[str, str]]] = collections.defaultdict(set)

    def read(self, event: Event) -> None:
        if event.what in (KILL, GONE):
            self._end_of(event.who, gone=event.what == GONE)
            return
        if event.what == FAULT:
            self.faults[event.key] += 1
            return
        key = self.keys[event.key]
        if event.what in (SPLIT, APART):
            key.generation += 1
        elif event.what == ASK:
            key.waiting[event.who] = Turn(event, key.generation, self.clock)
            self._at[event.process].add((event.key, event.who))
        elif event.what == BEGIN:
            self._begin(key, event)
        elif event.what == END:
            turn = key.inside.pop(event.who, None)
            if turn is not None and turn.passed_by is not None:
                self.overlaps.append(f"{turn.passed_by} while {turn.event}, which was not dead")
        elif event.what == LEFT:
            key.waiting.pop(event.who, None)
            key.inside.pop(event.who, None)
            self._at[event.process].discard((event.key, event.who))

    def _begin(self, key: Key, event: Event) -> None:
        asked = key.waiting.pop(event.who, None)
        generation = key.generation if asked is None else asked.generation
        turn = Turn(event, generation, self.clock)
        self.turns[event.how] += 1
        if asked is not None and asked.event.time and event.time:
            waited = (event.time - asked.event.time) / 1e9
            self.longest[event.how] = max(waited, self.longest.get(event.how, 0.0))
        for other in key.inside.values():
            if not self._excludes(key, turn, other):
                continue
            if not turn.generation == other.generation == key.generation or key.generation % 2:
                self.split += 1  # since one of them asked, the file was taken away
            elif other.event.process not in self._killed:
                self.overlaps.append(f"{turn.event} while {other.event}")
            else:
                other.passed_by = event
        key.inside[event.who] = turn
        self._at[event.process].add((event.key, event.who))

    def _excludes(self, key: Key, turn: Turn, other: Turn) -> bool:
        """Whether these two may not be inside together."""
        if "internal" in (turn.how, other.how):
            return turn.event.process == other.event.process
        if is_slotted(turn.event.key):
            inside = [one for one in key.inside.values() if one.event.process not in self._killed]
            return len(inside) >= SLOTS
        if {turn.how, other.how} == {"flock", "lockf"}:
            return False  # other tools do not see each other
        return not turn.how == other.how == "shared"

    def _end_of(self, process: str, *, gone: bool) -> None:
        """Of what it had at this instant nothing counts any more; it may still be in the queue."""
        if not gone:
            self._killed.add(process)
            return
        for name, who in self._at.pop(process, ()):
            key = self.keys[name]
            key.waiting.pop(who, None)
            key.inside.pop(who, None)
        self._killed.discard(process)

    def judge(self, elapsed: float) -> None:
        """Let the clock go on, and see whether somebody waits for nothing."""
        self.clock += elapsed
        for name, key in self.keys.items():
            late = [turn for turn in key.waiting.values() if self.clock - turn.clock > self.bound]
            if late:
                inside = ", ".join(str(turn.event) for turn in key.inside.values()) or "nobody"
                asked = ", ".join(str(turn.event) for turn in late)
                self.wedges.append(f"{name} has {inside}, and is waited for in vain by {asked}")

    def left_over(self) -> list[str]:
        """Return who is still inside or waits, when all should be gone."""
        return [
            f"{state}: {turn.event}"
            for key in self.keys.values()
            for state, turns in (("inside", key.inside), ("waits", key.waiting))
            for turn in turns.values()
        ]
