"""A command that asks for what its own ``lockutils run`` holds is told so; all others wait."""

from __future__ import annotations

import os
import sys

import pytest
from lock_peers import sleeps_for_a_lock, until

LOCK = "lockutils.lock('job', external=True, lock_path=sys.argv[1])"
PROGRAMS = {
    "with": f"with {LOCK}: print('ran')",
    "acquire": f"print({LOCK}.acquire())",
    "fair": "with lockutils.lock('job', external=True, lock_path=sys.argv[1], fair=True): pass",
    "lock_all": "with lockutils.lock_all(['a', 'job'], external=True, lock_path=sys.argv[1]): pass",
    "task": f"async def main():\n    async with {LOCK}: pass\nasyncio.run(main())",
}
#: gives back what it has inherited, and becomes the rest of its words after it is told a line
UNLOCKS = """
import os, sys
from lockutils.backends.file.syscalls import flock_unlock, record_unlock
for name in os.listdir("/proc/self/fd"):
    if os.path.exists("/proc/self/fd/" + name) and "/job" in os.readlink("/proc/self/fd/" + name):
        flock_unlock(int(name))
        record_unlock(int(name))
print(os.getpid(), flush=True)
sys.stdin.readline()
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def python(cli):
    """The words that run a program, with the lock directory as its argument."""

    def words(program):
        source = f"import asyncio, sys, lockutils\n{program}"
        return [sys.executable, "-c", source, str(cli.lock_path)]

    return words


def assert_told(result, status=75):
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.count("\n") == 1
    assert "the caller would wait for itself: 'job' is held by process " in result.stderr
    assert " (lockutils run), which is above this process and waits for it" in result.stderr


@pytest.mark.parametrize("options", [(), ("--fair",), ("--shared",), ("--lock", "also")])
@pytest.mark.parametrize("above", [(), ("--no-fork",), ("--close",), ("--lock", "zulu")])
def test_a_command_is_told_that_its_own_lockutils_holds_the_lock(cli, above, options):
    assert_told(cli.run(*above, "sh", "-c", '"$@"; exit', "sh", *cli.run_words(*options, "echo")))


def test_the_status_is_that_of_a_conflict(cli):
    assert_told(cli.run(*cli.run_words("-E", "9", "echo", "ran")), 9)


def test_also_below_others(cli):
    between = cli.run_words(*cli.run_words("echo", "ran"), lock="other")
    assert_told(cli.run("sh", "-c", '"$@"; exit', "sh", *between))


def test_the_same_file_by_another_name_is_the_same(cli, tmp_path):
    (tmp_path / "link").symlink_to(cli.lock_path)
    ours = cli.words("run", "--lock-file", str(tmp_path / "link" / "job"), "echo", "ran")
    assert "would wait for itself" in cli.run(*ours).stderr


def test_what_was_taken_before_is_released(cli):
    words = cli.run_words("--lock", "also", "echo", "ran")
    script = '"$@"; echo $?; exec flock -n "$0" echo free'
    result = cli.run("sh", "-c", script, str(cli.lock_path / "also"), *words)
    assert result.stdout == "75\nfree\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_gets_a_deadlock_error(cli, python, program):
    result = cli.run(*python(PROGRAMS[program]))
    assert (result.returncode, result.stdout) == (1, "")
    assert "DeadlockError: the caller would wait for itself: 'job' is held by" in result.stderr


def test_with_a_time_out_it_waits(cli, python):
    result = cli.run(*cli.run_words("--timeout", "0.05", "echo", "ran"))
    assert (result.returncode, result.stdout) == (75, "")
    assert "'job' after 0." in result.stderr
    result = cli.run(*python(LOCK + ".acquire(timeout=0.05) and print('ran')"))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_reader_below_a_reader_gets_in(cli, python):
    assert cli.run("-s", *cli.run_words("-s", "echo", "ran")).stdout == "ran\n"


def test_a_reader_below_a_reader_does_not_wait_for_a_writer(cli):
    """Who waits for the reader above, and so for this one."""
    holder = cli.start(
        cli.run_words(
            *("-s", "sh", "-c", 'echo holding; read -r line; exec "$@"', "sh"),
            *cli.run_words("-s", "echo", "ran"),
        )
    )
    assert holder.hear() == "holding"
    writer = cli.start(cli.run_words("echo", "wrote"))
    until(lambda: sleeps_for_a_lock(writer.pid), "it waits")
    holder.tell()
    assert holder.hear() == "ran"
    assert writer.hear() == "wrote"


def test_a_writer_below_a_reader_is_told(cli):
    assert_told(cli.run("-s", *cli.run_words("echo", "ran")))


def test_a_free_slot_is_taken_and_when_all_are_held_above_that_is_told(cli):
    two = ("--slots", "2")
    assert cli.run(*two, *cli.run_words(*two, "echo", "ran")).stdout == "ran\n"
    assert_told(cli.run(*two, *cli.run_words(*two, *cli.run_words(*two, "echo", "ran"))))


def test_a_slot_that_another_holds_is_waited_for(cli):
    two = ("--slots", "2")
    other = cli.hold(*two)
    process = cli.start(cli.run_words(*two, *cli.run_words(*two, "--verbose", "echo", "ran")))
    assert "waiting for 'job'" in process.hear_error()
    other.tell()
    assert process.hear() == "ran"


@pytest.mark.parametrize("options", [("--slots", "3"), ("--shared",), ()])
def test_another_number_of_slots_is_told_as_such(cli, options):
    result = cli.run("--slots", "2", *cli.run_words(*options, "echo", "ran"))
    assert (result.returncode, result.stdout) == (75, "")
    assert "in use with --slots 2" in result.stderr


def test_another_lock_of_that_name_is_not_held_above(cli, tmp_path):
    words = cli.words("run", "--lock", "job", "--lock-path", str(tmp_path / "other"), "echo", "ran")
    assert cli.run(*words).stdout == "ran\n"


def test_below_one_that_was_killed_it_waits(cli):
    script = 'echo $$; read -r line; exec "$@"'
    words = cli.run_words("echo", "ran")
    process = cli.start(cli.run_words("--close", "sh", "-c", script, "sh", *words))
    pid = process.hear()
    process.kill()
    process.end()
    holder = cli.hold()
    process.tell()
    until(lambda: sleeps_for_a_lock(pid), "it waits")
    holder.tell()
    assert process.hear() == "ran"


def test_below_one_that_does_not_hold_it_any_more_it_waits(cli):
    words = [sys.executable, "-c", UNLOCKS, *cli.run_words("echo", "ran")]
    process = cli.start(cli.run_words(*words))
    pid = process.hear()
    holder = cli.hold()
    process.tell()
    until(lambda: sleeps_for_a_lock(pid), "it waits")
    holder.tell()
    assert process.hear() == "ran"


def test_what_the_command_left_behind_waits_for_it(cli):
    """Nobody above the orphan waits for it."""
    script = '("$@" &) ; echo holding; read -r line'
    words = cli.run_words("--verbose", "echo", "ran")
    process = cli.start(cli.run_words("sh", "-c", script, "sh", *words))
    assert process.hear() == "holding"
    assert "waiting for 'job'" in process.hear_error()
    process.tell()
    assert process.end() == 0
    assert process.hear() == "ran"


@pytest.mark.parametrize("what", ["another start", "another file", "nonsense"])
def test_a_variable_that_does_not_fit_is_not_believed(cli, what):
    holder = cli.hold()
    status = os.stat(cli.lock_path / "job")
    with open("/proc/self/stat") as file:
        start = int(file.read().rpartition(") ")[2].split()[19])
    file = f"{status.st_dev}:{status.st_ino}"
    cli.environment["LOCKUTILS_HELD"] = {
        "another start": f"{os.getpid()}:{start + 1}:{file}:1",
        "another file": f"{os.getpid()}:{start}:{status.st_dev}:1:1",
        "nonsense": f"1 :::: a:b:c:d:e -1:-1:-1:-1:-1 {'9' * 5000}:1:1:1:1 \udcff",
    }[what]
    waiter = cli.start(cli.run_words("--verbose", "echo", "ran"))
    assert "waiting for 'job'" in waiter.hear_error()
    holder.tell()
    assert waiter.hear() == "ran"
