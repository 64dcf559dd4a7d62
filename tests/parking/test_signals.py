"""Signal handlers that raise, at any instruction of an acquisition or a release."""

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
MODES = ["shared", "slots", "reentrant"]


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        *((place, "exclusive") for place in ("internal", "external", "fair")),
        *((place, mode) for place in ("internal", "external") for mode in MODES),
        ("internal", "long"),
    ],
)
def test_exceptions_at_any_instruction(place, mode, tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "signalled.py", tmp_path, place, mode, "3000"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
