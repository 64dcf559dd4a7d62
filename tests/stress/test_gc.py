"""Processes lock, wait and die at any instant while ``lockutils gc`` runs all the time."""

import collections
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest
from lock_peers import WATCHDOG, kill_at_any_instant

import lockutils

HERE = pathlib.Path(__file__).parent
ENVIRONMENT = {"PYTHONPATH": str(HERE.parent.parent), "PATH": "/usr/bin:/bin"}
PROCESSES = 8
KILLS = 40
SLOTS = 3
#: of the file of a lock that one process tries
REMOVALS = 200

#: ``lockutils gc``, again and again until stdin closes; prints how many files it has removed
CLEANER = """
import io, select, sys
from lockutils.cli import gc
removed = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    out, sys.stdout = sys.stdout, io.StringIO()
    status = gc.gc(["--yes", sys.argv[1]])
    text, sys.stdout = sys.stdout.getvalue(), out
    assert status == 0, status
    removed += int(text.split()[1])
print(removed)
"""


def start(*words):
    return subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def test_nobody_meets_nobody_hangs_nobody_fails(tmp_path):
    locks, inside = tmp_path / "locks", tmp_path / "inside"
    locks.mkdir()
    inside.mkdir()

    def worker():
        return start(HERE / "gc_worker.py", locks, tmp_path / "log", inside)

    cleaners = [start("-c", CLEANER, locks) for _ in range(2)]
    workers = [worker() for _ in range(PROCESSES)]
    kill_at_any_instant(workers, worker, KILLS, random.Random(0))
    for process in workers:
        process.stdin.close()
    for process in workers:
        trouble = process.stderr.read()
        assert process.wait(WATCHDOG) == 0, trouble
        assert trouble == ""
    removed = [process.communicate()[0] for process in cleaners]

    assert all(process.returncode == 0 for process in cleaners)
    assert sum(map(int, removed)) > 20, removed
    turns = replay((tmp_path / "log").read_text().splitlines())
    assert all(turns[how] > 20 for how in ("reader", "writer", "slots")), turns


@pytest.mark.parametrize(
    "how", [{}, {"shared": True}, {"slots": 2}, {"fair": True}, {"timeout": 0}], ids=str
)
def test_a_single_try_of_a_lock_that_nobody_uses_never_fails(tmp_path, how):
    cleaners = [start("-c", CLEANER, tmp_path) for _ in range(2)]
    lock = lockutils.lock("name", external=True, lock_path=tmp_path, **how)
    tries = made = failed = 0
    deadline = time.monotonic() + WATCHDOG
    while made < REMOVALS:
        assert time.monotonic() < deadline, f"removed {made} times only"
        made += not (tmp_path / "name").exists()
        if lock.acquire(*(() if "timeout" in how else (False,))):
            lock.release()
        else:
            failed += 1
        tries += 1
        os.sched_yield()  # the cleaners are to have their turn
    for process in cleaners:
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert failed == 0, f"of {tries} tries"


def replay(lines):
    """Fail if the log has too many inside at once; return how many turns there were of each."""
    # One that was killed inside has no end.  When it left is not in the log: it does not count.
    ended = {me for event, _, _, me in map(str.split, lines) if event == "END"}
    inside, turns = collections.Counter(), collections.Counter()
    for line in lines:
        event, name, how, me = line.split()
        if me not in ended:
            continue
        inside[name, how] += 1 if event == "BEGIN" else -1
        turns[how] += event == "BEGIN"
        if event == "BEGIN":
            assert inside[name, "writer"] <= (0 if inside[name, "reader"] else 1), line
            assert inside[name, "slots"] <= SLOTS, line
    return turns
