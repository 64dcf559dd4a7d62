"""Helpers end with whoever they are there for: interpreter, subinterpreter, fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lock_peers import WATCHDOG

import lockutils

HERE = Path(__file__).parent
ROOT = str(Path(lockutils.__file__).parents[1])
SUBINTERPRETERS = [
    *("nowait", "timeout", "fair timeout", "shared timeout", "slots timeout", "thread timeout"),
    *("async timeout", "async cancelled"),
    *("got", "got in time", "fair got in time", "async got", "async got in time"),
]
#: ``lock()`` makes a handle of a lock that somebody else holds for as long as the program runs
PROGRAM = """
import asyncio, os, sys, threading, time
import lockutils

def lock(**options):
    return lockutils.lock("it", external=True, lock_path=sys.argv[1], **options)
"""
HOLDER = """
import sys, lockutils
handle = lockutils.lock("it", external=True, lock_path=sys.argv[1])
handle.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(peers, tmp_path):
    holder = peers.python(HOLDER, tmp_path / "locks")
    assert holder.hear() == "held"


def end_of(*words, options=()):
    """Run Python with these words to its end; return its exit status and its messages."""
    done = subprocess.run(
        [sys.executable, *options, *map(str, words)],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=False,
    )
    return done.returncode, done.stderr, done.stdout


@pytest.mark.skipif(sys.version_info < (3, 12), reason="subinterpreters came with Python 3.12")
@pytest.mark.parametrize("variant", SUBINTERPRETERS)
def test_a_subinterpreter_ends(tmp_path, variant):
    ended = end_of(HERE / "subinterpreter.py", tmp_path / "locks", variant)

    assert ended == (0, "", "still alive\n")


WAITS_IN_BACKGROUND = {
    "daemon thread": "threading.Thread(target=lock().acquire, daemon=True).start()",
    "daemon thread with a time-out": (
        "threading.Thread(target=lock().acquire, args=(True, 300), daemon=True).start()"
    ),
    "fair": "threading.Thread(target=lock(fair=True).acquire, daemon=True).start()",
    "reader": "threading.Thread(target=lock(shared=True).acquire, daemon=True).start()",
    "loop in a daemon thread": """
async def wait():
    await lock().async_acquire()
threading.Thread(target=lambda: asyncio.run(wait()), daemon=True).start()
""",
    "task cancelled as the loop ends": """
async def main():
    task = asyncio.ensure_future(lock().async_acquire())
    await asyncio.sleep(0.05)
asyncio.run(main())
""",
    "given up": "assert not lock().acquire(timeout=0.01)",
    "given up by a task": """
async def main():
    assert not await lock().async_acquire(timeout=0.01)
asyncio.run(main())
""",
    "a hundred given up": """
threads = [threading.Thread(target=lock().acquire, args=(True, 0.02)) for _ in range(100)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""",
}
LAST = {
    "the program ends": "",
    "sys.exit": "sys.exit(0)",
    "an exit handler waits": """
import atexit
def at_exit():
    assert not lock().acquire(timeout=0.01)
    assert lockutils.lock("free", external=True, lock_path=sys.argv[1]).acquire(timeout=5)
atexit.register(at_exit)
""",
}


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("wait", WAITS_IN_BACKGROUND)
def test_the_interpreter_ends_during_a_wait(tmp_path, wait, last):
    pause = "time.sleep(0.05)" if "daemon" in wait else ""
    source = "\n".join([PROGRAM, WAITS_IN_BACKGROUND[wait], pause, LAST[last]])

    assert end_of("-c", source, tmp_path / "locks") == (0, "", "")


IDLE = {
    "a native thread gave up": "assert not lock().acquire(timeout=0.01)",
    "a task gave up": """
async def main():
    assert not await lock().async_acquire(timeout=0.01)
asyncio.run(main())
""",
    "a task was cancelled": """
async def main():
    task = asyncio.ensure_future(lock().async_acquire())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
asyncio.run(main())
""",
    "a reader gave up": "assert not lock(shared=True).acquire(timeout=0.01)",
    "a native thread got it": """
handle = lockutils.lock("own", external=True, lock_path=sys.argv[1])
other = lockutils.lock("own", external=True, lock_path=sys.argv[1],
                       semaphores=lockutils.Semaphores())
handle.acquire()
thread = threading.Thread(target=lambda: (time.sleep(0.05), handle.release()))
thread.start()
assert other.acquire(timeout=30)
thread.join()
other.release()
""",
}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="older ones do not warn at a fork")
@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("wait", IDLE)
def test_a_fork_does_not_warn_of_helpers_that_do_nothing(tmp_path, wait):
    fork = "child = os.fork()\nif child == 0: os._exit(0)\nos.waitpid(child, 0)"
    # one that was called back gives back what it had first
    until_idle = (
        "from lockutils.parking import helpers\n"
        "while len(helpers._idle) < len(helpers._running): time.sleep(0.001)"
    )
    source = "\n".join([PROGRAM, IDLE[wait], until_idle, fork])

    # "error" would not do: CPython swallows what is raised there
    ended = end_of("-c", source, tmp_path / "locks", options=["-W", "always::DeprecationWarning"])

    assert ended == (0, "", "")
