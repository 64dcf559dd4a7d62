"""Preempts lockutils at random opcodes, by hand:

    python tests/preempt/run.py --mode fair --place external --seed 5 --seconds 60

Without --mode all of them are run.  See preemption.py for what happens at an opcode, modes.py
for what the threads do.  A run fails if a call raises what it must not, if two holders meet, if
somebody waits for ever, or if a lock is not free at the end.
"""

import argparse
import collections
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from modes import MODES, NEEDS  # noqa: E402

#: of a pause, at each opcode
CHANCE = 0.01
WATCHDOG = 60.0


def cases():
    """Each mode with each place, where what it needs is installed."""
    return [
        (mode, place)
        for mode, kind in MODES.items()
        for place in kind.PLACES
        if mode not in NEEDS or importlib.util.find_spec(NEEDS[mode])
    ]


def run(mode, place, seed, seconds, chance=CHANCE):
    """Run one mode; return how many turns were taken and what went wrong, a text each."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        log.touch()
        count = 2 if place == "two processes" else 1
        how = str(seconds), str(chance), f"{folder}/locks", log
        workers = [
            subprocess.Popen(
                [sys.executable, HERE / "worker.py", mode, place, f"{seed}.{number}", *how],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
            )
            for number in range(count)
        ]
        # They watch themselves; this is for one that cannot even do that.
        watchdog = threading.Timer(seconds + WATCHDOG, _kill, (workers,))
        watchdog.start()
        problems, turns = [], 0
        try:
            for worker in workers:
                worker.stdout.readline()  # "over", or its end
            for worker in workers:
                report, problem = _end_of(worker)
                turns += report.get("turns", 0)
                problems += problem
        finally:
            watchdog.cancel()
            _kill(workers)
            for worker in workers:
                worker.wait()
        return turns, problems + overlaps(log.read_text().splitlines())


def _kill(workers):
    for worker in workers:
        worker.kill()


def _end_of(worker):
    output, messages = worker.communicate("\n")
    problems = []
    report = {}
    if worker.returncode or messages.strip():
        problems.append(f"exit status {worker.returncode}\n{messages}")
    else:
        report = json.loads(output)
        if not report["pauses"]:
            problems.append("no thread was preempted")
    for name, count in report.get("errors", {}).items():
        problems.append(f"{count} times: {name}\n{report['tracebacks'][name]}")
    return report, problems


def overlaps(log):
    """Return the lines of the log at which somebody is inside who must not be."""
    inside = collections.defaultdict(list)
    found = []
    for line in log:
        event, key, kind = line.split()
        others = inside[key]
        if event == "END":
            others.remove(kind)
            continue
        others.append(kind)
        if not may_hold_together(others):
            found.append(f"overlap at {key}: {others}")
    return found[:5]


def may_hold_together(kinds):
    if len(kinds) == 1:
        return True
    return set(kinds) == {"s"} or kinds == ["2", "2"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--place", choices=["in-process", "external", "two processes"])
    parser.add_argument("--external", dest="place", action="store_const", const="external")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--chance", type=float, default=CHANCE, help="of a pause, at each opcode")
    options = parser.parse_args()
    failed = False
    for mode, place in cases():
        if (options.mode and mode not in options.mode) or options.place not in (None, place):
            continue
        turns, problems = run(mode, place, options.seed, options.seconds, options.chance)
        failed = failed or bool(problems)
        verdict = "FAILED" if problems else "ok"
        print(f"{mode}, {place}, seed {options.seed}: {turns} turns, {verdict}", flush=True)
        for problem in problems:
            print(problem, flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
