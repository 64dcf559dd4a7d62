"""Whoever locks the same file by whatever tool excludes us, and is excluded by us."""

import asyncio
import fcntl
import subprocess

import pytest
from lock_peers import WATCHDOG, Background, until_waited_for

import lockutils

if not hasattr(fcntl, "F_OFD_SETLK"):
    pytest.skip("no open file description locks on this platform", allow_module_level=True)

# Each tool tries once on the file in sys.argv[1], and sets `held` and `release`.
PYTHON_TOOLS = {
    "oslo.concurrency": """
from oslo_concurrency import lockutils
lock = lockutils.lock(name, external=True, lock_path=directory, blocking=False)
try:
    held = lock.__enter__() is not None
except lockutils.AcquireLockFailedException:
    held = False
release = lambda: lock.__exit__(None, None, None)
""",
    "fasteners": """
import fasteners
lock = fasteners.InterProcessLock(path)
held, release = lock.acquire(blocking=False), lock.release
""",
    "filelock": """
import filelock
lock = filelock.FileLock(path)
try:
    held = lock.acquire(blocking=False) is not None
except filelock.Timeout:
    held = False
release = lock.release
""",
    "portalocker": """
import portalocker
lock = portalocker.Lock(path, timeout=0, fail_when_locked=True)
try:
    held = lock.acquire() is not None
except portalocker.LockException:
    held = False
release = lock.release
""",
    "lockutils": """
import lockutils
lock = lockutils.lock(name, external=True, lock_path=directory)
held, release = lock.acquire(blocking=False), lock.release
""",
}
# what flock(1) --fcntl does since util-linux 2.41, for where flock(1) is older
OFD_TOOL = """
import fcntl, struct
file = open(path, "a")
def set_lock(kind):
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))
try:
    set_lock(fcntl.F_WRLCK)
    held = True
except (BlockingIOError, PermissionError):
    held = False
release = lambda: set_lock(fcntl.F_UNLCK)
"""
PYTHON_PEER = """
import os, sys
path = sys.argv[1]
directory, name = os.path.split(path)
{}
print("held" if held else "busy", flush=True)
if held:
    sys.stdin.readline()
    release()
    print("released", flush=True)
    sys.stdin.readline()  # what lets the next one in must be the release, not the exit
"""
SHELL_PEER = """
exec 9>>"$1"
if flock {} --nonblock 9; then
    echo held; read line
    flock {} --unlock 9
    echo released; read line
else
    echo busy
fi
"""


def flock_says(option):
    return subprocess.run(["flock", option], capture_output=True, text=True, check=True).stdout


def tools():
    for name, source in PYTHON_TOOLS.items():
        yield pytest.param(("python", PYTHON_PEER.format(source)), id=name)
    yield pytest.param(("sh", SHELL_PEER.format("", "")), id="flock(1)")
    if "--fcntl" in flock_says("--help"):
        yield pytest.param(("sh", SHELL_PEER.format("--fcntl", "--fcntl")), id="flock(1) --fcntl")
    else:
        version = flock_says("--version").split()[-1]
        stand_in = f"OFD lock instead of flock(1) --fcntl, which {version} does not have"
        yield pytest.param(("python", PYTHON_PEER.format(OFD_TOOL)), id=stand_in)


@pytest.fixture(params=tools())
def try_tool(request, peers, path):
    """Start a process that tries the tool on the lock file once: it says "held" or "busy"."""
    interpreter, source = request.param

    def start():
        if interpreter == "python":
            return peers.python(source, path)
        return peers.start("sh", "-c", source, "sh", path)

    return start


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shared-name"


@pytest.fixture
def new_lock(path):
    def lock(**options):
        return lockutils.lock(path.name, external=True, lock_path=path.parent, **options)

    return lock


def native_untimed(new_lock):
    with new_lock():
        return True


def native_timed(new_lock):
    with new_lock(timeout=WATCHDOG):
        return True


def asyncio_task(new_lock):
    async def wait():
        async with new_lock():
            return True

    return asyncio.run(wait())


def test_its_holder_excludes_us_until_it_lets_go(try_tool, new_lock):
    tool = try_tool()
    assert tool.hear() == "held"
    ours = new_lock()

    assert not ours.acquire(blocking=False)
    assert not ours.acquire(blocking=False)
    assert tool.ask() == "released"
    assert ours.acquire(blocking=False)

    ours.release()


def test_our_holder_excludes_it_until_we_let_go(try_tool, new_lock):
    with new_lock():
        assert try_tool().hear() == "busy"

    assert try_tool().hear() == "held"


@pytest.mark.parametrize("waiter", [native_untimed, native_timed, asyncio_task])
@pytest.mark.parametrize("ending", ["release", "kill"])
def test_our_waiter_gets_in_when_its_holder_ends(try_tool, new_lock, path, waiter, ending):
    tool = try_tool()
    assert tool.hear() == "held"
    waiting = Background(waiter, new_lock)
    until_waited_for(path)

    if ending == "release":
        assert tool.ask() == "released"
    else:
        tool.kill()

    assert waiting.result()


def test_its_killed_holder_leaves_the_lock_free(try_tool, new_lock):
    tool = try_tool()
    assert tool.hear() == "held"

    tool.kill()

    assert new_lock().acquire(blocking=False)


def test_a_try_that_fails_leaves_no_trace(try_tool, new_lock, path):
    """Whoever sees only the kind of lock that was free must not meet us there."""
    tool = try_tool()
    assert tool.hear() == "held"
    free_before = free_kinds(path)

    assert not new_lock().acquire(blocking=False)

    assert free_kinds(path) == free_before


def free_kinds(path):
    return [kind for kind in (fcntl.flock, fcntl.lockf) if is_free(path, kind)]


def is_free(path, lock):
    with open(path, "rb+") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True
