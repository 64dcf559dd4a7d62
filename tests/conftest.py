"""What tests of several folders share; more of it is in modules beside this one."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for those modules, in any import mode

from lock_peers import Peers


def pytest_collection_finish():
    """Tests that collect garbage need not look at all of pytest each time."""
    gc.collect()
    # Without the GIL, 3.13 frees frozen objects that are in use, and then crashes or hangs.
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        gc.freeze()


@pytest.fixture
def peers():
    started = Peers()
    yield started
    started.close()
