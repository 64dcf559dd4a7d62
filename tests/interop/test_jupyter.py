"""In a Jupyter kernel, which has an event loop of its own that runs all cells."""

import os
import subprocess
from pathlib import Path

import lockutils


def test_cells(python_with):
    ran = subprocess.run(
        [python_with("jupyter"), Path(__file__).with_name("jupyter_cells.py")],
        env={**os.environ, "PYTHONPATH": str(Path(lockutils.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "done"
