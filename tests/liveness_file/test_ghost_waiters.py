"""A waiter that gave up does not want the lock any more: no single try fails because of it."""

import fcntl
import importlib.util
import json
import os

import pytest

import lockutils

ROUNDS = 100
HOWS = ["timeout", "cancelled"]
WAITERS = [
    ("thread", "timeout"),
    *((kind, how) for kind in ("asyncio", "trio", "gevent", "eventlet") for how in HOWS),
]
MODES = {
    "plain": {},
    "fair": {"fair": True},
    "shared": {"shared": True},
    "slots": {"slots": 2},
}


def need(kind):
    if kind not in ("thread", "asyncio") and importlib.util.find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")


@pytest.fixture
def holders(tmp_path):
    """What makes a waiter wait, as handles that are to be acquired."""

    def holders(slots=1, **_):
        locks = tmp_path / "locks"
        return [lockutils.lock("it", external=True, lock_path=locks, slots=slots)] * slots

    return holders


def flock_is_free(path):
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("kind", "how"), WAITERS)
def test_single_tries_right_after_a_release(start, holders, tmp_path, kind, how, mode):
    """Ours, one in the waiter's own process, and flock(1)'s, by turns."""
    need(kind)
    options = MODES[mode]
    peer = start("ghost_peer.py", kind, how, json.dumps(options))
    assert peer.hear() == "ready"
    ours = lockutils.lock("it", external=True, lock_path=tmp_path / "locks", **options)

    def try_once():
        got = ours.acquire(blocking=False)
        if got:
            ours.release()
        return got

    tries = {
        "ours": try_once,
        "the waiter's process": lambda: peer.ask("try") == "True",
        "flock -n": lambda: flock_is_free(tmp_path / "locks" / "it"),
    }
    if mode == "slots":
        del tries["flock -n"]  # a free slot is not a free file
    failed = dict.fromkeys(tries, 0)
    for number in range(ROUNDS):
        handles = holders(**options)
        for handle in handles:
            assert handle.acquire(timeout=30)
        assert peer.ask("wait") in ("timed out", "cancelled")
        for handle in handles:
            handle.release()
        who = list(tries)[number % len(tries)]
        failed[who] += not tries[who]()

    assert not any(failed.values()), failed
