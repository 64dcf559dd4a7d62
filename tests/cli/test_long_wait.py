"""A ``lockutils run`` that waits for long: a line on the terminal; deadlocks of chains."""

import os

import pytest
from lock_peers import until, waiters

MAIN = (
    "import sys, lockutils; from lockutils.cli import main; "
    "lockutils.set_defaults(warn_after=0.05); sys.exit(main())"
)


def test_a_line_on_a_terminal(cli):
    holder = cli.hold()
    ours, theirs = os.openpty()
    waiting = cli.start(cli.run_words("true", main=MAIN), stderr=theirs)
    os.close(theirs)
    try:
        line = os.read(ours, 1000).decode()
        assert line.startswith("lockutils: Waiting for the lock 'job' for 0.")
        assert f"held by process {holder.pid} (" in line
    finally:
        os.close(ours)
    holder.tell()
    assert waiting.end() == 0


@pytest.mark.parametrize("verbose", [False, True])
def test_elsewhere_only_if_asked_for(cli, verbose):
    holder = cli.hold()
    options = ["--verbose"] if verbose else []
    waiting = cli.start(cli.run_words(*options, "--timeout=0.3", "true", main=MAIN))

    _, errors = waiting.communicate()

    assert ("lockutils: Waiting for the lock 'job' for 0." in errors) is verbose
    holder.tell()


def test_a_chain_of_runs_that_wait_for_each_other(cli):
    """A run waits for its command, which is a run that waits for the other one's lock."""
    words = cli.run_words("--timeout=3", "true", lock="b")
    first = cli.start(cli.run_words("sh", "-c", 'echo in; read -r _; "$@"', "sh", *words, lock="a"))
    assert first.hear() == "in"
    words = cli.run_words("true", lock="a")
    other = cli.start(cli.run_words("sh", "-c", 'echo in; read -r _; "$@"', "sh", *words, lock="b"))
    assert other.hear() == "in"
    other.tell()
    until(lambda: waiters(cli.lock_path / "a"), "it waits for a")
    first.tell()

    line = first.hear_error()

    assert line.startswith("lockutils: Failed to acquire the lock 'b' after ")
    assert "; deadlock: process " in line
    assert " waits for 'a', held by process " in line
    assert first.end() == 75
    assert other.end() == 0
