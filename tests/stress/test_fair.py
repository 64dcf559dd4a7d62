"""Strict order, while processes die at any instant."""

import pathlib
import random
import subprocess
import sys

from lock_peers import kill_at_any_instant

HERE = pathlib.Path(__file__).parent
PROCESSES = 6
KILLS = 40


def test_nobody_overtakes_or_waits_for_the_dead(tmp_path):
    def start():
        return subprocess.Popen(
            [sys.executable, HERE / "fair_worker.py", tmp_path / "locks", tmp_path / "witness"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(HERE.parent.parent), "PATH": "/usr/bin:/bin"},
        )

    chance = random.Random(0)
    workers = [start() for _ in range(PROCESSES)]
    killed = kill_at_any_instant(workers, start, KILLS, chance)
    for worker in workers:
        assert worker.stdout.readline() == "enough\n"
    for worker in workers:
        worker.stdin.close()
    reports = [worker.stdout.read().split() for worker in workers]
    assert [worker.wait(60) for worker in workers] == [0] * PROCESSES

    assert killed.replace("enough\n", "") == ""
    assert all(len(report) == 2 for report in reports), reports
    assert sum(int(tickets) for _, tickets in reports) > 100
