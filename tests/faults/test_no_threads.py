"""No memory or no leave for threads, for real: who needs a helper looks now and then instead."""

import os
import tempfile
from pathlib import Path

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import HOLDER, OURS  # noqa: E402

LACKS = {
    # no address space has room for such a stack
    "memory": "import _thread; _thread.stack_size(2**46)",
    "processes": """
import resource
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
""",
}

# Takes the lock in a kind of waiter that needs a helper to sleep for it.  All is imported
# before the lack comes: root's interpreter may be out of reach for another user.
WAITER = """
import asyncio, os, sys, threading
import lockutils
from lockutils.cli import run
kind = sys.argv[2]
if kind == "eventlet":
    import eventlet
    eventlet.sleep(0)
elif kind == "gevent":
    import gevent
    gevent.sleep(0)
{lack}
try:
    threading.Thread(target=int).start()
except RuntimeError:
    pass
else:
    sys.exit("the test's own premise is wrong: there are threads")

def lock(**how):
    return lockutils.lock("name", external=True, lock_path=sys.argv[1], {how}, **how)

def take():
    assert not lock().acquire(timeout=0.01)
    print("has waited in vain", flush=True)
    with lock(timeout=60):
        print("held", flush=True)

async def take_in_task():
    assert not await lock().async_acquire(timeout=0.01)
    print("has waited in vain", flush=True)
    async with lock():
        print("held", flush=True)

if kind == "thread":
    take()
elif kind == "task":
    asyncio.run(take_in_task())
elif kind == "eventlet":
    eventlet.spawn(take).wait()
else:
    gevent.spawn(take).get()
sys.stdin.readline()
"""


@pytest.fixture
def directory():
    """One that any user can reach, and may write in."""
    with tempfile.TemporaryDirectory(prefix="lockutils-test-") as directory:
        os.chmod(directory, 0o1777)
        for name in "name", ".lockutils-queue":
            path = Path(directory, name)
            path.touch()
            path.chmod(0o666)
        yield directory


@pytest.mark.parametrize(
    ("lack", "kind", "how"),
    [
        ("memory", "thread", "fair=False"),
        ("memory", "thread", "fair=True"),
        ("memory", "thread", "shared=True"),
        ("memory", "thread", "slots=2"),
        ("memory", "task", "slots=2"),
        ("memory", "eventlet", "fair=False"),
        ("memory", "gevent", "fair=False"),
        ("processes", "thread", "slots=2"),
        ("processes", "task", "fair=False"),
    ],
)
def test_the_lock_is_had_all_the_same(peers, directory, lack, kind, how):
    if lack == "processes" and os.geteuid() != 0:
        pytest.skip("only root can be a user without leave for threads, and undo it")
    slots = how if "slots" in how else ""
    holding = HOLDER.format(OURS.replace(")", f", {slots})"))
    holders = [peers.python(holding, directory) for _ in range(2 if slots else 1)]
    for holder in holders:
        assert holder.hear() == "held"
    waiter = peers.python(WAITER.format(lack=LACKS[lack], how=how), directory, kind)
    assert waiter.hear() == "has waited in vain"

    for holder in holders:
        assert holder.ask() == "released"

    assert waiter.hear() == "held"
    assert waiter.end() == 0
    for holder in holders:
        holder.close()
    assert peers.python(holding, directory).hear() == "held"
