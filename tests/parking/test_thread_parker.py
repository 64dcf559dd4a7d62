"""A native thread parks: for no longer than it said, and never past a wake."""

import threading
import time

from lock_peers import Peers

from lockutils.parking.base import run
from lockutils.parking.deadline import Deadline
from lockutils.parking.on_thread import ThreadParker

SHORT_PARKS = """
import time
from lockutils.parking.deadline import Deadline
from lockutils.parking.base import run
from lockutils.parking.on_thread import ThreadParker

end = time.monotonic() + 3
while time.monotonic() < end:
    run(ThreadParker().park, Deadline(0.00002, time.monotonic))
print("done", flush=True)
"""
MORE_THAN_CORES = 12


def test_short_time_outs_end_on_a_busy_machine():
    """Interrupted before the wait begins, the time is up when it does: not for ever, then."""
    peers = Peers()
    try:
        busy = [peers.python(SHORT_PARKS) for _ in range(MORE_THAN_CORES)]
        assert [peer.hear() for peer in busy] == ["done"] * MORE_THAN_CORES
    finally:
        peers.close()


def test_wakes_that_came_before_are_one_that_is_not_missed():
    parker = ThreadParker()
    for _ in range(3):
        parker.wake()
        parker.wake()
        assert run(parker.park, Deadline(None, time.monotonic))
        assert not run(parker.park, Deadline(0.001, time.monotonic))


def test_a_wake_ends_a_park_without_a_time_out():
    parker = ThreadParker()
    threading.Timer(0.01, parker.wake).start()

    assert run(parker.park, Deadline(None, time.monotonic))
