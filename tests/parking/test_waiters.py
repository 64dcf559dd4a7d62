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


# where others in the queue hold, too
TOGETHER = [("come_in_together", kind) for kind in kinds.NAMES]
TOGETHER += [
    (scenario, kind)
    for scenario, kind in CASES
    if scenario.endswith(("_while_handed_over", "_helpers", "_again"))
]


@pytest.mark.parametrize("place", ["inside", "outside", "in-order"])
@pytest.mark.parametrize(("scenario", "kind"), CASES)
def test_scenario(scenario, kind, place, tmp_path):
    run(scenario, kind, place, "exclusive", tmp_path)


@pytest.mark.parametrize("mode", ["readers", "slots"])
@pytest.mark.parametrize("place", ["inside", "outside"])
@pytest.mark.parametrize(("scenario", "kind"), TOGETHER)
def test_scenario_of_several_holders(scenario, kind, place, mode, tmp_path):
    run(scenario, kind, place, mode, tmp_path)


def run(*words):
    *words, tmp_path = words
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "scenarios.py", *words, tmp_path / "locks"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
