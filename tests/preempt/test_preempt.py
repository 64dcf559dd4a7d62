"""Every mode while other threads run at random opcodes of lockutils.

LOCKUTILS_PREEMPT_SEED and LOCKUTILS_PREEMPT_SECONDS choose another run of it; run.py takes one
mode alone, and longer.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside, in any import mode

import run

SEED = int(os.environ.get("LOCKUTILS_PREEMPT_SEED", "0"))
SECONDS = float(os.environ.get("LOCKUTILS_PREEMPT_SECONDS", "0.5"))

if os.name != "posix":
    pytest.skip("the harness needs fork", allow_module_level=True)


@pytest.mark.parametrize(("mode", "place"), run.cases())
def test_no_error_no_overlap_nobody_stuck(mode, place):
    turns, problems = run.run(mode, place, SEED, SECONDS)

    again = f"run.py --mode {mode} --place '{place}' --seed {SEED} --seconds {SECONDS}"
    assert not problems, "\n".join([*problems, f"again: python tests/preempt/{again}"])
    assert turns > 0
