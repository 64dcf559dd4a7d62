"""Processes that run the programs.

A process may die between any two steps.  Between two system calls it does what it does at
once, as far as others can tell; only its own threads may come in between its steps of Python.
"""

from typing import NamedTuple

import errands
import shared as own
from calls import CLOSES_POST, UNLOCKS_FLOCK, UNLOCKS_RECORD
from kernel import DEAD, Kernel, Locks, Process
from steps import GONE, LINED_UP, SERVED, Step
from threads import ENDED, Threads

#: results of steps by which a waiter gives up
_GIVES_UP = ((own.TURN, False), (errands.END, False))


class Move(NamedTuple):
    """What a process may do, and what comes of it."""

    thread: int
    step: Step
    arguments: tuple
    result: object
    hangs_on: bool
    #: the number of the process then; ``None`` after a number too far round; or what is wrong
    after: int | str | None
    #: what counts for the order of service: each a step and the acquisition
    events: tuple


class Taken(NamedTuple):
    """A step that was taken."""

    hangs_on: bool
    undoes: bool
    #: whose it is, by the position in the state before; -1 for another tool
    process: int
    move: Move
    #: the positions of the processes, in their order in the state after
    order: tuple


_LETS_GO = Move(0, Step("tool", "", "", "", "lets go"), (), None, True, 0, ())
_CRASHES = Move(0, Step("crash", "", "", "", "is killed"), (), None, False, 0, ())


