"""Every kind of waiter behind real handles of the backend that answers late: in_memory.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lockutils

HERE = Path(__file__).parent
KINDS = ("thread", "eventlet", "eventlet-patched", "gevent", "gevent-patched", "asyncio", "trio")
SCENARIOS = (
    "excluded_until_the_other_leaves",
    "served_one_after_the_other",
    "served_one_after_the_other_in_order",
    "readers_come_in_together",
    "slots_are_shared_with_the_other",
    "a_time_out_leaves_nothing",
    "an_error_is_raised_where_it_waits",
)
CASES = [(scenario, kind) for scenario in SCENARIOS for kind in KINDS]
CASES += [("a_cancelled_waiter_leaves_nothing", kind) for kind in KINDS[1:]]


@pytest.mark.parametrize(("scenario", "kind"), CASES)
def test_scenario(scenario, kind):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "in_memory.py", scenario, kind],
        env={**os.environ, "PYTHONPATH": str(Path(lockutils.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
