"""The steps of the model, and which line of the code each of them is.

A step is a system call, or a piece of Python that the code has as "one step".  A program (see
``programs.py``) says which one comes next, and is told what came of it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Step:
    """One step: what it does, and the one place in the code where it is done."""

    #: what the machine does for it: the name of a system call, or a function of what the
    #: threads of the process share
    does: object
    #: in :mod:`lockutils`
    file: str
    #: with its class
    function: str
    #: stands once in the function
    text: str
    what: str
    #: whether it takes back what its process did before, so that it has to be done again
    undoes: bool = False
    #: whether it waits for work that may never come
    parks: bool = False


SYSTEM = []
OWN = []


def call(does, file, function, text, what, **options):
    """Make the step that is a system call."""
    step = Step(does, file, function, text, what, **options)
    SYSTEM.append(step)
    return step


def own(file, function, text, what, **options):
    """Make a step of a function of what the threads of a process share.

    That returns pairs of a result, and what is shared then; none if the step has to wait.
    """

    def make(does):
        step = Step(does, file, function, text, what, **options)
        OWN.append(step)
        return step

    return make


# --- for the model alone

#: the waiter has taken its ticket: who comes from now on comes later
LINED_UP = Step("lined up", "", "", "", "has its place")
#: the caller has the lock
SERVED = Step("served", "", "", "", "is served")
#: the caller has stopped waiting
GONE = Step("gone", "", "", "", "has given up")
