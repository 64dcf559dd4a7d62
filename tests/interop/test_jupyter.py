"""In a Jupyter kernel, which has an event loop of its own that runs all cells."""

import faulthandler
import os
import subprocess
import sys
from pathlib import Path

import lockutils

ROOT = Path(__file__).parents[2]


def test_cells():
    # pip may take longer than a test may
    faulthandler.cancel_dump_traceback_later()
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "_venv.py", "jupyter"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=400,
        check=True,
    )
    ran = subprocess.run(
        [Path(made.stdout.strip(), "bin", "python"), Path(__file__).with_name("jupyter_cells.py")],
        env={**os.environ, "PYTHONPATH": str(Path(lockutils.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "done"
