"""What the tests with real programs share."""

import faulthandler
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside, in any import mode

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python_with():
    """Return the interpreter of an environment with what an extra of ours names.

    It is made by the package index the first time, below ``.venv``, and stays.
    """

    def make(extra):
        # pip may take longer than a test may
        faulthandler.cancel_dump_traceback_later()
        made = subprocess.run(
            [sys.executable, ROOT / "scripts" / "_venv.py", extra],
            stdout=subprocess.PIPE,
            text=True,
            timeout=400,
            check=True,
        )
        return Path(made.stdout.strip(), "bin", "python")

    return make
