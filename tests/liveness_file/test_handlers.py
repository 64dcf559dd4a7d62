"""A signal handler that gives up in an acquisition that gives up."""

import json

import pytest

#: holds x and y in the way of a tool, until its input ends
FOREIGN_HOLDER = """
import fcntl, os, sys
os.makedirs(sys.argv[1], exist_ok=True)
files = [open(f"{sys.argv[1]}/{name}", "a") for name in "xy"]
for file in files:
    getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
SLOTS_HOLDER = """
import sys, lockutils
where = {"external": True, "lock_path": sys.argv[1]}
slots = int(sys.argv[2])
handles = [lockutils.lock(name, slots=slots, **where) for name in "xy" for _ in range(slots)]
for handle in handles:
    handle.acquire()
print("held", flush=True)
sys.stdin.read()
"""
WAYS = {
    "plain": {},
    "fair": {"fair": True},
    "shared": {"shared": True},
    "reentrant": {"reentrant": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("held_by", ["lockf", "flock", "lockutils"])
def test_a_handler_gives_up_in_an_acquisition(peers, start, tmp_path, held_by, way):
    if held_by == "lockutils":
        holder = peers.python(SLOTS_HOLDER, tmp_path / "locks", "1")
    else:
        holder = peers.python(FOREIGN_HOLDER, tmp_path / "locks", held_by)
    assert holder.hear() == "held"

    program = start("handler_gives_up.py", json.dumps(WAYS[way]))

    assert program.hear() == "no hang"
    assert program.end() == 0


@pytest.mark.parametrize("fair", [False, True])
def test_a_handler_gives_up_in_a_wait_for_a_slot(peers, start, tmp_path, fair):
    holder = peers.python(SLOTS_HOLDER, tmp_path / "locks", "3")
    assert holder.hear() == "held"

    program = start("handler_gives_up.py", json.dumps({"slots": 3, "fair": fair}))

    assert program.hear() == "no hang"
    assert program.end() == 0
