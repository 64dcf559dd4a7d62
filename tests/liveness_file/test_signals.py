"""Waiters are called back by signals: the program does not notice, and need not let them in."""

import json
import time

import pytest
from lock_peers import Background, sleeps_for_a_lock, until

import lockutils

KINDS = ["thread", "thread in time", "asyncio", "asyncio in time"]
WAYS = {"plain": {}, "fair": {"fair": True}, "shared": {"shared": True}}

#: two slots and "it" are held until the input ends
HOLDER = """
import sys, lockutils
where = {"external": True, "lock_path": sys.argv[1]}
held = lockutils.lock("it", **where)
held.acquire()
slots = lockutils.lock("slots", slots=2, **where)
slots.acquire()
slots.acquire()
print("held", flush=True)
sys.stdin.read()
"""
#: holds "it" for about as long as the time-out of the other, again and again
BUSY = """
import random, sys, time, lockutils
chance = random.Random(3)
held = lockutils.lock("it", external=True, lock_path=sys.argv[1])
print("held", flush=True)
while True:
    with held:
        time.sleep(0.001 + chance.random() / 500)
    time.sleep(0.0005)
"""
MASKED = """
import signal, sys, threading, lockutils
mode = sys.argv[2]

def body():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    handle = lockutils.lock("it", external=True, lock_path=sys.argv[1], fair=mode == "fair")
    for _ in range(20):
        assert not handle.acquire(timeout=0.005)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    print("gave up", flush=True)

body() if mode == "main" else None
thread = threading.Thread(target=body)
thread.start()
thread.join()
"""


@pytest.fixture
def held(peers, tmp_path):
    holder = peers.python(HOLDER, tmp_path / "locks")
    assert holder.hear() == "held"
    return holder


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("mode", ["main", "thread", "fair"])
def test_time_outs_of_a_thread_that_blocks_all_signals(peers, tmp_path, mode):
    peer = peers.python(MASKED, tmp_path / "locks", mode)

    assert peer.hear() == "gave up"
    assert peer.end() == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_that_blocks_all_signals_gets_the_lock(start, tmp_path, kind, way):
    ours = lockutils.lock("it", external=True, lock_path=tmp_path / "locks")
    ours.acquire()
    peer = start("waiter.py", kind, json.dumps(WAYS[way]), "masked")
    assert peer.hear() == "ready"
    peer.tell("it")
    until(lambda: sleeps_for_a_lock(peer.process.pid), "it waits")

    ours.release()

    assert peer.hear()
    peer.ask()
    assert peer.end() == 0


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_program_that_handles_sigurg_itself(start, when):
    program = start("user_signals.py", when)

    assert program.hear() == "not disturbed"
    assert program.end() == 0


@pytest.mark.parametrize("holder", [HOLDER, BUSY], ids=["gives up", "often gets it"])
def test_no_other_system_call_is_interrupted(peers, start, tmp_path, holder):
    assert peers.python(holder, tmp_path / "locks").hear() == "held"

    program = start("interrupted.py")

    assert program.hear() == "[]"
    assert program.end() == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("timeout", [0.001, 0.05, 0.3])
def test_a_thread_waits_as_long_as_it_was_told(held, tmp_path, timeout, way):
    handle = lockutils.lock("it", external=True, lock_path=tmp_path / "locks", **WAYS[way])

    start = time.monotonic()
    assert not handle.acquire(timeout=timeout)
    assert time.monotonic() - start >= timeout

    got = Background(handle.acquire, timeout=30)
    until(lambda: sleeps_for_a_lock("self"), "it waits")
    held.kill()
    assert got.result()
    handle.release()
