"""What tests of several folders share; more of it is in modules beside this one."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for those modules, in any import mode

from lock_peers import Peers


@pytest.fixture
def peers():
    started = Peers()
    yield started
    started.close()
