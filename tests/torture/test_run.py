"""A short run of the harness; and that it fails where locks are broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: what is broken, what that is found as, with which options, and how to break it
BROKEN = {
    "locks of files that exclude nobody": (
        "overlaps",
        [],
        """
from lockutils.backends.file import syscalls
syscalls.flock = lambda *_: None
syscalls._fcntl = lambda *_: syscalls._UNLOCK
""",
    ),
    "waiters that are not woken": (
        "wedges",
        [],
        """
from lockutils.local.wait_queue import WaitQueue
WaitQueue.wake = lambda *_: True
""",
    ),
    "descriptors that stay open": (
        "leaks",
        [],
        """
from lockutils.backends.file import syscalls
syscalls._close = lambda _: None
""",
    ),
    "turns that are taken twice": (
        "overlaps",
        ["--modes", "internal"],
        """
from lockutils.local.waiters import Waiter
Waiter.is_next = lambda *_: True
""",
    ),
    "an error of a wrong type": (
        "errors",
        [],
        """
from lockutils.front.handle import Lock
Lock._failure = lambda *_: TypeError()
""",
    ),
}


def torture(tmp_path, *options, path=""):
    """Run it; return its verdict, and what it printed."""
    run = [sys.executable, "-m", "chaos", "--directory", tmp_path, "--json", tmp_path / "verdict"]
    python_path = os.pathsep.join(filter(None, [path, str(ROOT / "scripts"), str(ROOT)]))
    done = subprocess.run(
        [*run, *options],
        env={**os.environ, "PYTHONPATH": python_path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert (tmp_path / "verdict").exists(), done.stdout
    verdict = json.loads((tmp_path / "verdict").read_text())
    is_good = not any(verdict[what] for what in ("overlaps", "wedges", "leaks", "errors"))
    assert done.returncode == (0 if is_good else 1), done.stdout
    return verdict, done.stdout


def test_a_short_run(tmp_path):
    verdict, printed = torture(tmp_path, "--time", "8", "--seed", "short", "--bound", "60")

    assert verdict["overlaps"] == verdict["wedges"] == [], printed
    assert verdict["leaks"] == verdict["errors"] == [], printed
    assert verdict["turns"] > 100
    for fault in ("kill", "stop", "interrupt", "fork", "clean", "tamper", "cancel"):
        assert verdict["faults"][fault], fault
    assert os.listdir(tmp_path) == ["verdict"]  # of a good run nothing is kept


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_lock_is_found(what, tmp_path):
    kind, more, cut = BROKEN[what]
    (tmp_path / "sitecustomize.py").write_text(cut)
    options = ["--seed", "broken", "--kinds", "threads", "--bound", "2", "--keys", "x"]
    options += ["--faults", "end", "--turns", "300", *more]

    verdict, printed = torture(tmp_path, *options, path=str(tmp_path))

    assert verdict[kind], printed


def test_the_dice_fall_alike_for_one_seed(tmp_path):
    plans = """
import random
from chaos.keys import KINDS
from chaos.turns import MODES, draw
for actor in "ab":
    chance = random.Random(f"seed {actor}")
    for _ in range(50):
        print(draw(chance, MODES, "".join(KINDS)))
"""
    printed = {
        subprocess.run(
            [sys.executable, "-c", plans],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1
