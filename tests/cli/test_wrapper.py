"""``lockutils-wrapper``: a command with a lock directory of its own, which goes with it."""

from __future__ import annotations

import os
import signal
import sys

import pytest

MAIN = "from lockutils.cli.wrapper import main; main()"
# where there is no sigwaitinfo
PORTABLE = f"import signal; del signal.sigwaitinfo; {MAIN}"
INTERRUPTED = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print("runs", flush=True)
signal.sigwait({signal.SIGINT})
print("took", flush=True)
sys.stdin.readline()
sys.exit(5)
"""
TELL = 'echo "$LOCKUTILS_LOCK_PATH $OSLO_LOCK_PATH"'

either = pytest.mark.parametrize("main", [MAIN, PORTABLE], ids=["signals", "portable"])


@pytest.fixture
def directories(cli, tmp_path):
    """What is below the temporary directory of all that the test starts."""
    parent = tmp_path / "tmp"
    parent.mkdir()
    cli.environment["TMPDIR"] = str(parent)
    return lambda: os.listdir(parent)


@either
def test_both_variables_name_a_new_directory_that_is_removed(cli, directories, main):
    cli.environment["LOCKUTILS_LOCK_PATH"] = cli.environment["OSLO_LOCK_PATH"] = "/before"
    command = f"{TELL}; cd $OSLO_LOCK_PATH && mkdir sub && touch sub/file && ls -ld . | cut -c2-10"
    result = cli.call(cli.words("sh", "-c", command, main=main))
    assert (result.returncode, result.stderr) == (0, "")
    paths, mode = result.stdout.splitlines()
    ours, theirs = paths.split()
    assert ours == theirs
    assert ours.startswith(cli.environment["TMPDIR"])
    assert mode == "rwx------"
    assert directories() == []


def test_locks_of_the_command_are_there(cli, directories):
    source = (
        "import lockutils, os; lock = lockutils.lock('name', external=True); lock.acquire(); "
        "print(*os.listdir(os.environ['OSLO_LOCK_PATH']))"
    )
    result = cli.call(cli.words(sys.executable, "-c", source, main=MAIN))
    assert (result.returncode, result.stdout, result.stderr) == (0, "name\n", "")


@either
@pytest.mark.parametrize(
    ("command", "status"), [("exit 0", 0), ("exit 1", 1), ("exit 255", 255), ("kill -15 $$", 143)]
)
def test_the_status_of_the_command_is_passed_on(cli, directories, main, command, status):
    result = cli.call(cli.words("sh", "-c", command, main=main))
    assert (result.returncode, result.stdout, result.stderr) == (status, "", "")
    assert directories() == []


@either
@pytest.mark.parametrize(("command", "status"), [("no-such-command", 127), ("/", 126)])
def test_a_command_that_cannot_be_run(cli, directories, main, command, status):
    result = cli.call(cli.words(command, main=main))
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith(f"lockutils: cannot run {command!r}: ")
    assert directories() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_reaches_the_command_and_leaves_no_directory(cli, directories, number):
    process = cli.start(cli.words("sh", "-c", "echo runs; read -r line", main=MAIN))
    assert process.hear() == "runs"
    assert len(directories()) == 1
    process.send_signal(number)
    assert process.end() == 128 + number
    assert directories() == []


@either
def test_ctrl_c_leaves_no_directory(cli, directories, main):
    """The command may take it, and end in its own time."""
    words = cli.words(sys.executable, "-c", INTERRUPTED, main=main)
    process = cli.start(words, start_new_session=True)
    assert process.hear() == "runs"
    os.killpg(process.pid, signal.SIGINT)
    assert process.hear() == "took"
    assert len(directories()) == 1
    process.tell()
    assert process.end() == 5
    assert directories() == []


def test_nothing_to_run_is_a_wrong_command_line(cli, directories):
    result = cli.call(cli.words(main=MAIN))
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == "lockutils: no command to run (see lockutils-wrapper --help)\n"
    result = cli.call(cli.words("--help", main=MAIN))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: lockutils-wrapper COMMAND")


@pytest.mark.parametrize(("command", "status"), [((), 64), (("no-such-command",), 127)])
def test_a_full_stderr_does_not_change_the_status(cli, command, status):
    with open("/dev/full", "w") as full:
        assert cli.call(cli.words(*command, main=MAIN), stderr=full).returncode == status


def test_73_if_there_is_no_place_for_a_directory(cli, tmp_path):
    main = f"import tempfile; tempfile.tempdir = {str(tmp_path / 'none')!r}; {MAIN}"
    result = cli.call(cli.words("echo", "ran", main=main))
    assert (result.returncode, result.stdout) == (73, "")
    assert result.stderr.count("\n") == 1
    assert str(tmp_path / "none") in result.stderr
