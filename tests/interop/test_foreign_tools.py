"""Whoever locks the same file by whatever tool excludes us, and is excluded by us."""

import asyncio
import fcntl
import subprocess

import pytest
from lock_peers import WATCHDOG, Background, until_waited_for
from tools import OFD_TOOL, PYTHON_PEER, PYTHON_TOOLS, SHELL_PEER

import lockutils

if not hasattr(fcntl, "F_OFD_SETLK"):
    pytest.skip("no open file description locks on this platform", allow_module_level=True)


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
