"""Readers, writers and slots, while processes die at any instant."""

import pathlib
import random
import subprocess
import sys

from lock_peers import kill_at_any_instant

HERE = pathlib.Path(__file__).parent
PROCESSES = 5
KILLS = 30
SLOTS = 3


def test_never_too_many_inside(tmp_path):
    def start():
        return subprocess.Popen(
            [sys.executable, HERE / "sharing_worker.py", tmp_path / "locks", tmp_path / "log"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(HERE.parent.parent), "PATH": "/usr/bin:/bin"},
        )

    chance = random.Random(0)
    workers = [start() for _ in range(PROCESSES)]
    kill_at_any_instant(workers, start, KILLS, chance)
    for worker in workers:
        worker.stdin.close()
    for worker in workers:
        trouble = worker.stderr.read()
        assert worker.wait(60) == 0, trouble
        assert trouble == ""

    turns = replay((tmp_path / "log").read_text().splitlines())
    assert all(turns[how] > 20 for how in ("reader", "writer", "slots")), turns


def replay(lines):
    """Fail if the log has too many inside at once; return how many turns there were of each."""
    # One that was killed inside has no end.  When it left is not in the log: it does not count.
    ended = {me for event, _, me in map(str.split, lines) if event == "END"}
    inside = {"reader": 0, "writer": 0, "slots": 0}
    turns = dict(inside)
    together = 0
    for line in lines:
        event, how, me = line.split()
        if me not in ended:
            continue
        if event == "END":
            inside[how] -= 1
            continue
        inside[how] += 1
        turns[how] += 1
        together = max(together, inside["reader"])
        assert inside["writer"] <= (0 if inside["reader"] else 1), line
        assert inside["slots"] <= SLOTS, line
    assert together > 1  # readers do share
    return turns
