"""What errors say: who holds, and what to write instead."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import threading

import pytest
from lock_peers import Background, run_python, until

import lockutils


def failure(name="x", **options):
    with pytest.raises(lockutils.AcquireLockFailedException) as caught:
        lockutils.lock(name, blocking=False, **options).__enter__()
    return caught.value


def test_the_repr_says_what_the_text_says():
    with lockutils.lock("x"):
        error = failure()
    assert repr(error) == f"AcquireLockFailedException({str(error)!r})"
    assert "held by process" in repr(error)


def test_a_thread_has_its_name():
    release = threading.Event()
    holds = threading.Event()

    def hold():
        with lockutils.lock("x"):
            holds.set()
            release.wait(30)

    thread = threading.Thread(target=hold, name="worker-7")
    thread.start()
    holds.wait(30)
    assert failure().holder.description == "thread worker-7"
    release.set()
    thread.join()


def test_the_first_thread_of_a_program_without_threading_has_its_name():
    source = """
import sys
import lockutils
with lockutils.lock("x"):
    assert "threading" not in sys.modules
    try:
        lockutils.lock("x", timeout=0).__enter__()
    except lockutils.LockTimeout as error:
        print(error.holder.description)
"""
    assert run_python(source, options=("-S",)) == "thread MainThread\n"


def test_an_asyncio_task_has_its_name():
    async def main():
        asyncio.current_task().set_name("convert")
        async with lockutils.lock("x"):
            return await asyncio.to_thread(failure)

    assert asyncio.run(main()).holder.description == "task convert of thread MainThread"


@pytest.mark.skipif(importlib.util.find_spec("trio") is None, reason="trio is not installed")
def test_a_trio_task_has_its_name():
    import trio

    async def convert():
        async with lockutils.lock("x"):
            return await trio.to_thread.run_sync(failure)

    description = trio.run(convert).holder.description
    assert description.startswith("task ")
    assert "convert of thread MainThread" in description


# --- deadlocks


def deadlock(call):
    with pytest.raises(lockutils.DeadlockError) as caught:
        call()
    return str(caught.value)


def take():
    with lockutils.lock("x"):
        pass


def test_the_caller_itself():
    with lockutils.lock("x"):
        text = deadlock(take)
    assert text.startswith("the caller holds 'x'")
    assert "reentrant=True" in text
    with lockutils.lock("x", reentrant=True), lockutils.lock("x", reentrant=True):
        pass  # as it says


def test_another_task_is_not_the_caller():
    async def main():
        task = asyncio.create_task(hold(), name="other")
        await holds.wait()
        text = deadlock(take)
        release.set()
        await task
        return text

    async def hold():
        async with lockutils.lock("x"):
            holds.set()
            await release.wait()

    async def run():
        nonlocal holds, release
        holds, release = asyncio.Event(), asyncio.Event()
        return await main()

    holds = release = None
    text = asyncio.run(run())
    assert text.startswith("task other of thread MainThread holds 'x'")
    assert "use 'async with'" in text
    assert "reentrant" not in text


def test_the_code_that_runs_the_loop():
    async def main():
        async with lockutils.lock("x"):
            pass

    with lockutils.lock("x"):
        text = deadlock(lambda: asyncio.run(main()))
    assert text.startswith("thread MainThread holds 'x'")
    assert "before the event loop runs" in text
    assert "reentrant" not in text


# --- of another process

RUN = [sys.executable, "-m", "lockutils", "run", "--lock", "x"]


def test_after_lockutils_was_killed_the_command_is_named(tmp_path):
    where = {"external": True, "lock_path": tmp_path}
    with subprocess.Popen(
        [*RUN, "--lock-path", tmp_path, "--", "sh", "-c", "echo $$; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as wrapper:
        command = int(wrapper.stdout.readline())
        assert failure(**where).holder.pid == wrapper.pid
        wrapper.kill()
        wrapper.wait()
        error = failure(**where)
        assert error.holder.pid == command
        assert error.holder.description.startswith("sh -c")
        os.kill(command, signal.SIGKILL)
    until(lambda: lockutils.lock("x", **where).acquire(blocking=False), "nobody holds")


def test_one_that_waits_is_not_named(tmp_path, peers):
    """It has the file open, too."""
    where = {"external": True, "lock_path": tmp_path}
    source = (
        "import sys, lockutils\n"
        "lock = lockutils.lock('x', external=True, lock_path=sys.argv[1])\n"
        "lock.acquire(); print('held', flush=True); sys.stdin.readline()"
    )
    with lockutils.lock("x", **where):
        waiter = peers.python(source, tmp_path)
        until(lambda: any("/x" in found for found in links(waiter.process.pid)), "it is open")
        elsewhere = lockutils.lock("x", semaphores=lockutils.Semaphores(), **where)
        error = Background(pytest.raises, lockutils.LockTimeout, lambda: enter(elsewhere)).result()
        assert error.value.holder.pid == os.getpid()
    assert waiter.hear() == "held"


def enter(handle):
    handle._timeout = 0.0
    handle.__enter__()


def links(pid):
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:
            pass
    return found
