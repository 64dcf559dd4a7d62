import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for users, in any import mode

from users import ATTACKER, IS_ROOT, VICTIM, Actor


@pytest.fixture
def actor(peers):
    """Start a process of a user, by default of our own."""
    return lambda user=None, **options: Actor(peers, user if IS_ROOT else None, **options)


@pytest.fixture
def victim(actor):
    """A process of somebody without privileges, where we can have one."""
    return actor(VICTIM)


@pytest.fixture
def attacker(actor):
    """A process of another user."""
    if not IS_ROOT:
        pytest.skip("two users are needed: only root can be another one")
    return actor(ATTACKER)


@pytest.fixture
def place():
    """A directory that all users get to; nothing above it is in their way."""
    folder = Path(tempfile.mkdtemp(prefix="lockutils-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for path, folders, _ in os.walk(folder):
        for one in folders:
            if not os.path.islink(os.path.join(path, one)):
                os.chmod(os.path.join(path, one), 0o700)
    shutil.rmtree(folder)


@pytest.fixture
def shared(place):
    """A lock directory of all users, as /tmp is."""
    folder = place / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def own(place):
    """A lock directory of the victim alone."""
    folder = place / "own"
    folder.mkdir(0o700)
    if IS_ROOT:
        os.chown(folder, VICTIM, VICTIM)
    return folder
