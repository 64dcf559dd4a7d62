"""Signals by the thousand whose handlers raise nothing; and what a waiter has open."""

import pytest

pytest.importorskip("fcntl")

from lock_peers import HOLDER, OURS, open_descriptors, sleeps_for_a_lock, until

# Each system call that sleeps is interrupted (EINTR) before a thousandth of a second is over.
PELTED = """
import signal, sys, time
import lockutils
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)

def lock(**options):
    return lockutils.lock("name", external=True, lock_path=sys.argv[1], **options)

options = eval(sys.argv[2])
start = time.monotonic()
assert not lock(timeout=0.3, **options).acquire()
assert time.monotonic() - start >= 0.3
print("in time", flush=True)
with lock(**options):
    print("held", flush=True)
sys.stdin.readline()
with lock(timeout=60, **options):
    print("held", flush=True)
signal.setitimer(signal.ITIMER_REAL, 0)  # an interpreter that ends has no handlers any more
"""
MODES = [{}, {"fair": True}, {"shared": True}, {"shared": True, "fair": True}]


@pytest.mark.parametrize("options", MODES, ids=lambda options: " ".join(options) or "exclusive")
def test_no_wait_ends_early_or_never(peers, tmp_path, options):
    holder = peers.python(HOLDER.format(OURS), tmp_path)
    assert holder.hear() == "held"
    waiter = peers.python(PELTED, tmp_path, repr(options))
    assert waiter.hear() == "in time"
    assert holder.ask() == "released"
    assert waiter.hear() == "held"

    second = peers.python(HOLDER.format(OURS), tmp_path)
    assert second.hear() == "held"
    waiter.tell()
    assert second.ask() == "released"
    assert waiter.hear() == "held"
    assert waiter.end() == 0


@pytest.mark.parametrize("timeout", [None, 60])
def test_a_waiter_needs_no_inotify(peers, tmp_path, timeout):
    """Of which a user has 128 by default, and any program can use them up."""
    holder = peers.python(HOLDER.format(OURS), tmp_path)
    assert holder.hear() == "held"
    waiter = peers.python(
        HOLDER.format(OURS.replace("lock_path", f"timeout={timeout}, lock_path")), tmp_path
    )
    until(lambda: sleeps_for_a_lock(waiter.process.pid), "it waits")

    assert "anon_inode:inotify" not in open_descriptors(waiter.process.pid).values()

    assert holder.ask() == "released"
    assert waiter.hear() == "held"
