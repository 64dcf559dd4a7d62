"""The steps of the model, and which line of the code each of them is.

A step is a system call, or a piece of Python that the code relies on as one step.  A program
(``program_*.py``) asks for the next step and is told its result.
"""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Step:
    """One step: what it does, and the one place in the code where it is done."""

    #: the name of a system call of the model's kernel, or a function of what the threads of a
    #: process share
    does: object
    #: in :mod:`lockutils`; empty for a step of the model alone
    file: str
    #: with its class
    function: str
    #: stands once in the function
    text: str
    what: str
    #: whether its process repeats what it did before, so that steps like this may form a cycle
    undoes: bool = False
    #: whether it waits for work that may never come
    parks: bool = False
    #: whether only its own acquisition reads or writes what it touches
    private: bool = False


SYSTEM = []
OWN = []


def call(does, file, function, text, what, **options):
    """Make a step that is a system call."""
    step = Step(does, file, function, text, what, **options)
    SYSTEM.append(step)
    return step


def own(file, function, text, what, **options):
    """Make a step from a function of what the threads of a process share.

    The function returns pairs of a result and what is shared then; none if the step waits.
    """

    def make(does):
        step = Step(does, file, function, text, what, **options)
        OWN.append(step)
        return step

    return make


def model_only(what, **options):
    """Make a step of a function that stands for code outside of the file backend."""

    def make(does):
        return Step(does, "", "", "", what, **options)

    return make


class Interrupt(BaseException):
    """What makes a waiter give up: a time-out, a cancellation, a signal handler that raises."""


# --- events, which take no time

#: the waiter keeps its ticket: whoever comes from now on comes later
LINED_UP = Step("lined up", "", "", "", "keeps its ticket")
#: the waiter takes the lock as the first in line, with the lowest ticket of its process
DECIDES = Step("decides", "", "", "", "takes the lock")
#: the caller has the lock
SERVED = Step("served", "", "", "", "is served")
#: the caller has stopped waiting
GONE = Step("gone", "", "", "", "has given up")
#: ``cancel()`` has returned
CANCELLED = Step("cancelled", "", "", "", "has cancelled")
EVENTS = (LINED_UP, DECIDES, SERVED, GONE, CANCELLED)
