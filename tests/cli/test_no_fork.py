"""``--no-fork``: lockutils becomes the command.  ``--close``: it keeps the locks to itself."""

from __future__ import annotations

import os
import signal

import pytest
from inherited import LIST_DESCRIPTORS, SHOW_SIGNALS, descriptors, signal_sets


def test_the_command_is_the_process_that_was_lockutils(cli):
    process = cli.start(cli.run_words("-F", "sh", "-c", "echo $$"))
    assert process.hear() == str(process.pid)
    assert process.end() == 0


def test_the_command_holds_the_locks_until_it_ends(cli):
    holder = cli.hold("--no-fork", "--lock", "also")
    assert cli.is_held()
    assert cli.is_held("also")
    assert f"process {holder.pid} (sh " in cli.run("-n", "true").stderr
    holder.tell()
    assert holder.end() == 0
    assert not cli.is_held()
    assert not cli.is_held("also")


@pytest.mark.parametrize("limit", [(), ("--timeout", "60")])
def test_after_a_wait_too(cli, limit):
    holder = cli.hold()
    waiter = cli.start(cli.run_words("-F", "--verbose", *limit, *SHOW_SIGNALS))
    assert "waiting" in waiter.hear_error()
    holder.tell()
    assert signal_sets(waiter.communicate()[0]) == [0, 0, 0]
    assert not cli.is_held()


def test_the_command_has_the_standard_streams_the_locks_and_no_signal_blocked(cli):
    found = list(descriptors(cli.run("-F", *LIST_DESCRIPTORS, "1").stdout).values())
    assert found[3:] == [str(cli.lock_path / "job")]
    assert signal_sets(cli.run("-F", *SHOW_SIGNALS).stdout) == [0, 0, 0]


def test_a_signal_is_for_the_command(cli):
    holder = cli.hold("-F")
    holder.send_signal(signal.SIGTERM)
    assert holder.end() == -signal.SIGTERM
    assert not cli.is_held()


@pytest.mark.parametrize(
    ("command", "status"), [("no-such-command", 127), ("", 127), ("/etc/passwd/x", 127), ("/", 126)]
)
def test_a_command_that_cannot_be_run(cli, command, status):
    result = cli.run("-F", command)
    assert result.returncode == status
    assert result.stderr.startswith(f"lockutils: cannot run {command!r}: ")
    assert result.stderr.count("\n") == 1
    assert not cli.is_held()
    reader, writer = os.pipe()
    os.close(reader)
    assert cli.run("-F", command, stderr=writer).returncode == status
    os.close(writer)


def test_closed_the_lock_is_held_while_the_command_runs_and_not_by_it(cli):
    holder = cli.hold("-o")
    assert cli.is_held()
    holder.kill()
    holder.end()
    assert not cli.is_held()
    holder.tell()
    found = list(descriptors(cli.run("--close", *LIST_DESCRIPTORS, "1").stdout).values())
    assert len(found) == 3
