"""os-brick's own tests, run whole on lockutils and beside it on oslo.concurrency.

os-brick is a library of OpenStack's nova and cinder that attaches volumes.  Its tests need the
package index, once: they have an environment of their own below ``.venv``, which stays.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lockutils

SHIM = Path(__file__).with_name("os_brick_shim.py")
MODULES = ("lockutils", "oslo_concurrency.lockutils")

pytestmark = pytest.mark.skipif(
    "t" in sys.abiflags, reason="os-brick needs eventlet, which brings the GIL back"
)


@pytest.fixture(scope="module")
def outcomes(python_with, tmp_path_factory):
    """Module that os-brick locks by -> what the run says; both run at the same time."""
    python = python_with("os-brick")
    runs = {module: start(python, module, tmp_path_factory.mktemp("run")) for module in MODULES}
    try:
        printed = {module: run.communicate(timeout=100) for module, run in runs.items()}
    finally:
        for run in runs.values():
            run.kill()
            run.wait()
    for module, run in runs.items():
        assert run.returncode == 0, printed[module][1]
    return {module: json.loads(out.splitlines()[-1]) for module, (out, _) in printed.items()}


def start(python, module, directory):
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_LOCK_PATH")}
    root = str(Path(lockutils.__file__).parents[1])
    return subprocess.Popen(
        [python, SHIM, module],
        env={**kept, "PYTHONPATH": root, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
    )


def test_os_brick_runs_as_on_oslo_concurrency(outcomes):
    (our_module, ours), (their_module, theirs) = map(outcomes.get, MODULES)
    assert (our_module, their_module) == MODULES
    assert list(theirs.values()).count("ok") > 1000
    assert sorted(ours) == sorted(theirs)
    worse = {test: ours[test] for test in ours if ours[test] != theirs[test] == "ok"}
    assert worse == {}