class Machine:
    """Processes, each with so many acquisitions and the programs of its threads.

    A state is a tuple of processes, sorted, and whether another tool has the record lock; or a
    string that says what is wrong; or ``None``, after a number too far round.  Each process is
    its number, and for each of its acquisitions the number of those in each other process that
    had their place before it began.
    """

    def __init__(self, protocol, processes, tool=False, ticket=None, numbers=5):
        """Make the initial state.

        :param processes: for each, the count of acquisitions, and programs with arguments
        :param tool: whether another tool has the record lock at first
        :param ticket: a number that one more process has at first, about to unlock it
        :param numbers: how many numbers may be used, from ``ticket`` or 0 on
        """
        self._kernel = Kernel(protocol.ring, ticket or 0, numbers)
        self._threads = Threads()
        self._numbers = {}
        self._processes = []
        self._locks = []  # by number of a process
        self._moves = {}
        self._count = len(processes) + (ticket is not None)
        self._same = tuple(range(self._count))
        #: steps that are left out, for numbers that would go too far round
        self.too_far = 0
        self._dead = self._number(DEAD)
        parts = []
        for count, *programs in processes:
            none = (None,) * count
            helped = any(program == protocol.helper for program, *_ in programs)
            shared = own.Shared(numbers=none, posts=none, errands=none, helped=helped)
            threads = tuple(self._threads.start(*program) for program in programs)
            process = Process(reads=none, shared=shared, threads=threads)
            parts.append((self._number(process), ((0,) * self._count,) * count))
        if ticket is not None:
            threads = (self._threads.start(protocol.leaving, ticket),)
            parts.append((self._number(Process(tickets=1 << ticket, threads=threads)), ()))
        self.initial, self.order = self._sorted(parts, tool)

    # --- what :func:`explore.explore` asks for

    def successors(self, state):
        if state is None or isinstance(state, str):
            return
        parts, tool = state
        if tool:
            after, order = self._sorted(parts, False)
            yield Taken(True, False, -1, _LETS_GO, order), after
        locks = [self._locks[number] for number, _ in parts]
        for position, (number, _) in enumerate(parts):
            if number == self._dead or (position and parts[position - 1] == parts[position]):
                continue  # the same as the one before can do the same
            others = (*locks[:position], *locks[position + 1 :])
            key = number, others, tool
            moves = self._moves.get(key)
            if moves is None:
                moves = self._moves[key] = self._moves_of(number, others, tool)
            for move in moves:
                order = self._same
                new = move.after
                if isinstance(new, int):
                    new = self._after(parts, position, move)
                    if not isinstance(new, str):
                        new, order = self._sorted(new, tool)
                yield Taken(move.hangs_on, move.step.undoes, position, move, order), new
            after, order = self._sorted(self._without(parts, position), tool)
            yield Taken(False, False, position, _CRASHES, order), after

    def wrong(self, state):
        if isinstance(state, str):
            return state
        holders = 0
        for number, _ in state[0] if state else ():
            for stands in self._processes[number].threads:
                if stands != ENDED and self._threads.asks_of(stands)[0] is SERVED:
                    holders += 1
        return "two hold at a time" if holders > 1 else None

    def is_end(self, state):
        return state is None or all(number == self._dead for number, _ in state[0])

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

    # --- states

    def _number(self, process):
        number = self._numbers.get(process)
        if number is None:
            number = self._numbers[process] = len(self._processes)
            self._processes.append(process)
            reads = frozenset(number for number in process.reads if number is not None)
            locks = Locks(process.tickets, reads, bool(process.flock), bool(process.record))
            self._locks.append(locks)
        return number

    def _sorted(self, parts, tool):
        order = tuple(sorted(self._same, key=lambda position: parts[position][0]))
        if order == self._same:
            return (tuple(parts), tool), order
        new = [
            (number, tuple([tuple([row[position] for position in order]) for row in rows]))
            for number, rows in (parts[position] for position in order)
        ]
        return (tuple(new), tool), order

    def _without(self, parts, gone):
        """Return the processes when one is dead, and owes nothing to others."""
        new = []
        for position, (number, rows) in enumerate(parts):
            if position == gone:
                new.append((self._dead, ()))
            else:
                none = tuple((*row[:gone], 0, *row[gone + 1 :]) for row in rows)
                new.append((number, none))
        return new

    def _moved(self, process, thread, result):
        threads = list(process.threads)
        threads[thread] = self._threads.after(threads[thread], result)
        return process._replace(threads=tuple(threads))

    def _moves_of(self, number, others, tool):
        """Return what a process may do, where ``others`` have their locks."""
        process = self._processes[number]
        moves = []
        for thread, stands in enumerate(process.threads):
            if stands == ENDED:
                continue
            step, arguments = self._threads.asks_of(stands)
            for result, became in self._results(process, others, tool, step, arguments):
                after = became
                hangs_on = (step, result) not in _GIVES_UP
                events = [(step, arguments[0])] if step is own.ENTERS else []
                if became is None:
                    self.too_far += 1
                elif not isinstance(became, str):
                    after = self._settled(self._moved(became, thread, result), thread, events)
                made = (thread, step, arguments, result, hangs_on, after, tuple(events))
                moves.append(Move(*made))
        return moves

    def _settled(self, process, thread, events):
        """Return the process after a step, and after all that nobody can tell from it."""
        while True:
            step, arguments = self._threads.asks_of(process.threads[thread])
            if step in (SERVED, GONE, LINED_UP):
                (me,) = arguments
                shared = process.shared
                in_line = me in shared.in_line
                if step is LINED_UP:
                    shared = shared._replace(in_line=shared.in_line | {me})
                else:
                    shared = shared._replace(in_line=shared.in_line - {me})
                    events.append((step, me, in_line))
                process = process._replace(shared=shared)
                if step is not SERVED:
                    process = self._moved(process, thread, None)
                    continue
            if self._changes_nothing(process, step, arguments):
                process = self._moved(process, thread, None)
                continue
            alone = self._alone(process, thread)
            if alone is None:
                break
            process, thread = alone
        if all(stands == ENDED or self._parked(process, stands) for stands in process.threads):
            shared = process.shared
            locks = process.tickets or process.flock or process.record
            if locks or shared.queue or shared.line or shared.users or shared.cell:
                return "something is left"
            return self._dead
        return self._number(process)

    def _after(self, parts, position, move):
        """Return the processes after a move, or what is wrong with the order of service."""
        if move.after == self._dead:
            return self._without(parts, position)
        parts = list(parts)
        rows = parts[position][1]
        parts[position] = move.after, rows
        for step, me, *in_line in move.events:
            if step is own.ENTERS:  # whoever has a place now is before this one
                before = tuple(
                    0 if other == position else len(self._processes[number].shared.in_line)
                    for other, (number, _) in enumerate(parts)
                )
                self._set_before(parts, position, me, before)
                continue
            if step is SERVED and any(parts[position][1][me]):
                return "overtakes somebody who came before"
            self._set_before(parts, position, me, (0,) * self._count)
            if in_line == [True]:
                self._is_out(parts, position)
        return parts

    def _set_before(self, parts, position, me, before):
        number, rows = parts[position]
        parts[position] = number, (*rows[:me], before, *rows[me + 1 :])

    def _is_out(self, parts, gone):
        """One of a process does not have its place any more."""
        for position, (number, rows) in enumerate(parts):
            if any(row[gone] for row in rows):
                less = tuple((*row[:gone], max(0, row[gone] - 1), *row[gone + 1 :]) for row in rows)
                parts[position] = number, less

    def _alone(self, process, thread):
        """Take a step of Python that no other thread of the process could see.

        :param thread: the one that has just taken a step
        :return: the process then, and the thread; ``None`` if there is no such step
        """
        step, arguments = self._threads.asks_of(process.threads[thread])
        if not _is_alone(step, process.shared, arguments):
            live = [
                one
                for one, stands in enumerate(process.threads)
                if stands != ENDED and not self._parked(process, stands)
            ]
            if len(live) != 1:
                return None
            (thread,) = live
            step, arguments = self._threads.asks_of(process.threads[thread])
        if step is None or not callable(step.does) or step is own.ENTERS:
            return None
        results = step.does(process.shared, *arguments)
        if len(results) != 1 or (step, results[0][0]) in _GIVES_UP:
            return None
        ((result, shared),) = results
        return self._moved(process._replace(shared=shared), thread, result), thread

    def _changes_nothing(self, process, step, arguments):
        """Whether a step unlocks what is not locked, on a descriptor that nobody else uses."""
        if step is CLOSES_POST:
            return process.reads[arguments[0]] is None
        if step is UNLOCKS_RECORD:
            return arguments[0] not in process.record
        return step is UNLOCKS_FLOCK and arguments[0] not in process.flock

    def _results(self, process, others, tool, step, arguments):
        """Return what may come of a step, each with the process then; nothing if it sleeps."""
        if not callable(step.does):
            return self._kernel.call(step, arguments, process, others, tool)
        return [
            (result, process._replace(shared=shared))
            for result, shared in step.does(process.shared, *arguments)
        ]

    def _parked(self, process, stands):
        step, arguments = self._threads.asks_of(stands)
        return step.parks and not step.does(process.shared, *arguments)


#: steps on what no other thread has to do with, unless it is a helper
_OF_ONE = (
    own.TICKET,
    own.NOW_TICKET,
    own.MAY_TRY,
    own.SERVED_TICKET,
    own.ENDS_FOR,
    own.HAS_NO_TICKET,
)


def _is_alone(step, shared, arguments):
    """Whether it makes no difference to other threads of the process when a step is taken."""
    if step in (own.IS_FIRST_INSIDE, own.HAS_TICKET, errands.STARTS):
        return True
    if step is own.TURN:  # who is first stays so
        return shared.queue[0] == arguments[0]
    return not shared.helped and step in _OF_ONE
