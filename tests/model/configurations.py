"""What is searched: who comes, and how.

Run as a program, it searches the large ones, too, and prints how many states there are:

    python tests/model/configurations.py [NAME ...]

Without a name it searches all, and writes ``STATES.rst``.
"""

import sys
import time

from explore import explore
from machine import Machine
from mapping import STATES, states_row
from program_request import DEFAULT, FAIR, READER, SLOT
from programs import Protocol
from setups import comes, helped, in_line, threads

_FOUR = [DEFAULT] * 4
_HELD = {"tries": False}


def _line(*modes, gives_up=False):
    return [in_line(number, mode, gives_up) for number, mode in enumerate(modes)]


#: by name: the processes, and options of the machine
SMALL = {
    "three, default": ([comes(DEFAULT)] * 3, {}),
    "three, fair": ([comes(FAIR)] * 3, {}),
    "default and fair": ([comes(DEFAULT), comes(FAIR), comes(DEFAULT)], {}),
    "three that find it held": ([comes(FAIR, **_HELD)] * 3, {"numbers": 4}),
    "numbers go round": ([comes(DEFAULT), comes(FAIR)], {"ticket": 14}),
    "readers and a writer": ([comes(READER), comes(DEFAULT), comes(READER)], {}),
    "readers and writers in line": (_line(READER, DEFAULT, READER, FAIR), {}),
    "two that come twice": ([comes(DEFAULT, 2)] * 2, {}),
    "one that does not wait": ([comes(DEFAULT, waits=False), comes(DEFAULT), comes(FAIR)], {}),
    "another tool": ([comes(DEFAULT), comes(READER)], {"tool": True}),
    "another tool, all may give up": (
        [comes(DEFAULT, gives_up=True), comes(READER, gives_up=True)],
        {"tool": True},
    ),
    "slots": ([comes(SLOT)] * 3, {"crashes": False}),
    "slots, and crashes": ([comes(SLOT)] * 3, {"looks": True}),
    "four for two slots": (_line(*[SLOT] * 4), {"crashes": False}),
    "all may give up": (_line(DEFAULT, FAIR, DEFAULT, gives_up=True), {}),
    "slots, all may give up": (_line(*[SLOT] * 3, gives_up=True), {"crashes": False}),
    "two of three may give up": (
        [comes(DEFAULT, gives_up=True), comes(FAIR, gives_up=True), comes(FAIR)],
        {"numbers": 4},
    ),
    "two of three are stopped": (_line(*_FOUR[:3]), {"stops": 2}),
    "the first of four is stopped, and two more": (
        [in_line(0, DEFAULT, stopped=True), *_line(*_FOUR)[1:]],
        {"stops": 2, "crashes": False},
    ),
    "cannot be called back, behind a stopped one": (
        [in_line(0, DEFAULT, stopped=True), helped(DEFAULT, tries=True, callable=False)],
        {"looks": True},
    ),
    "a stopped one goes on": (_line(*_FOUR[:3]), {"stops": 1, "continues": True}),
    "one is stopped, in strict order": (_line(DEFAULT, FAIR, DEFAULT), {"stops": 1}),
    "two threads, both may give up": (
        [threads(FAIR, FAIR, gives_up=(0, 1)), in_line(0, FAIR)],
        {"numbers": 3, "crashes": False},
    ),
    "a helper that is called back": ([helped(FAIR), comes(DEFAULT)], {}),
    "a helper that is slow": ([helped(FAIR, patient=False), comes(DEFAULT)], {}),
    "a helper that cannot be called back": ([helped(FAIR, callable=False), comes(DEFAULT)], {}),
    "two threads": ([threads(FAIR, FAIR), comes(FAIR, **_HELD)], {"numbers": 3}),
    "a default thread before a fair one": (
        [threads(DEFAULT, FAIR), in_line(0, DEFAULT)],
        {"numbers": 3},
    ),
    "three threads": ([threads(FAIR, FAIR, FAIR)], {"numbers": 3}),
}
LARGE = {
    "two threads, default and fair, and a default one": (
        [threads(DEFAULT, FAIR), comes(DEFAULT, **_HELD)],
        {"numbers": 3},
    ),
    "three default ones that find it held": ([comes(DEFAULT, **_HELD)] * 3, {}),
    "two that come twice, and a fair one": ([comes(DEFAULT, 2)] * 2 + [comes(FAIR)], {}),
    "one of three may give up": (
        [comes(FAIR, gives_up=True, **_HELD), comes(DEFAULT), comes(FAIR)],
        {},
    ),
    "four in line may give up": (_line(DEFAULT, FAIR, DEFAULT, READER, gives_up=True), {}),
    "three of four are stopped": (_line(*_FOUR), {"stops": 3, "crashes": False}),
    "two of four are stopped": (_line(*_FOUR), {"stops": 2}),
    "two of five are stopped": (_line(*_FOUR, DEFAULT), {"stops": 2, "crashes": False}),
    "one of three that come is stopped": ([comes(DEFAULT, **_HELD)] * 3, {"stops": 1}),
    "slots, one is stopped": ([comes(SLOT)] * 3, {"stops": 1}),
    "two threads, default and fair": (
        [threads(DEFAULT, FAIR, gives_up=(1,)), comes(FAIR, **_HELD)],
        {"numbers": 3},
    ),
    "three threads, one may give up": (
        [threads(FAIR, FAIR, FAIR, gives_up=(2,))],
        {"numbers": 3},
    ),
    "two readers of a process": ([threads(READER, READER), in_line(0, FAIR)], {"numbers": 4}),
    "a helper, twice": ([helped(FAIR, 2), comes(DEFAULT)], {}),
    "a slow helper, twice": ([helped(FAIR, 2, patient=False), comes(DEFAULT)], {"numbers": 4}),
    "a helper that cannot be called back, twice": (
        [helped(FAIR, 2, callable=False), comes(DEFAULT)],
        {"numbers": 4},
    ),
    "a helper for a slot": ([helped(SLOT), *[comes(SLOT)] * 2], {"crashes": False}),
}
ALL = SMALL | LARGE

