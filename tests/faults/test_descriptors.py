"""No descriptors left (EMFILE, for real), for every kind of waiter and mode."""

import pytest

fcntl = pytest.importorskip("fcntl")

from lock_peers import open_descriptors, run_python, sleeps_for_a_lock, until  # noqa: E402

MODES = {
    "exclusive": "",
    "fair": "fair=True",
    "shared": "shared=True",
    "slots": "slots=2",
    "fair slots": "fair=True, slots=2",
}

# Leaves itself as many descriptors as a line says, tells what becomes of a lock, gets them back.
STARVED = """
import asyncio, gc, os, resource, sys, time
import lockutils
directory, kind = sys.argv[1:]

def lock():
    return lockutils.lock("name", external=True, lock_path=directory, timeout={timeout}, {mode})

async def take_in_task():
    async with lock():
        return "held"

def take():
    with lock():
        return "held"

def outcome():
    try:
        if kind == "task":
            return loop.run_until_complete(take_in_task())
        if kind == "eventlet":
            return eventlet.spawn(take).wait()
        if kind == "gevent":
            return gevent.spawn(take).get()
        return take()
    except lockutils.LockPathError as error:
        return f"LockPathError {{error.errno}}"
    except lockutils.LockTimeout:
        return "LockTimeout"

if kind == "task":
    loop = asyncio.new_event_loop()
elif kind == "eventlet":
    import eventlet
    eventlet.sleep(0)
elif kind == "gevent":
    import gevent
    gevent.sleep(0)
lockutils.lock("another", external=True, lock_path=directory).acquire(blocking=False)
most = resource.getrlimit(resource.RLIMIT_NOFILE)
print("ready", flush=True)

def ours():
    gc.collect()  # an error refers to where it was raised
    paths = []
    for number in os.listdir("/proc/self/fd"):
        try:
            paths.append(os.readlink("/proc/self/fd/" + number))
        except FileNotFoundError:
            pass
    return [path for path in paths if path.startswith(directory) and "another" not in path]

for line in sys.stdin:
    free, filler = int(line), []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most[1]))
    try:
        while True:
            filler.append(os.dup(0))
    except OSError:
        pass
    for _ in range(free):
        os.close(filler.pop())
    print(outcome(), flush=True)
    for number in filler:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, most)
    sys.stdin.readline()
    print(outcome(), flush=True)
    deadline = time.monotonic() + 30
    while ours() and time.monotonic() < deadline:  # helpers may be about to close theirs
        time.sleep(0.001)
    print(ours(), flush=True)
"""

# Holds, and lets go, with each line.
HOLDER = """
import sys
import lockutils
lock = lockutils.lock("name", external=True, lock_path=sys.argv[1], {})
while sys.stdin.readline():
    lock.acquire()
    print("held", flush=True)
    sys.stdin.readline()
    lock.release()
    print("released", flush=True)
"""


def starve(peers, directory, kind, mode, timeout):
    source = STARVED.format(mode=MODES[mode], timeout=timeout)
    peer = peers.python(source, directory, kind)
    assert peer.hear() == "ready"
    return peer


@pytest.mark.parametrize("mode", MODES)
def test_a_free_lock_is_held_or_an_error(peers, tmp_path, mode):
    peer, holder = starve(peers, tmp_path, "thread", mode, None), holders_for(peers, tmp_path)[0]
    outcomes = []

    for free in range(4):
        outcomes.append(peer.ask(free))
        assert outcomes[-1] in ("held", "LockPathError 24")
        assert peer.ask() == "held"
        assert peer.hear() == "[]"
        assert holder.ask() == "held"
        assert holder.ask() == "released"

    assert outcomes[0] != "held"
    assert outcomes[-1] == "held"


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("thread", mode) for mode in MODES),
        *((kind, "exclusive") for kind in ("task", "eventlet", "gevent")),
        ("eventlet", "fair slots"),
    ],
)
def test_who_waits_is_woken_or_told(peers, tmp_path, kind, mode):
    """Never a wait for nothing, although a queue file, a pipe or a helper is not to be had."""
    peer = starve(peers, tmp_path, kind, mode, 60)
    pid = peer.process.pid
    holders = holders_for(peers, tmp_path, "slots=2" if "slots" in mode else "")
    outcomes = []

    for free in range(7):
        for holder in holders:
            assert holder.ask() == "held"
        peer.tell(free)
        until(
            lambda: sleeps_for_a_lock(pid) or peer.has_spoken() or looks_for_a_slot(pid),
            "it waits, or is told",
        )
        for holder in holders:
            assert holder.ask() == "released"
        outcomes.append(peer.hear())
        assert outcomes[-1] in ("held", "LockPathError 24")
        assert peer.ask() == "held"
        assert peer.hear() == "[]"

    assert outcomes[0] != "held"
    assert outcomes[-1] == "held"


def looks_for_a_slot(pid):
    """Whether it waits for a closing; a pause between two looks cannot be told from a look."""
    found = open_descriptors(pid).values()
    return any(target == "anon_inode:inotify" or target.endswith("/name") for target in found)


def holders_for(peers, directory, how=""):
    return [peers.python(HOLDER.format(how), directory) for _ in range(2 if how else 1)]


AT_THE_END = """
import resource, sys
import lockutils
held = lockutils.lock("db")
held.acquire()
waits = [{"timeout": 0.01}, {"blocking": False}, {"timeout": 1.1}]
handles = [lockutils.lock("db", **how) for how in waits]
highest = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, highest[1]))
for handle in handles:
    try:
        handle.__enter__()
    except lockutils.AcquireLockFailedException as error:
        print(type(error).__name__, error.holder.thread)
"""


def test_a_time_out_is_none_of_descriptors():
    """What tells the holder, and a deadlock, needs none and imports nothing."""
    printed = run_python(AT_THE_END)
    assert printed.splitlines() == [
        "LockTimeout MainThread",
        "AcquireLockFailedException MainThread",
        "LockTimeout MainThread",
    ]
