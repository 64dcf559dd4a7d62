"""``--shared`` and ``--slots N``."""

from __future__ import annotations

import signal

import pytest
from lock_peers import sleeps_for_a_lock, until


def test_readers_run_together_and_not_with_others(cli):
    one, other = cli.hold("--shared"), cli.hold("--shared")
    assert cli.run("--shared", "--no-wait", "true").returncode == 0
    assert cli.run("--no-wait", "true").returncode == 75
    for reader in one, other:
        reader.tell()
        assert reader.end() == 0
    writer = cli.hold()
    assert cli.run("--shared", "--no-wait", "true").returncode == 75
    writer.tell()


def test_a_writer_that_waits_is_before_a_reader_that_comes_later(cli, tmp_path):
    served = tmp_path / "served"
    reader = cli.hold("--shared")
    waiting = []
    for option, word in ("--verbose", "writer"), ("--shared", "reader"):
        command = ("sh", "-c", f"echo {word} >> {served}")
        waiting.append(cli.start(cli.run_words(option, *command)))
        until(lambda: sleeps_for_a_lock(waiting[-1].pid), "it waits")
    reader.tell()
    assert [process.end() for process in waiting] == [0, 0]
    assert served.read_text().split() == ["writer", "reader"]


def test_as_many_as_there_are_slots(cli):
    holders = [cli.hold("--slots", "2") for _ in range(2)]
    assert cli.run("--slots", "2", "--no-wait", "true").returncode == 75
    waiter = cli.start(cli.run_words("--slots=2", "echo", "in"))
    until(lambda: sleeps_for_a_lock(waiter.pid), "it waits")

    holders[1].tell()

    assert waiter.hear() == "in"
    holders[0].tell()


def test_a_slot_is_the_commands_even_if_lockutils_is_killed(cli):
    holder = cli.hold("--slots", "1")
    assert cli.is_held()
    holder.tell()
    holder = cli.hold("--slots", "2")
    other = cli.hold("--slots", "2")

    other.send_signal(signal.SIGKILL)
    other.wait()

    assert cli.run("--slots", "2", "--no-wait", "true").returncode == 75
    other.tell()  # to the command, which reads the same pipe
    assert cli.run("--slots", "2", "echo", "in").stdout == "in\n"
    holder.tell()


@pytest.mark.parametrize("options", [("--slots", "3"), ("--slots", "1"), ("--shared",)])
@pytest.mark.parametrize("waits", ["--no-wait", "--verbose"])
def test_another_number_of_slots_is_a_lock_that_is_not_to_be_had(cli, options, waits):
    holder = cli.hold("--slots", "2")
    result = cli.run(*options, waits, "-E", "9", "echo", "ran")
    assert (result.returncode, result.stdout) == (9, "")
    asked = "no --slots" if options[-1] in ("1", "--shared") else " ".join(options)
    line = result.stderr.splitlines()[-1]
    assert line.endswith(f"/job' is in use with --slots 2, but was asked for with {asked}")
    assert cli.run(*options, waits, "true").returncode == 75
    holder.tell()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--slots", "0"), "--slots must be a number from 1 to"),
        (("--slots", "9" * 5000), "--slots must be a number from 1 to"),
        (("--slots", "two"), "'two'"),
        (("--slots", "-1"), "'-1'"),
        (("--slots", "2", "--shared"), "--shared does not go with --slots"),
    ],
)
def test_what_is_wrong_with_the_options(cli, options, says):
    result = cli.run(*options, "echo", "ran")
    assert (result.returncode, result.stdout) == (64, "")
    assert says in result.stderr
    assert not cli.lock_path.exists()