_OVERTAKES = "overtakes somebody who came before"
_STUCK, _LOST = "nobody goes on", "no end can be reached"
_LEFT, _LEFT_BEHIND = "something is left", "something is left after a cancellation"
#: by what is left out of the protocol: where that is seen, and as what
CURES = {
    "a look at the queue before a try": ("three, fair", _OVERTAKES),
    "a look after a number is locked": ("three that find it held", _OVERTAKES),
    "a look at its own after a number is noted": (
        "two threads",
        "a ticket is turned into a read lock",
    ),
    "a look after each sleep": ("readers and writers in line", _OVERTAKES),
    "a look that does not see who waits": ("two of three are stopped", _LOST),
    "a last look after a ticket was taken along": ("two threads", _OVERTAKES),
    "nobody passes the strict": ("readers and writers in line", _OVERTAKES),
    "two at the lock file": ("two of three are stopped", "three sleep on the lock file"),
    "the look of the second in line": ("two of three are stopped", _STUCK),
    "the look of the third in line": ("two of three are stopped", _STUCK),
    "the look of those behind the third": ("the first of four is stopped, and two more", _STUCK),
    "a try of those behind the third": ("the first of four is stopped, and two more", _LOST),
    "a second at the file that has no timer": (
        "cannot be called back, behind a stopped one",
        _STUCK,
    ),
    "a watch before the try": ("slots", _STUCK),
    "a ticket is given back on giving up": ("all may give up", _LEFT_BEHIND),
    "a mark to publish by": ("a helper that is slow", _LEFT),
    "a wait until the helper has left": ("a helper that is called back", _LEFT_BEHIND),
    "a wait for a helper that has published": ("a helper that cannot be called back", _LEFT),
    "a place that is given back before the helper has left": (
        "a slow helper, twice",
        _OVERTAKES,
    ),
}
#: what is done for other reasons: without it, too, all that is looked at here is so
OTHER_REASONS = {
    "the record lock before the flock": "three, default",
    "a second that leaves the free lock to the first": "two of three are stopped",
    "numbers behind those of late": "two threads, both may give up",
    "a claim that is beyond all others": "two threads, both may give up",
}


def machine(name, without=(), **changed):
    setups, options = ALL[name]
    return Machine(Protocol(without=without), setups, **options | changed)


_HEAD = """\
What was searched
=================

Written by ``python tests/model/configurations.py``.  The tests search those that come first.

.. list-table::
   :header-rows: 1

   * - Who comes
     - States
     - Steps
"""


def main(names):
    rows = []
    for name in names or ALL:
        model = machine(name)
        start = time.process_time()
        found = explore(model)
        seconds = time.process_time() - start
        print(f"{name}: {found.states} states, {found.steps} steps, {seconds:.0f} s", flush=True)
        if found.wrong is not None:
            print(model.told(found.trace))
            sys.exit(found.wrong)
        rows.append(states_row(name, found))
    if not names:
        STATES.write_text(_HEAD + "".join(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
