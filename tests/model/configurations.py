"""What is searched: who comes, and how.

Run as a program, it searches the large ones, too, and prints how many states there are:

    python tests/model/configurations.py [NAME ...]
"""

import sys
import time

from explore import explore
from machine import Machine
from programs import Protocol

RING = 8


def _plain(tries=True, waits=True):
    """A process that waits as long as it takes; or does not wait."""
    return lambda program: (1, (program.plain, 0, tries, waits))


def _timed(times, tries=True):
    """A process with a waiter who may give up, and comes again, and with his helpers."""
    return lambda program: (
        times,
        (program.timed, 0, times - 1, tries),
        *((program.helper, number) for number in range(times)),
    )


def _threads(count):
    """A process with so many threads that wait."""
    return lambda program: (count, *((program.plain, number, False) for number in range(count)))


def _gives_up_before_another():
    """A process with a thread that may give up, and one behind it."""
    return lambda program: (
        2,
        (program.timed, 0, 0, False),
        (program.plain, 1, False),
        (program.helper, 0),
    )


#: by name: the processes; and options of the machine.  ``ticket``: one more process has this
#: number, and is about to let go of it.  ``tool``: another tool has the record lock.
SMALL = {
    "three processes": ([_plain()] * 3, {}),
    "three processes that meet a holder": ([_plain(False)] * 3, {"numbers": 4}),
    "two processes, numbers go round": ([_plain()] * 2, {"ticket": 6}),
    "two processes, another tool": ([_plain()] * 2, {"tool": True}),
    "two processes, and one that does not wait": ([_plain()] * 2 + [_plain(waits=False)], {}),
    "one that gives up": ([_timed(1, False), _plain(False)], {"numbers": 4}),
    "one that gives up, another tool": ([_timed(1)], {"tool": True}),
    "one that gives up twice": ([_timed(2, False)], {"ticket": 0, "numbers": 4}),
    "two threads, numbers go round": ([_threads(2)], {"ticket": 6, "numbers": 4}),
    "a thread behind one that gives up": (
        [_gives_up_before_another()],
        {"ticket": 0, "numbers": 2},
    ),
}
LARGE = {
    "three processes, numbers go round": ([_plain(False)] * 3, {"ticket": 6}),
    "three processes, another tool": ([_plain()] * 3, {"tool": True}),
    "one of three gives up": ([_timed(1, False), *[_plain(False)] * 2], {"numbers": 4}),
    "one of two gives up twice": ([_timed(2, False), _plain(False)], {"numbers": 4}),
    "two threads, another process": ([_threads(2), _plain(False)], {"numbers": 4}),
    "three threads, numbers go round": ([_threads(3)], {"ticket": 6, "numbers": 4}),
}
ALL = SMALL | LARGE

_OVERTAKES, _STUCK = "overtakes somebody who came before", "nobody goes on"
#: by what is left out of the protocol: where that is seen, with which options, and as what
CURES = {
    "a look at the queue before a try": ("three processes", {}, _OVERTAKES),
    "another look after waiting for one": ("three processes that meet a holder", {}, _OVERTAKES),
    "ticket dropped on giving up": ("one that gives up twice", {}, "something is left"),
    "a second look after an adopted wait": (
        "one of two gives up twice",
        {"numbers": 2},
        _OVERTAKES,
    ),
    "an end to taking over": ("one of two gives up twice", {"numbers": 2}, _OVERTAKES),
    "numbers behind what is slept for": ("one that gives up twice", {}, _STUCK),
    "a look that does not see who waits": ("one that gives up", {"numbers": 2}, "round and round"),
    "a number that is the newest of the process": (
        "two threads, numbers go round",
        {"ticket": 0},
        _STUCK,
    ),
    "no number that was exchanged before it was taken": (
        "two threads, another process",
        {"numbers": 2},
        _STUCK,
    ),
    "no exchange of what is given back": (
        "a thread behind one that gives up",
        {},
        "something is left",
    ),
    "unlock what was given back before it was taken": (
        "a thread behind one that gives up",
        {},
        "a ticket is left",
    ),
}
#: what is done for other reasons: without it, too, all that is looked at here is so
OTHER_REASONS = ("a second look after taking a number", "record lock before flock")


def machine(name, without=(), **changed):
    processes, options = ALL[name]
    protocol = Protocol(RING, without)
    return Machine(protocol, [process(protocol) for process in processes], **options | changed)


def main(names):
    for name in names or ALL:
        model = machine(name)
        start = time.process_time()
        found = explore(model)
        seconds = time.process_time() - start
        print(f"{name}: {found.states} states, {found.steps} steps, {seconds:.0f} s", flush=True)
        if found.wrong is not None:
            print(model.told(found.trace))
            sys.exit(found.wrong)


if __name__ == "__main__":
    main(sys.argv[1:])
