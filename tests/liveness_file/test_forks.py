"""A child that was forked by another thread, or by a handler, holds and keeps nothing."""

import contextlib
import importlib.util
import json
import os

import pytest
from lock_peers import sleeps_for_a_lock, until

import lockutils

MODES = {"plain": {}, "fair": {"fair": True}, "shared": {"shared": True}, "slots": {"slots": 2}}


@pytest.fixture
def children():
    """Processes to be killed in the end."""
    pids = []
    yield pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plight", ["holds", "waits", "waits with a time-out", "acquires"])
@pytest.mark.parametrize("how", ["os.fork", "multiprocessing", "subprocess", "gevent.fork"])
def test_another_thread_is_in_the_middle_of_it(start, tmp_path, children, how, plight, mode):
    if how == "gevent.fork" and importlib.util.find_spec("gevent") is None:
        pytest.skip("gevent is not installed")
    options = MODES[mode]
    where = {"external": True, "lock_path": tmp_path / "locks"}
    # as a writer, or with all slots
    slots = options.get("slots", 1)
    all_of_it = [lockutils.lock("it", slots=slots, **where)] * slots
    if plight.startswith("waits"):
        for handle in all_of_it:
            handle.acquire()
    parent = start("forking.py", how, plight, json.dumps(options))
    assert parent.hear() == "busy"
    if plight.startswith("waits") and mode != "slots":
        until(lambda: sleeps_for_a_lock(parent.process.pid), "it waits")

    reports = [(int(pid), json.loads(kept)) for pid, kept in json.loads(parent.ask())]

    children.extend(pid for pid, _ in reports)
    assert len(reports) >= 3
    assert [kept for _, kept in reports if kept] == []
    parent.tell()
    assert parent.process.wait(30) == -9
    if plight.startswith("waits"):
        for handle in all_of_it:
            handle.release()
    for handle in all_of_it:
        assert handle.acquire(timeout=10)
    for handle in all_of_it:
        handle.release()


@pytest.mark.parametrize("child", ["exits", "goes on"])
@pytest.mark.parametrize("mode", MODES)
def test_a_handler_forks_in_an_acquisition(start, mode, child):
    """The child acquires, in the handler or after it; and so does the parent all the time."""
    program = start("handler_forks.py", child, json.dumps(MODES[mode]))

    assert program.hear() == "all children got it"
    assert program.end() == 0
