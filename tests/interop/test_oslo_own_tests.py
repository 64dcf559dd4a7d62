"""oslo.concurrency's own unit tests, as it installs them, run against lockutils."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lockutils

SHIM = Path(__file__).with_name("oslo_shim.py")
OSLO = Path(importlib.util.find_spec("oslo_concurrency").origin).parent
UNIT = "oslo_concurrency.tests.unit"
MODULES = {"test_lockutils": {}, "test_lockutils_eventlet": {"TEST_EVENTLET": "1"}}

YIELDS = "with lock() gives the handle, which is no threading.Semaphore"
ALLOWED = "fair=True goes with this, and does what it says"
MOCKED = "replaces the private _get_lock_path(), and has an object for the prefix"
#: what cannot pass, and why
DIFFERENT = {
    "LockTestCase.test_contextlock": YIELDS,
    "LockTestCase.test_contextlock_unlocks": YIELDS,
    "LockTestCase.test_fair_lock_with_nonblocking": ALLOWED,
    "LockTestCase.test_fair_lock_with_semaphore": ALLOWED,
    "LockTestCase.test_remove_lock_external_file_doesnt_exists": MOCKED,
    "LockTestCase.test_remove_lock_external_file_exists": MOCKED,
    "LockTestCase.test_remove_lock_external_file_exists_no_args": MOCKED,
    "LockTestCase.test_remove_lock_external_file_permission_error": MOCKED,
}


def names_in(module):
    tree = ast.parse((OSLO / "tests" / "unit" / f"{module}.py").read_text())
    return [
        f"{case.name}.{test.name}"
        for case in tree.body
        if isinstance(case, ast.ClassDef)
        for test in case.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test")
    ]


ALL = [(module, test) for module in MODULES for test in names_in(module)]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory, worker_id):
    """Module -> test -> "ok" or what went wrong.  Each is run once, by whoever needs it first."""
    directory = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        directory = directory.parent  # of all workers of this session

    def of_module(module):
        kept = directory / f"{module}.json"
        with lockutils.lock(kept.name, external=True, lock_path=directory / "locks"):
            if not kept.exists():
                kept.write_text(json.dumps(run(module, directory)))
        return json.loads(kept.read_text())

    return of_module


def run(module, directory):
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_LOCK_PATH")
    }
    done = subprocess.run(
        [sys.executable, SHIM, f"{UNIT}.{module}"],
        env={
            **environment,
            **MODULES[module],
            "PYTHONPATH": str(Path(lockutils.__file__).parents[1]),
            "TMPDIR": str(directory),
        },
        capture_output=True,
        text=True,
        timeout=100,  # before pytest is ended for a test that hangs
        cwd=directory,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("module", "test"), ALL, ids=lambda value: value)
def test_it(module, test, outcomes):
    outcome = outcomes(module)[test]
    if test in DIFFERENT:
        assert outcome != "ok", f"passes, although {DIFFERENT[test]}"
    else:
        assert outcome == "ok", outcome


def test_what_is_listed_exists():
    assert DIFFERENT.keys() <= {test for _, test in ALL}


@pytest.mark.parametrize("module", MODULES)
def test_all_that_ran_is_known_here(module, outcomes):
    assert sorted(outcomes(module)) == sorted(test for other, test in ALL if other == module)
