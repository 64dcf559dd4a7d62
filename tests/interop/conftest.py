import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "drivers"))  # for lock_peers

from lock_peers import Peers


@pytest.fixture
def peers():
    started = Peers()
    yield started
    started.close()
