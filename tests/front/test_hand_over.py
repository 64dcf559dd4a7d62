"""hand_to_child(): the next fork moves the hold, and nobody gets in between."""

import os
import signal

import pytest
from lock_peers import Background, until
from ways import MODES

import lockutils

if not hasattr(os, "fork"):
    pytest.skip("no fork on this platform", allow_module_level=True)

# Takes the lock and hands it to a child, and that to its child, as a daemon does.
FORKS = """
import os, sys, threading
import lockutils
how, generations, options = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
names = ["x", "y"] if how == "group" else "x"
make = lockutils.lock_all if how == "group" else lockutils.lock

def say(*what):
    os.write(1, " ".join(map(str, what)).encode() + b"\\n")

handle = make(names, **options)
handle.acquire()
if how == "from a thread":
    other = threading.Thread(target=handle.hand_to_child)
    other.start(); other.join()
for _ in range(generations):
    handle.hand_to_child()
    if os.fork():
        try:
            handle.release()
            say("released by the parent")
        except RuntimeError as error:
            pass
        os._exit(0)
    os.setsid()
say(os.getpid(), handle)
sys.stdin.readline()
if how != "killed":
    handle.release()
    say("released", handle)
sys.stdin.readline()
"""


@pytest.fixture
def where(tmp_path):
    return {"external": True, "lock_path": str(tmp_path)}


def is_free(where):
    probe = lockutils.lock("x", **where)
    try:
        return probe.acquire(blocking=False) and probe.release() is None
    except lockutils.SlotsMismatchError:  # somebody has a slot
        return False


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("generations", [1, 2])
@pytest.mark.parametrize("how", ["plain", "group", "from a thread"])
def test_the_child_holds_and_releases(peers, where, mode, generations, how):
    options = {**where, **MODES[mode]}
    peer = peers.python(FORKS, how, str(generations), str(options))
    pid, rest = peer.hear().split(maxsplit=1)
    assert int(pid) != peer.process.pid
    assert "held" in rest or how == "group"
    assert peer.process.wait(30) == 0  # the parent has ended
    assert not is_free(where)

    assert peer.ask().startswith("released")

    assert is_free(where)
    peer.tell()


def test_a_killed_child_holds_nothing(peers, where):
    peer = peers.python(FORKS, "killed", "2", str(where))
    pid = int(peer.hear().split()[0])
    assert peer.process.wait(30) == 0
    assert not is_free(where)

    os.kill(pid, signal.SIGKILL)

    waiting = Background(lockutils.lock("x", **where).acquire)
    assert waiting.result() is True


IN_PROCESS = """
import os, sys, threading
import lockutils
where = eval(sys.argv[1])
handle = lockutils.lock("x", **where)
handle.acquire()
handle.hand_to_child()
waiting = lockutils.lock("x", **where)
took = []
thread = threading.Thread(target=lambda: took.append(waiting.acquire()))
thread.start()
while len(handle._queue) < 2:
    pass
reading, writing = os.pipe()
if not os.fork():
    assert repr(handle).endswith(", held>"), handle
    assert "x" in lockutils.held()
    assert not lockutils.lock("x", **where).acquire(blocking=False)
    os.read(reading, 1)
    handle.release()
    os._exit(0)
assert repr(handle).endswith(", free>"), handle
assert "x" not in lockutils.held() or took
if where:
    assert not took
os.write(writing, b"x")
thread.join()
assert took == [True] and "held" in repr(waiting)
assert os.wait()[1] == 0
print("done")
"""


@pytest.mark.parametrize("external", [True, False])
def test_those_who_wait_in_the_parent_are_served_after_it(peers, where, external):
    peer = peers.python(IN_PROCESS, str(where if external else {}))
    assert peer.hear() == "done"


FAILS = """
import os, resource, sys
import lockutils
handle = lockutils.lock("x", **eval(sys.argv[1]))
handle.acquire()
handle.hand_to_child()
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
if os.getuid() == 0:
    os.setuid(65534)  # to whom the limit applies
try:
    os.fork()
except OSError:  # CPython 3.10 loses the errno of it
    print("failed", handle, flush=True)
sys.stdin.readline()
handle.release()
print("released", flush=True)
"""


def test_a_fork_that_fails_moves_nothing(peers, where, tmp_path):
    peer = peers.python(FAILS, str(where))
    assert peer.hear().startswith("failed")
    assert not is_free(where)
    assert peer.ask() == "released"
    until(lambda: is_free(where), "it is free")


BESIDE = """
import os, sys
import lockutils
handle = lockutils.lock("x", **eval(sys.argv[1]))
handle.acquire()
beside = lockutils.lock("y", **eval(sys.argv[1]))
beside.acquire()
handle.hand_to_child()
if not os.fork():
    assert ", free>" in repr(beside), beside
    try:
        beside.release()
    except RuntimeError as error:
        assert "parent" in str(error), error
    again = lockutils.lock("y", **eval(sys.argv[1])).acquire(blocking=False)
    os._exit(again)
assert ", held>" in repr(beside), beside
assert os.wait()[1] == 0
pid = os.fork()  # it was for one fork
if not pid:
    os._exit(", held>" in repr(handle))
assert os.waitpid(pid, 0)[1] == 0
print("done")
"""


def test_it_moves_this_hold_alone_and_by_one_fork(peers, where):
    peer = peers.python(BESIDE, str(where))
    assert peer.hear() == "done"


def test_what_is_not_held_is_not_moved(where):
    with pytest.raises(RuntimeError, match="not held"):
        lockutils.lock("x", **where).hand_to_child()


def test_what_was_released_before_the_fork_is_not_moved(peers, where):
    source = BESIDE.replace("handle.hand_to_child()", "handle.hand_to_child(); handle.release()")
    peer = peers.python(source, str(where))
    assert peer.hear() == "done"
