"""Lets other threads run at random opcodes of a package.

A debugger, a tracer or an interpreter without the GIL switches threads between any two opcodes.
CPython with the GIL hardly ever does.  Here a thread pauses at an opcode chosen at random and
hands over: it goes on when the other threads have run some opcodes of the package, or after an
instant, because they may all wait for what this thread has.  The thread that ran the last of
those opcodes often pauses in its turn.  So two threads alternate in small steps.

Each thread draws from a generator of its own, made from the seed and the order in which the
threads ran their first opcode.  The kernel still has a say in what happens between the pauses,
so a seed repeats the choices, not always their outcome.
"""

import _thread
import itertools
import os
import random
import sys
import threading

#: how many opcodes others run during one pause, on average
STEPS = 12
#: how often the one that ran the last of them pauses, too
CHAIN = 0.5
#: seconds until a pause ends by itself; and one in so many pauses is a long one
SHORT, LONG, LONG_ONE_IN = 0.0003, 0.005, 60

_TOOL = 4  # of sys.monitoring; the others have names there


class _Pause:
    """A thread that has stopped between two opcodes."""

    __slots__ = ("steps", "thread", "until_over")

    def __init__(self, steps):
        self.thread = _thread.get_ident()
        self.steps = steps
        self.until_over = _thread.allocate_lock()
        self.until_over.acquire()


class Preemption:
    """Pauses threads in code below ``folder``.

    :param chance: of a pause, at each opcode
    """

    def __init__(self, folder, seed, chance):
        self._folder = folder
        self._seed = seed
        self._chance = chance
        self._mine = _local()
        self._numbers = itertools.count()
        #: the one that pauses, if any.  Two threads may write at once: the loser's pause then
        #: ends by itself.
        self._pause = None
        self.pauses = 0

    def start(self):
        """To be called before the package is imported, which may start threads of its own."""
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            self._trace()

    def stop(self):
        self._chance = 0.0

    # --- where the interpreter calls us

    def _monitor(self):
        """In all threads, however they were started."""
        monitoring = sys.monitoring
        monitoring.use_tool_id(_TOOL, "lockutils preemption")
        folder, events, process = self._folder, monitoring.events, os.getpid()

        def at_start(code, _):
            if os.getpid() != process:
                # CPython 3.13t stops in such calls for ever if another thread was in one at a fork
                return None
            if code.co_filename.startswith(folder):
                monitoring.set_local_events(_TOOL, code, events.INSTRUCTION)
            return monitoring.DISABLE

        def at_opcode(code, offset):
            self.at_opcode()

        monitoring.register_callback(_TOOL, events.PY_START, at_start)
        monitoring.register_callback(_TOOL, events.INSTRUCTION, at_opcode)
        monitoring.set_events(_TOOL, events.PY_START)

    def _trace(self):
        """``threading.settrace`` does not reach those that ``_thread`` starts."""
        folder, at_opcode = self._folder, self.at_opcode

        def local(frame, event, _):
            if event == "opcode":
                at_opcode()
            return local

        def trace(frame, *_):
            if not frame.f_code.co_filename.startswith(folder):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            return local

        start_new_thread = _thread.start_new_thread

        def start_traced(function, args, kwargs=None):
            def body():
                sys.settrace(trace)
                function(*args, **(kwargs or {}))

            return start_new_thread(body, ())

        # what is looked for there must be found: the original, not one that somebody patched in
        start_traced.__module__ = "_thread"
        _thread.start_new_thread = threading._start_new_thread = start_traced
        sys.settrace(trace)

    # --- what is done then

    def at_opcode(self):
        mine = self._mine
        try:
            random_number = mine.random()
        except AttributeError:
            random_number = self._meet_thread()
        pause = self._pause
        if pause is not None and pause.thread != mine.ident:
            pause.steps -= 1
            if pause.steps <= 0:
                self._pause = None
                _end(pause)
                if mine.random() < CHAIN:
                    self._stop_here(mine)
                    return
        if random_number < self._chance:
            self._stop_here(mine)

    def _meet_thread(self):
        chance = random.Random(f"{self._seed} {next(self._numbers)}")
        self._mine.ident = _thread.get_ident()
        self._mine.chance = chance
        self._mine.random = chance.random
        return chance.random()

    def _stop_here(self, mine):
        pause = _Pause(1 + int(mine.chance.expovariate(1 / STEPS)))
        self._pause = pause
        self.pauses += 1
        limit = LONG if mine.chance.randrange(LONG_ONE_IN) == 0 else SHORT
        pause.until_over.acquire(True, limit)
        if self._pause is pause:
            self._pause = None


def _end(pause):
    try:
        pause.until_over.release()
    except RuntimeError:
        pass  # two threads ran its last opcode


_local = _thread._local
