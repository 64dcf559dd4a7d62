import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# for modules beside, and for the kinds of waiter, in any import mode
sys.path[:0] = [str(HERE), str(HERE.parent / "parking")]

if importlib.util.find_spec("fcntl") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def start(peers, tmp_path):
    """Start a program of this folder; its first argument is the lock directory."""

    def start(program, *words, **options):
        words = [str(word) for word in words]
        return peers.start(sys.executable, HERE / program, tmp_path / "locks", *words, **options)

    return start
