"""The harness finds what it is there to find."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the modules beside, in any import mode

import run  # noqa: E402
from preemption import Preemption  # noqa: E402

LOST_UPDATES = """
import _thread, sys
sys.path.insert(0, sys.argv[1])
from preemption import Preemption
preemption = Preemption(sys.argv[1] + "/counter.py", 0, float(sys.argv[2]))
preemption.start()
import counter
both, done = counter.Counter(), []

def body():
    for _ in range(2000):
        both.add()
    done.append(None)

for _ in range(2):
    _thread.start_new_thread(body, ())
while len(done) < 2:
    pass
preemption.stop()
print(both.count)
"""


def count_with(chance):
    command = [sys.executable, "-c", LOST_UPDATES, str(HERE), str(chance)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_threads_that_no_hook_of_threading_sees_are_preempted():
    assert count_with(0.05) < 4000


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (["BEGIN k x", "END k x", "BEGIN k x"], 0),
        (["BEGIN k x", "BEGIN l x"], 0),
        (["BEGIN k s", "BEGIN k s", "BEGIN k s"], 0),
        (["BEGIN k 2", "BEGIN k 2", "END k 2", "BEGIN k 2"], 0),
        (["BEGIN k x", "BEGIN k x"], 1),
        (["BEGIN k s", "BEGIN k x"], 1),
        (["BEGIN k x", "BEGIN k s", "END k x", "BEGIN k s"], 1),
        (["BEGIN k 2", "BEGIN k 2", "BEGIN k 2"], 1),
    ],
)
def test_overlaps_are_found_in_the_log(log, found):
    assert len(run.overlaps(log)) == found


def test_each_seed_repeats_its_choices():
    preemptions = [run_choices(seed) for seed in (1, 1, 2)]

    assert preemptions[0] == preemptions[1] != preemptions[2]


def run_choices(seed):
    preemption, chosen = Preemption("", seed, 0.5), set()
    for number in range(50):
        preemption._stop_here = lambda mine, number=number: chosen.add(number)
        preemption.at_opcode()
    return chosen
