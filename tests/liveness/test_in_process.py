"""Nobody waits for ever for somebody who cannot run: see programs.py."""

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
MODES = ["plain", "shared", "slots", "reentrant"]


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "programs.py", *arguments],
        env={"PYTHONPATH": str(HERE.parent.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stdout + done.stderr


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["signal", "callback", "task", "trio task"])
def test_what_interrupts_a_waiter_asks_for_the_same(way, mode):
    run("interrupted", way, mode, "-")


@pytest.mark.parametrize("mode", ["plain", "fair", "shared"])
@pytest.mark.parametrize("way", ["callback", "task"])
def test_the_same_outside(way, mode, tmp_path):
    run("interrupted", way, mode, str(tmp_path))


@pytest.mark.parametrize("mode", ["plain", "reentrant"])
def test_a_finaliser_that_asks(mode):
    run("finaliser", mode, "-")


@pytest.mark.parametrize("arrives", ["before", "later"])
@pytest.mark.parametrize("mode", ["plain", "shared", "slots"])
@pytest.mark.parametrize(
    "way", ["closed loop", "stopped loop", "ended trio run", "gevent hub", "destroyed gevent hub"]
)
def test_who_was_woken_and_never_runs_is_passed(way, mode, arrives):
    run("dead", way, mode, arrives)


def test_who_was_passed_goes_on_near_the_front():
    run("resumed")


@pytest.mark.parametrize("end", ["closed", "stopped"])
def test_who_was_granted_a_lock_outside_and_never_runs_is_passed(end, tmp_path):
    run("dead_with_a_grant", end, str(tmp_path))


@pytest.mark.parametrize("where", ["inside", "outside"])
@pytest.mark.parametrize("way", ["gevent", "gevent os", "eventlet", "handler", "thread"])
def test_fork(way, where, tmp_path):
    run("fork", way, "-" if where == "inside" else str(tmp_path))


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_handler_that_raises_while_a_greenthread_parks(library):
    run("handler_raises", library)


@pytest.mark.parametrize("mode", MODES)
def test_a_release_at_the_recursion_limit(mode):
    run("deep_release", mode)


@pytest.mark.parametrize("library", ["thread", "asyncio", "trio", "gevent", "eventlet"])
def test_a_long_timeout(library):
    run("long_timeout", library)
