"""What becomes of stdout changes nothing of what a command does, and the user is told."""

from __future__ import annotations

import os

import pytest

#: a command -> its exit status while the lock ``job`` is held
COMMANDS = {
    ("--help",): 0,
    ("--version",): 0,
    ("doctor", "--help"): 0,
    ("doctor", "--json", "{locks}"): 0,
    ("doctor", "{locks}"): 0,
    ("gc", "--dry-run", "{locks}"): 0,
    ("gc", "--help"): 0,
    ("gc", "--yes", "{locks}"): 0,
    ("ls", "--help"): 0,
    ("ls", "--json", "--lock-path", "{locks}"): 0,
    ("ls", "--lock-path", "{locks}"): 0,
    ("run", "--help"): 0,
    ("run", "--version"): 0,
    ("top", "--help"): 0,
    ("top", "--lock-path", "{locks}"): 69,
    ("why", "--help"): 0,
    ("why", "--json", "--lock-path", "{locks}", "job"): 1,
    ("why", "--lock-path", "{locks}", "job"): 1,
}
_NO_TERMINAL = "lockutils: top needs a terminal; lockutils ls lists the locks once\n"


@pytest.fixture(params=COMMANDS, ids=" ".join)
def command(request, cli):
    """The words of a command, its exit status, and what it says on stderr without a terminal."""
    cli.hold()
    words = [word.format(locks=cli.lock_path) for word in request.param]
    status = COMMANDS[request.param]
    return cli.words(*words), status, _NO_TERMINAL if status == 69 else ""


@pytest.mark.parametrize("closed", [">&-", "<&- >&-"])
def test_a_closed_stdout_changes_nothing_else(cli, command, closed):
    words, status, said = command
    done = cli.call(["sh", "-c", f'exec "$@" {closed}', "sh", *words])
    assert (done.returncode, done.stderr) == (status, said)


def test_whoever_stops_reading_gets_the_exit_status_still(cli, command):
    words, status, said = command
    reader, writer = os.pipe()
    os.close(reader)
    done = cli.call(words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (status, said)


def test_a_full_disk_is_told_in_one_line(cli, command):
    words, status, said = command
    with open("/dev/full", "w") as full:
        done = cli.call(words, stdout=full)
    if not said:
        status, said = 73, "lockutils: cannot write to stdout: No space left on device\n"
    assert (done.returncode, done.stderr) == (status, said)


def test_files_are_removed_without_a_stdout(cli):
    cli.call(cli.run_words("true", lock="free"))
    assert os.listdir(cli.lock_path) == ["free"]
    words = cli.words("gc", "--yes", str(cli.lock_path))
    done = cli.call(["sh", "-c", 'exec "$@" >&-', "sh", *words])
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(cli.lock_path) == []
