"""What the command inherits: what ``lockutils`` was given, and the locks."""

from __future__ import annotations

import os
import sys

import pytest
from inherited import LIST_DESCRIPTORS, SHOW_SIGNALS, descriptors, signal_sets


def test_the_command_has_the_standard_streams_and_the_locks(cli):
    found = descriptors(cli.run("--lock", "also", *LIST_DESCRIPTORS, "1").stdout)
    files = [found.pop(number) for number in sorted(found) if number not in "012"]
    assert files == [str(cli.lock_path / "also"), str(cli.lock_path / "job")]
    assert set(found) == {"0", "1", "2"}


def test_the_same_after_a_wait_with_a_timeout(cli):
    holder = cli.hold()
    waiter = cli.start(cli.run_words("--timeout=60", "--verbose", *LIST_DESCRIPTORS, "1"))
    assert "waiting" in waiter.hear_error()
    holder.tell()
    out, _ = waiter.communicate()
    assert list(descriptors(out).values())[3:] == [str(cli.lock_path / "job")]


def test_descriptors_that_lockutils_was_given_are_for_the_command(cli):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    write = f"import os; os.write({writer}, b'text')"
    assert cli.run(sys.executable, "-c", write, pass_fds=(writer,)).returncode == 0
    os.close(writer)
    assert os.read(reader, 100) == b"text"
    os.close(reader)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_does_not_become_the_lock_file(cli, closed):
    reader, writer = os.pipe()
    words = cli.run_words(*LIST_DESCRIPTORS, str(writer))
    result = cli.call(["sh", "-c", f'exec "$@" {closed}', "sh", *words], pass_fds=(writer,))
    os.close(writer)
    with open(reader) as pipe:
        found = descriptors(pipe.read())
    assert result.returncode == 0
    lock = [number for number, file in found.items() if file == str(cli.lock_path / "job")]
    assert len(lock) == 1
    assert int(lock[0]) > 2
    assert (cli.lock_path / "job").read_text() == ""


def test_a_lock_has_no_descriptor_that_a_script_may_use(cli):
    found = descriptors(cli.run(*LIST_DESCRIPTORS, "1").stdout)
    assert [int(number) > 9 for number in found] == [False, False, False, True]


def test_no_signal_is_blocked_or_ignored_in_the_command(cli):
    assert signal_sets(cli.run(*SHOW_SIGNALS).stdout) == [0, 0, 0]


@pytest.mark.parametrize("limit", [(), ("--timeout", "60")])
def test_nor_after_a_wait(cli, limit):
    holder = cli.hold()
    waiter = cli.start(cli.run_words("--verbose", *limit, *SHOW_SIGNALS))
    assert "waiting" in waiter.hear_error()
    holder.tell()
    assert signal_sets(waiter.communicate()[0]) == [0, 0, 0]


def test_what_was_blocked_or_ignored_before_still_is(cli):
    before = """\
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
os.execv(sys.argv[1], sys.argv[1:])"""
    result = cli.call([sys.executable, "-c", before, *cli.run_words(*SHOW_SIGNALS)])
    blocked, ignored, handled = signal_sets(result.stdout)
    assert blocked == 1 << 12 - 1
    assert ignored == 1 << 1 - 1 | 1 << 2 - 1
    assert handled == 0


def test_a_command_that_writes_to_a_closed_pipe_ends_by_sigpipe(cli):
    read, write = os.pipe()
    os.close(read)
    result = cli.run("sh", "-c", "while :; do echo text; done", stdout=write)
    os.close(write)
    assert result.returncode == 128 + 13


@pytest.mark.parametrize("locale", [{}, {"LANG": "C"}, {"LC_ALL": "C"}, {"LC_CTYPE": "C.UTF-8"}])
def test_the_environment_is_as_it_was_but_for_what_is_held(cli, locale):
    cli.environment = {
        "PYTHONPATH": cli.environment["PYTHONPATH"],
        "PATH": os.environ["PATH"],
        "ODD": "\udcff\n=",
        **locale,
    }
    result = cli.run("env", "-0", errors="surrogateescape")
    found = dict(entry.split("=", 1) for entry in result.stdout.split("\0") if entry)
    del found["LOCKUTILS_HELD"]
    assert found == cli.environment


def test_the_process_group_and_session_are_the_same(cli):
    ours = "import os; print(os.getpgid(0) == os.getpgid(os.getppid()), os.getsid(0))"
    result = cli.run(sys.executable, "-c", ours)
    assert result.stdout == f"True {os.getsid(0)}\n"
