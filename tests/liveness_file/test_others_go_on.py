"""A waiter that cannot run, or waits for much, does not stop or slow down the others."""

import json
import os
import signal
import statistics
import time
from pathlib import Path

import pytest
from lock_peers import sleeps_for_a_lock, until

KINDS = ["thread", "thread in time", "asyncio", "asyncio in time"]
WAYS = {"plain": {}, "fair": {"fair": True}, "shared": {"shared": True}}
SLOTS = 64

#: holds all of the slots until its input ends
ALL_SLOTS = """
import sys, lockutils
slots = int(sys.argv[2])
handle = lockutils.lock("s", external=True, lock_path=sys.argv[1], slots=slots)
for _ in range(slots):
    handle.acquire()
print("held", flush=True)
sys.stdin.read()
"""
#: waits for one of the slots in tasks, and then is as waiter.py is
BESIDE_A_WAIT_FOR_SLOTS = """
import asyncio, sys, threading, time
import lockutils
lock_dir, slots, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def lock(name, **options):
    return lockutils.lock(name, external=True, lock_path=lock_dir, **options)

async def turns():
    waits = None
    while line := sys.stdin.readline().strip():
        if line == "slots":
            waits = asyncio.ensure_future(lock("s", slots=slots).async_acquire())
            await asyncio.sleep(0.2)
            print("waits", flush=True)
            continue
        handle = lock("x", timeout=300 if "time" in kind else None)
        if "asyncio" in kind:
            await handle.async_acquire()
        else:
            # the loop goes on: its wait for a slot is not stopped by this one
            await asyncio.get_running_loop().run_in_executor(None, handle.acquire)
        print(time.monotonic(), flush=True)
        handle.release()
    if waits:
        waits.cancel()

asyncio.run(turns())
"""


@pytest.fixture
def waiter(start):
    def waiter(kind, options):
        peer = start("waiter.py", kind, json.dumps(options))
        assert peer.hear() == "ready"
        return peer

    return waiter


def wait_for_it(peer):
    peer.tell("it")
    until(lambda: sleeps_for_a_lock(peer.process.pid), "it waits")


def stop(peer):
    """SIGSTOP; on return no thread of it runs.

    Until then the kernel may still give it the lock, and it would stop as the holder.
    """
    os.kill(peer.process.pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{peer.process.pid}/task")
    until(lambda: all(" T " in path.read_text() for path in tasks.glob("*/stat")), "it stops")


def holder_of(waiter, options=None):
    holder = waiter("thread", options or {})
    holder.ask("it")
    return holder


#: who is stopped, who is behind, and how many are stopped; behind three it takes nine seconds
STOPPED = [
    *((kind, behind, 1) for kind in KINDS for behind in KINDS),
    *((kind, kind, 3) for kind in KINDS),
]


class TestFirstInLine:
    @pytest.mark.parametrize(("kind", "behind", "count"), STOPPED)
    def test_stopped(self, waiter, kind, behind, count):
        """In the default mode: the others pass, and it gets the lock when it goes on."""
        holder = holder_of(waiter)
        stopped = [waiter(kind, {}) for _ in range(count)]
        other = waiter(behind, {})
        for peer in (*stopped, other):
            wait_for_it(peer)
        for peer in stopped:
            stop(peer)

        holder.ask()

        assert other.hear()
        other.ask()
        for peer in stopped:
            os.kill(peer.process.pid, signal.SIGCONT)
        _each_gets_it(stopped)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("behind", ["thread", "asyncio in time"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_killed(self, waiter, kind, behind, way):
        holder = holder_of(waiter)
        killed, other = waiter(kind, WAYS[way]), waiter(behind, WAYS[way])
        for peer in (killed, other):
            wait_for_it(peer)
        killed.kill()

        holder.ask()

        assert other.hear()

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_stopped_while_it_is_killed(self, waiter, kind, way):
        holder = holder_of(waiter)
        killed, other = waiter(kind, WAYS[way]), waiter("thread", WAYS[way])
        for peer in (killed, other):
            wait_for_it(peer)
        stop(killed)
        holder.ask()
        killed.kill()

        assert other.hear()


def _each_gets_it(peers):
    """In any order: the next one gets it when one releases."""
    left = list(peers)
    while left:
        until(lambda: any(peer.has_spoken() for peer in left), "one of them gets it")
        for peer in list(left):
            if peer.has_spoken():
                assert peer.hear()
                peer.ask()
                left.remove(peer)


@pytest.mark.parametrize("kind", ["thread in time", "asyncio", "asyncio in time"])
def test_a_wait_for_one_of_many_slots_slows_nobody_down(peers, waiter, tmp_path, kind):
    """Others are handed the lock as without it, and do not look for it from time to time."""
    slots = peers.python(ALL_SLOTS, tmp_path / "locks", str(SLOTS))
    assert slots.hear() == "held"
    holder = waiter("thread", {})
    beside = peers.python(BESIDE_A_WAIT_FOR_SLOTS, tmp_path / "locks", str(SLOTS), kind)

    without = statistics.median(_handed_over(holder, beside) for _ in range(9))
    assert beside.ask("slots") == "waits"
    with_it = statistics.median(_handed_over(holder, beside) for _ in range(9))

    assert with_it < 10 * without


def _handed_over(holder, peer):
    """Return how long it took from the release to the acquisition."""
    holder.ask("x")
    peer.tell("x")
    # long enough for one that looks from time to time to do so seldom; no event tells of that
    time.sleep(0.15)
    released = float(holder.ask())
    return float(peer.hear()) - released
