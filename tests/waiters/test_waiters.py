"""Every kind of waiter in every plight, each in a process of its own."""

import pathlib
import subprocess
import sys

import kinds
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent

EVERYWHERE = (
    "served_in_order",
    "others_run_meanwhile",
    "timed_out",
    "timed_out_while_handed_over",
    "without_helpers",
    "gives_up_again_and_again",
)
CANCELLATIONS = ("cancelled_while_waiting", "cancelled_while_handed_over")


CASES = [(scenario, kind) for scenario in EVERYWHERE for kind in kinds.NAMES]
# a native thread cannot be cancelled; what a signal does to it is in test_signals.py
CASES += [(scenario, kind) for scenario in CANCELLATIONS for kind in kinds.NAMES[1:]]


@pytest.mark.parametrize("place", ["inside", "outside", "in-order"])
@pytest.mark.parametrize(("scenario", "kind"), CASES)
def test_scenario(scenario, kind, place, tmp_path):
    command = [sys.executable, "-W", "ignore", HERE / "scenarios.py", scenario, kind, place]
    done = subprocess.run(
        [*command, tmp_path / "locks"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
