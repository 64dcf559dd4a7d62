"""Processes that run the programs.

A process may be killed before each step, or stopped; its waiters may give up.  Between
two system calls it does what it does at once, as far as other processes can tell; only its own
threads may come in between two steps of Python.
"""

from typing import NamedTuple

import order
import own_tickets as own
from checks import Checks
from kernel import LOOKS, Kernel
from process import DEAD, Process, locks_of
from program_request import DEFAULT, SLOT
from settling import OVERTAKES, Settling
from steps import DECIDES, SERVED, Step
from threads import ENDED, INTERRUPTED, Threads


class Move(NamedTuple):
    """What a process may do, and what comes of it."""

    thread: int
    step: Step
    arguments: tuple
    result: object
    hangs_on: bool
    #: the number of the process then; ``None`` after a number too far round; or what is wrong
    after: int | str | None
    #: what counts for the order of service
    events: tuple = ()
    #: whether watchers of the lock file see a closing
    closes: bool = False


class Taken(NamedTuple):
    """A step that was taken."""

    hangs_on: bool
    undoes: bool
    #: whose it is, by the position in the state before; -1 for another tool
    process: int
    move: Move
    #: the positions of the processes, in their order in the state after
    order: tuple


def _move(what, hangs_on):
    return Move(0, Step(what, "", "", "", what), (), None, hangs_on, 0)


_LETS_GO, _LOCKS_GO = _move("lets go", True), _move("locks are gone", True)
_CRASHES, _STOPS = _move("is killed", False), _move("is stopped", False)
_GOES_ON = _move("is continued", False)  # perhaps: nobody may hang on it


