"""Helper threads that cannot be had, or are asked for by somebody who is interrupted in that."""

import sys
import threading

import pytest
from lock_peers import until

from lockutils.parking import helpers


class Raised(Exception):
    pass


def run_and_raise_at(count, errand):
    """Ask for a helper, and raise at one of the instructions of that, as a handler may.

    :return: whether there are fewer instructions
    """
    left = [count]

    def trace(frame, event, _):
        if frame.f_code is not helpers.run.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left[0] -= 1
            if left[0] == 0:
                raise Raised
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 takes no notice of the first one
    sys.settrace(trace)
    try:
        helpers.run(errand)
    finally:
        sys.settrace(before)
    return left[0] > 0


@pytest.fixture
def _fresh(monkeypatch):
    monkeypatch.setattr(helpers, "_idle", [])
    monkeypatch.setattr(helpers, "_running", set())


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("is_one_idle", [False, True])
def test_none_is_lost_by_an_exception_at_any_instruction(monkeypatch, is_one_idle):
    monkeypatch.setattr(helpers, "_IDLE_SECONDS", 1000.0)
    count, is_through = 0, False
    while not is_through:
        count += 1
        called = threading.Event()
        if is_one_idle:
            if not helpers._idle:
                helpers.run(called.set)
                assert called.wait(30)
                called.clear()
            until(lambda: helpers._idle, "the helper is idle")
        else:
            end_idle_ones()
        try:
            is_through = run_and_raise_at(count, called.set)
        except Raised:
            pass
        until(lambda: len(helpers._idle) == len(helpers._running), f"all are idle ({count})")
    assert called.wait(30)
    assert count > 10
    end_idle_ones()


def end_idle_ones():
    def leave():
        raise SystemExit

    while helpers._idle:
        helpers.run(leave)
    until(lambda: not helpers._running, "all have ended")


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_without_a_thread_there_is_no_helper_and_no_trace_of_one(monkeypatch, error):
    def fail(*_):
        raise error

    with monkeypatch.context() as lack:
        lack.setattr(helpers, "start_thread", fail)
        for _ in range(2 * helpers.LIMIT):
            with pytest.raises(helpers.NoHelper):
                helpers.run(lambda: None)

    called = threading.Event()
    helpers.run(called.set)
    assert called.wait(30)
    until(lambda: helpers._idle, "the helper is idle")
    end_idle_ones()
