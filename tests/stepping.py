"""Something that happens at each instruction of a call, one instruction after the other.

So does what a signal handler or a finaliser does: they run between any two instructions.
"""

import dis
import os
import sys

import lockutils

PACKAGE = os.path.dirname(lockutils.__file__)


class Stepping:
    """While it is entered, ``happen`` is called once: before the ``number``-th instruction.

    Counted are the instructions of our own modules in the thread that enters it.

    :param happen: may raise, as a signal handler may
    :param modules: where the files of those modules are
    :param only_handlers: whether only those instructions count before which CPython runs signal
        handlers: after a call, at the entry of a function, and after a jump back
    """

    def __init__(self, number, happen, modules=PACKAGE, *, only_handlers=False):
        self._left = number
        self._happen = happen
        self._modules = modules
        self._only_handlers = only_handlers
        self._last = {}
        #: file and line
        self.where = ""

    @property
    def happened(self):
        return self._left <= 0

    def __enter__(self):
        self._before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # Python 3.12 takes no notice of the first one
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)

    def _trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(self._modules):
            return None
        if event == "call":
            frame.f_trace = self._trace  # first: Python 3.13 takes notice of the next only then
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        if event == "opcode" and self._counts(frame):
            self._left -= 1
            if self._left == 0:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                self._happen()
        return self._trace

    def _counts(self, frame):
        if not self._only_handlers:
            return True
        before = self._last.get(frame)
        self._last[frame] = frame.f_lasti
        name = "RESUME" if before is None else dis.opname[frame.f_code.co_code[before]]
        return name.startswith(("RESUME", "CALL", "JUMP_BACKWARD", "JUMP_ABSOLUTE"))


def each_step(happen, modules=PACKAGE, *, only_handlers=False):
    """Yield one :class:`Stepping` for each instruction, until one is not reached."""
    number = 0
    while True:
        number += 1
        stepping = Stepping(number, happen, modules, only_handlers=only_handlers)
        yield stepping
        if not stepping.happened:
            return