class Machine:
    """Processes, each with the modes of its acquisitions and the programs of its threads.

    A state is: a tuple of processes, sorted; whether another tool has the record lock; and how
    many may still be stopped.  Or it is a string that says what is wrong; or ``None``, after a
    number too far round.  Each process is its number, and its rows: see ``order.py``.
    """

    def __init__(
        self,
        protocol,
        setups,
        tool=False,
        ticket=None,
        numbers=6,
        stops=0,
        crashes=True,
        looks=None,
        continues=False,
    ):
        """Make the initial state.

        :param setups: for each process, see :class:`configurations.Setup`
        :param tool: whether another tool has the record lock at first
        :param ticket: a number that one more process has at first, about to unlock it
        :param numbers: how many numbers may be used, from ``ticket`` or 0 on
        :param stops: how many processes may be stopped
        :param crashes: whether processes may be killed
        :param continues: whether stopped ones may go on.  If not, they are stopped for ever; a
            process that is slow is all that one is that goes on
        :param looks: whether a look after some time is progress; if not, nobody may hang on it
        """
        self._kernel = Kernel(protocol.ring)
        self._threads = Threads()
        # Another tool has the record lock alone, and the second in line looks at it.
        records = tool or sum(DEFAULT in setup.modes for setup in setups) > 1
        self._settling = Settling(self._threads, records)
        self._checks = Checks(self._threads)
        self._crashes = crashes
        self._continues = continues
        self._looks = bool(stops) if looks is None else looks
        self._numbers = {}
        self._processes = []
        self._locks = []  # by number of a process
        self._moves = {}
        self._watches = any(SLOT in setup.modes for setup in setups)
        self._count = len(setups) + (ticket is not None)
        self._same = tuple(range(self._count))
        self._dead = self._number(DEAD)
        parts = []
        for setup in setups:
            process = setup.process(protocol, self._threads, ticket or 0, numbers)
            parts.append((self._number(process), ((0,) * self._count,) * len(setup.modes)))
        if ticket is not None:
            thread = self._threads.start(protocol.leaving, ticket)
            leaving = Process(tickets=3 << 2 * ticket, threads=(thread,))
            parts.append((self._number(leaving), ()))
        self.initial, self.order = self._sorted(parts, tool, stops)

    # --- what :func:`explore.explore` asks for

    def successors(self, state):
        if state is None or isinstance(state, str):
            return
        parts, tool, stops = state
        if tool:
            after, order_after = self._sorted(parts, False, stops)
            yield Taken(True, False, -1, _LETS_GO, order_after), after
        locks = [self._locks[number] for number, _ in parts]
        for position, (number, rows) in enumerate(parts):
            if number == self._dead or (position and parts[position - 1] == parts[position]):
                continue  # the same as the one before can do the same
            others = (*locks[:position], *locks[position + 1 :])
            yield from self._steps_of(state, position, others)
            process = self._processes[number]
            if process.dying:
                dead = order.without(parts, position, self._dead)
                after, order_after = self._sorted(dead, tool, stops)
                yield Taken(True, False, position, _LOCKS_GO, order_after), after
            elif self._crashes:
                after, order_after = self._sorted(self._killed(parts, position), tool, stops)
                yield Taken(False, False, position, _CRASHES, order_after), after
            if stops and not process.stopped and not process.dying:
                stopped = self._stopped(parts, position)
                after, order_after = self._sorted(stopped, tool, stops - 1)
                yield Taken(False, False, position, _STOPS, order_after), after
            if process.stopped and self._continues:
                continued = list(parts)
                continued[position] = self._number(process._replace(stopped=False)), rows
                after, order_after = self._sorted(continued, tool, stops)
                yield Taken(False, False, position, _GOES_ON, order_after), after

    def _steps_of(self, state, position, others):
        parts, tool, stops = state
        number = parts[position][0]
        key = number, others, tool
        moves = self._moves.get(key)
        if moves is None:
            moves = self._moves[key] = self._moves_of(number, others, tool)
        for move in moves:
            new, order_after = move.after, self._same
            if isinstance(new, int):
                new = self._after(parts, position, move)
                if not isinstance(new, str):
                    new, order_after = self._sorted(new, tool, stops)
            undoes = move.step.undoes or move.result == LOOKS
            yield Taken(move.hangs_on, undoes, position, move, order_after), new

    def wrong(self, state):
        if state is None or isinstance(state, str):
            return state
        return self._checks.wrong([self._processes[number] for number, _ in state[0]])

    def is_end(self, state):
        if state is None:
            return True
        left = [self._processes[number] for number, _ in state[0] if number != self._dead]
        return all(process.stopped for process in left) or self._checks.is_excused(left)

    # --- states

    def _number(self, process):
        number = self._numbers.get(process)
        if number is None:
            number = self._numbers[process] = len(self._processes)
            self._processes.append(process)
            self._locks.append(locks_of(process))
        return number

    def _sorted(self, parts, tool, stops):
        numbers = [number for number, _ in parts]
        if numbers == sorted(numbers):
            return (tuple(parts), tool, stops), self._same
        order_after = tuple(sorted(self._same, key=numbers.__getitem__))
        new = [
            (number, tuple([tuple([row[position] for position in order_after]) for row in rows]))
            for number, rows in (parts[position] for position in order_after)
        ]
        return (tuple(new), tool, stops), order_after

    def _killed(self, parts, position):
        process = self._processes[parts[position][0]]
        if not self._watches or not any(file.slot is not None for file in process.files):
            closed = order.without(parts, position, self._dead)
            return self._closed(closed, position) if self._watches else closed
        # A watcher is told of the closing before the locks are gone.
        dying = Process(process.tickets, process.reads, process.files, dying=True)
        return self._closed(order.without(parts, position, self._number(dying)), position)

    def _stopped(self, parts, position):
        number, rows = parts[position]
        process = self._processes[number]
        if self._continues:
            stopped = process._replace(stopped=True)
        else:
            stopped, rows = self._settling.stopped(process), ((0,) * self._count,) * len(rows)
        new = list(parts)
        new[position] = self._number(stopped), rows
        return new

    def _closed(self, parts, gone):
        """Return the parts when the watchers among them have seen a closing."""
        new = []
        for position, (number, rows) in enumerate(parts):
            process = self._processes[number]
            if position != gone and False in process.watches:
                watches = tuple(None if seen is None else True for seen in process.watches)
                new.append((self._number(process._replace(watches=watches)), rows))
            else:
                new.append((number, rows))
        return new

    def _moves_of(self, number, others, tool):
        """Return what a process may do, where ``others`` have their locks."""
        process = self._processes[number]
        if process.stopped or process.dying:
            return []
        moves = []
        for thread, stands in enumerate(process.threads):
            if stands == ENDED:
                continue
            step, arguments = self._threads.asks_of(stands)
            made = [
                (result, became, self._goes_on(result))
                for result, became in self._results(process, others, tool, step, arguments)
            ]
            if self._settling.may_interrupt(process, thread):
                calm = process._replace(restless=process.restless - {thread})
                made.append((INTERRUPTED, calm, False))
            for result, became, hangs_on in made:
                events = [(step, arguments[0])] if step is own.ENTERS else []
                after = became
                if isinstance(became, Process):
                    if result == INTERRUPTED:
                        events = []
                    moved = self._settling.moved(became, thread, result)
                    after = self._settling.settled(moved, thread, events, others)
                    if isinstance(after, Process):
                        after = self._number(after)
                closes = self._watches and step.does == "close" and result != INTERRUPTED
                what = (thread, step, arguments, result, hangs_on, after, tuple(events), closes)
                moves.append(Move(*what))
        return moves

    def _goes_on(self, result):
        return result != LOOKS or self._looks

    def _results(self, process, others, tool, step, arguments):
        """Return what may come of a step, each with the process then; nothing if it sleeps."""
        if not callable(step.does):
            if isinstance(step.does, str) and hasattr(self._kernel, f"_{step.does}"):
                return self._kernel.call(step, arguments, process, others, tool)
            return [(None, process)]
        return [
            (result, shared and process._replace(shared=shared))
            for result, shared in step.does(process.shared, *arguments)
        ]

    def _after(self, parts, position, move):
        """Return the processes after a move, or what is wrong with the order of service."""
        for step, me, *told in move.events:
            if step is own.ENTERS:
                parts = order.begun(parts, self._processes, position, me)
                continue
            barged, was_in_line = told
            if step in (DECIDES, SERVED) and not barged and any(parts[position][1][me]):
                return OVERTAKES
            parts = order.ended(parts, self._processes, position, me, was_in_line)
        if move.after == self._dead:
            parts = order.without(parts, position, self._dead)
        else:
            parts = list(parts)
            parts[position] = move.after, parts[position][1]
        return self._closed(parts, position) if move.closes else parts

    def told(self, trace):
        """Return a trace in words."""
        names = [f"P{position}" for position in self.order]
        lines = []
        for taken, _ in trace:
            move = taken.move
            who = "tool" if taken.process < 0 else f"{names[taken.process]}.{move.thread}"
            told = "" if move.result is None else f": {move.result}"
            lines.append(f"{who} {move.step.what} {' '.join(map(str, move.arguments))}{told}")
            names = [names[position] for position in taken.order]
        return "\n".join(lines)
