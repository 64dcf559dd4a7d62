"""Every kind of waiter in every one of four processes, all on one external lock."""

import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
PROCESSES = 4
TURNS = 40  # of each of the 24 or 32 waiters of each process


def finish(worker):
    output, trouble = worker.communicate(timeout=100)
    assert worker.returncode == 0, trouble
    return json.loads(output)


@pytest.mark.parametrize("flavour", ["plain", "eventlet", "gevent"])
def test_never_two_inside(flavour, tmp_path):
    """Threads, greenthreads, and tasks of two loops, with time-outs and cancellations.

    Each holder writes to a file and reads it back.  At the end each process acquires once
    more, which shows that nobody was left holding or first in line.
    """
    workers = [
        subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", HERE / "mixed_worker.py", flavour),
                *(tmp_path / "locks", tmp_path / "witness", str(TURNS), str(seed)),
            ],
            env={"PYTHONPATH": str(HERE.parent.parent), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(PROCESSES)
    ]
    try:
        reports = [finish(worker) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    waiters = 32 if flavour == "plain" else 24
    if "t" in sys.abiflags:  # without greenthreads
        waiters = 16
    for report in reports:
        assert report["errors"] == []
        results = report["results"]
        assert results.pop("overlap", 0) == 0
        assert sum(results.values()) == waiters * TURNS
        assert results["done"] > 0
