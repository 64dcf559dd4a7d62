"""A holder is SIGKILLed while waiters of every kind wait for it: the next is in at once."""

import os
import pathlib
import subprocess
import sys
import time

import kinds
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
PATIENCE = 60.0

HOLDER = """
import sys, lockutils
with lockutils.lock("it", external=True, lock_path=sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
RUN = "import sys; from lockutils.cli import main; sys.exit(main(sys.argv[1:]))"


def start(*command):
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def sleepers(path):
    """How many sleep in the kernel for this file, or in line for it: none of those polls."""
    queue = path.with_name(".lockutils-queue")
    files = [f":{os.stat(file).st_ino} " for file in (path, queue) if file.exists()]
    with open("/proc/locks") as locks:
        return sum("->" in line and any(file in line for file in files) for line in locks)


def test_the_next_is_in_at_once(tmp_path):
    holder = start("-c", HOLDER, tmp_path)
    assert holder.stdout.readline() == "held\n"
    waiters = [
        start(HERE / "one_waiter.py", kind, tmp_path, timeout)
        for kind in kinds.NAMES
        for timeout in ("inf", "600")
    ]
    waiters.append(start("-c", RUN, "run", "--lock=it", f"--lock-path={tmp_path}", "echo", "in"))
    watchdog = time.monotonic() + PATIENCE
    while sleepers(tmp_path / "it") < len(waiters):
        assert time.monotonic() < watchdog, "somebody does not sleep in the kernel"
        assert all(waiter.poll() is None for waiter in waiters)
        time.sleep(0.01)
    holder.kill()
    for waiter in waiters:
        assert waiter.communicate(timeout=PATIENCE)[0] == "in\n"
        assert waiter.returncode == 0
    holder.communicate()


@pytest.mark.parametrize("kind", kinds.NAMES)
def test_a_killed_waiter_holds_nobody_up(kind, tmp_path):
    holder = start("-c", HOLDER, tmp_path)
    assert holder.stdout.readline() == "held\n"
    watchdog = time.monotonic() + PATIENCE
    waiters = []
    for count in 1, 2:
        waiters.append(start(HERE / "one_waiter.py", kind, tmp_path, "600"))
        while sleepers(tmp_path / "it") < count:
            assert time.monotonic() < watchdog
            time.sleep(0.01)
    waiters[0].kill()
    waiters[0].communicate()
    holder.communicate()  # the end of its input lets it go
    assert waiters[1].communicate(timeout=PATIENCE)[0] == "in\n"
