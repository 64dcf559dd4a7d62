"""Who holds and who waits, where other tools use the same file."""

import os
import subprocess
import sys

import pytest
from lock_peers import FILE_LOCK, HOLDER, OURS, until_waited_for
from tools import OFD_TOOL, PYTHON_PEER, PYTHON_TOOLS, SHELL_PEER

import lockutils

TOOLS = {**PYTHON_TOOLS, "an open file description": OFD_TOOL}
FLOCK = {"flock(1)": "", "flock(1) -s": "--shared"}


@pytest.fixture
def status(tmp_path):
    return lambda: lockutils.status("name", external=True, lock_path=tmp_path)


def start(peers, tool, path):
    if tool in FLOCK:
        option = FLOCK[tool]
        return peers.start("bash", "-c", SHELL_PEER.format(option, option), "bash", path)
    return peers.python(PYTHON_PEER.format(TOOLS[tool]), path)


@pytest.mark.parametrize("tool", [*TOOLS, *FLOCK])
def test_the_holder_is_told(peers, tmp_path, status, tool):
    peer = start(peers, tool, tmp_path / "name")
    assert peer.hear() == "held"
    handle = lockutils.lock("name", external=True, lock_path=tmp_path)

    (holder,) = status().holders

    # flock(1) has taken the lock for the shell, which is where the file is open
    assert holder.pid == peer.process.pid
    assert holder.mode == ("shared" if tool.endswith("-s") else "exclusive")
    assert handle.locked()
    assert peer.ask() == "released"
    assert status().holders == ()
    assert not handle.locked()


def test_flock_that_waits_is_told_behind_ours(peers, tmp_path, status):
    holder = peers.python(HOLDER.format(OURS), tmp_path)
    assert holder.hear() == "held"
    path = tmp_path / "name"
    waiter = peers.start("flock", path, "sh", "-c", "echo held; read line")
    until_waited_for(path, "FLOCK")

    (found,) = status().waiters

    assert (found.pid, found.mode) == (waiter.process.pid, "exclusive")
    assert found.command.startswith("flock ")
    holder.tell()
    assert waiter.hear() == "held"


def test_lockf_that_waits_is_told(peers, tmp_path, status):
    holder = peers.python(HOLDER.format(FILE_LOCK), tmp_path)
    assert holder.hear() == "held"
    source = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'w'), fcntl.LOCK_EX)"
    waiter = peers.python(source, tmp_path / "name")
    until_waited_for(tmp_path / "name", "POSIX")

    assert [one.pid for one in status().waiters] == [waiter.process.pid]
    assert [one.pid for one in status().holders] == [holder.process.pid]


def test_who_polls_is_not_said_to_wait(peers, tmp_path, status):
    """That it has the file open says nothing."""
    with lockutils.lock("name", external=True, lock_path=tmp_path):
        source = (
            "import fasteners, sys\nlock = fasteners.InterProcessLock(sys.argv[1])\n"
            "print('tries', flush=True); lock.acquire()"
        )
        assert peers.python(source, tmp_path / "name").hear() == "tries"
        assert status().waiters == ()


def test_after_a_sigkill_of_lockutils_run_its_command_is_told(tmp_path, status):
    words = [sys.executable, "-m", "lockutils", "run", "--lock-path", tmp_path, "--lock", "name"]
    with subprocess.Popen(
        [*words, "sh", "-c", "echo $$; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as wrapper:
        command = int(wrapper.stdout.readline())
        assert [one.pid for one in status().holders] == [wrapper.pid]
        wrapper.kill()
        wrapper.wait()

        (holder,) = status().holders

        assert (holder.pid, holder.command) == (command, "sh -c echo $$; read line")
        assert os.path.exists(f"/proc/{command}")
