"""The command runs under its locks, and nothing of it without them."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic

import pytest
from lock_peers import sleeps_for_a_lock, until


def test_the_lock_is_held_while_the_command_runs_and_free_after_it(cli):
    holder = cli.hold()
    assert cli.is_held()
    holder.tell()
    assert holder.end() == 0
    assert not cli.is_held()


def test_without_waiting_the_command_does_not_run(cli):
    holder = cli.hold()
    result = cli.run("--no-wait", "echo", "ran")
    assert (result.returncode, result.stdout) == (75, "")
    assert holder.poll() is None


def test_a_timeout_is_waited_for_and_not_longer(cli):
    holder = cli.hold()
    start = monotonic()
    result = cli.run("--timeout", "0.3", "echo", "ran")
    assert monotonic() - start >= 0.3
    assert (result.returncode, result.stdout) == (75, "")
    assert "'job' after 0." in result.stderr
    assert holder.poll() is None


@pytest.mark.parametrize("limit", [(), ("--timeout", "60"), ("--timeout", "inf")])
def test_a_waiter_gets_the_lock_when_it_is_free(cli, limit):
    holder = cli.hold()
    waiter = cli.start(cli.run_words(*limit, "--verbose", "echo", "ran"))
    line = waiter.hear_error()
    assert line.startswith(f"lockutils: waiting for 'job', held by process {holder.pid} ")
    holder.tell()
    assert waiter.hear() == "ran"
    assert waiter.end() == 0


def test_fair_is_strictly_in_turn(cli, tmp_path):
    """Each is asleep in the queue before the next begins."""
    served = tmp_path / "served"
    holder = cli.hold()
    waiting = []
    for word in ("one", "two", "three"):
        command = ("sh", "-c", f"echo {word} >> {served}")
        process = cli.start(cli.run_words("--fair", *command))
        waiting.append(process)
        until(lambda: sleeps_for_a_lock(process.pid), "it waits")  # noqa: B023
    holder.tell()
    assert [process.end() for process in waiting] == [0, 0, 0]
    assert served.read_text().split() == ["one", "two", "three"]


def test_verbose_tells_when_each_lock_is_acquired_and_released(cli):
    result = cli.run("--verbose", "--lock", "also", "true")
    words = [line.rpartition(" after ")[0] for line in result.stderr.splitlines()]
    assert words == [
        "lockutils: acquired 'also'",
        "lockutils: acquired 'job'",
        "lockutils: released 'job'",
        "lockutils: released 'also'",
    ]


def test_another_prefix_is_another_lock(cli):
    cli.hold("--prefix", "a")
    assert cli.run("--no-wait", "--prefix", "b", "true").returncode == 0
    assert cli.run("--no-wait", "--prefix", "a", "true").returncode == 75
    assert {path.name for path in cli.lock_path.iterdir()} == {"a-job", "b-job"}


def test_a_lock_named_twice_is_taken_once(cli):
    words = cli.run_words("--no-wait", "--lock", "job", "--lock", "b", "--lock", "b", "true")
    assert cli.call(words).returncode == 0


def test_several_locks_are_held_together(cli):
    holder = cli.hold("--lock", "b", "--lock", "a")
    assert all(map(cli.is_held, ("a", "b", "job")))
    holder.tell()
    assert holder.end() == 0
    assert not any(map(cli.is_held, ("a", "b", "job")))


def test_the_locks_taken_before_one_that_is_held_are_released(cli):
    cli.hold(lock="m")
    words = cli.run_words("--lock", "z", "--lock", "a", "--timeout=0.01", "true", lock="m")
    result = cli.call(words)
    assert result.returncode == 75
    assert "'m'" in result.stderr
    assert not cli.is_held("a")
    assert not cli.is_held("z")


def test_several_locks_share_one_deadline(cli):
    first, _ = cli.hold(lock="a"), cli.hold(lock="b")
    words = cli.run_words("--timeout", "1", "--verbose", "--lock", "b", "true", lock="a")
    start = monotonic()
    waiter = cli.start(words)
    assert "waiting for 'a'" in waiter.hear_error()
    with pytest.raises(subprocess.TimeoutExpired):  # most of the second goes on the first lock
        waiter.wait(0.7)
    first.tell()
    assert "acquired 'a'" in waiter.hear_error()
    assert "waiting for 'b'" in waiter.hear_error()
    assert waiter.end() == 75
    failure = waiter.hear_error()
    waited = float(failure.partition(" after ")[2].partition(" s")[0])
    assert waited < 0.9
    assert monotonic() - start >= 1


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("b", "a")])
def test_the_order_of_several_locks_does_not_depend_on_how_they_are_listed(cli, one, other):
    holder = cli.hold(lock="a")
    waiter = cli.start(cli.run_words("--verbose", "--lock", other, "true", lock=one))
    assert "waiting for 'a'" in waiter.hear_error()
    assert not cli.is_held("b")
    holder.tell()
    assert waiter.end() == 0


def test_opposite_orders_do_not_deadlock(cli):
    loop = 'for i in $(seq 25); do "$@" || exit; done'
    orders = [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a"), ("c", "a", "b")]
    loops = []
    for first, second, third in orders:
        words = cli.run_words("--lock", second, "--lock", third, "true", lock=first)
        loops.append(cli.start(["sh", "-c", loop, "sh", *words]))
    assert [process.end() for process in loops] == [0, 0, 0, 0]


def test_no_increment_of_a_counter_is_lost(cli, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0\n")
    increment = 'read -r n < "$0"; echo $((n + 1)) > "$0"'
    words = cli.run_words("sh", "-c", increment, str(counter))
    loop = 'for i in $(seq 100); do "$@" || exit; done'
    loops = [cli.start(["sh", "-c", loop, "sh", *words]) for _ in range(4)]
    assert [process.end() for process in loops] == [0, 0, 0, 0]
    assert counter.read_text() == "400\n"


def test_a_killed_lockutils_leaves_the_locks_to_its_command(cli):
    holder = cli.hold("--lock", "also")
    holder.kill()
    assert holder.end() == -9
    assert cli.is_held()
    assert cli.is_held("also")
    holder.tell()
    assert holder.hear() == ""  # the command has ended
    assert not cli.is_held()
    assert not cli.is_held("also")


def test_what_a_command_leaves_behind_does_not_keep_the_lock(cli):
    daemon = "exec 3<&0; (echo left; read -r line; echo done) <&3 & exit 5"
    process = cli.start(cli.run_words("sh", "-c", daemon))
    assert process.end() == 5
    assert process.hear() == "left"
    assert not cli.is_held()
    process.tell()
    assert process.hear() == "done"


def test_after_a_kill_what_the_command_left_behind_keeps_the_lock(cli):
    daemon = "exec 3<&0; (echo left; read -r line) <&3 & echo $!; read -r line"
    process = cli.start(cli.run_words("sh", "-c", daemon))
    assert "left" in {process.hear(), process.hear()}
    process.kill()
    process.end()
    process.tell()  # one of the two ends
    assert cli.is_held()
    process.tell()
    assert process.hear() == ""
    assert not cli.is_held()


def test_the_python_api_and_the_command_line_meet_on_a_name(cli):
    cli.hold("--prefix", "p")
    asks = (
        "import sys, lockutils; sys.exit("
        "lockutils.lock('job', 'p', external=True, lock_path=sys.argv[1]).acquire(False))"
    )
    assert cli.call([sys.executable, "-c", asks, str(cli.lock_path)]).returncode == 0
