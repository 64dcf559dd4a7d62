"""The exit status tells who failed, and how."""

from __future__ import annotations

import os
import signal
import sys

import pytest

#: a status -> the options and the command that lead to it, with a line on stderr
STATUSES = {
    0: ("--verbose", "true"),
    6: ("--verbose", "sh", "-c", "exit 6"),
    64: ("--no-such-option", "true"),
    73: ("--lock-path", "/dev/null/locks", "true"),
    75: ("--no-wait", "--lock", "held", "true"),
    126: ("/",),
    127: ("no-such-command",),
    128 + signal.SIGTERM: ("--verbose", "sh", "-c", "kill -TERM $$"),
}


@pytest.mark.parametrize("stderr", ["full", "nobody reads", "closed"])
@pytest.mark.parametrize("status", STATUSES)
def test_the_status_does_not_depend_on_what_becomes_of_stderr(cli, status, stderr):
    if status == 75:
        cli.hold(lock="held")
    words = cli.run_words(*STATUSES[status])
    if stderr == "full":
        with open("/dev/full", "w") as full:
            assert cli.call(words, stderr=full).returncode == status
    elif stderr == "nobody reads":
        reader, writer = os.pipe()
        os.close(reader)
        assert cli.call(words, stderr=writer).returncode == status
        os.close(writer)
    else:
        assert cli.call(["sh", "-c", 'exec "$@" 2>&-', "sh", *words]).returncode == status


@pytest.mark.parametrize("status", [0, 1, 2, 75, 126, 255])
def test_the_status_of_the_command_is_passed_on(cli, status):
    result = cli.run("sh", "-c", f"exit {status}")
    assert (result.returncode, result.stdout, result.stderr) == (status, "", "")


@pytest.mark.parametrize(("name", "number"), [("HUP", 1), ("KILL", 9), ("PIPE", 13), ("TERM", 15)])
def test_128_and_the_signal_that_ended_the_command(cli, name, number):
    result = cli.run("sh", "-c", f"kill -{name} $$")
    assert (result.returncode, result.stderr) == (128 + number, "")


@pytest.mark.parametrize("command", ["no-such-command", "", "/no/such/file", "/etc/passwd/x"])
def test_127_if_the_command_is_not_found(cli, command):
    result = cli.run(command)
    assert (result.returncode, result.stdout) == (127, "")
    assert result.stderr.startswith(f"lockutils: cannot run {command!r}: ")
    assert result.stderr.count("\n") == 1
    assert not cli.is_held()


def test_127_also_if_the_search_ends_at_what_is_no_directory(cli):
    cli.environment["PATH"] = "/etc/passwd"
    assert cli.run("no-such-command").returncode == 127


def test_126_if_the_command_is_not_executable(cli, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o644)
    result = cli.run(str(script))
    assert result.returncode == 126
    assert result.stderr == f"lockutils: cannot run {str(script)!r}: Permission denied\n"
    assert not cli.is_held()


def test_126_if_the_command_has_no_format_that_the_kernel_knows(cli, tmp_path):
    script = tmp_path / "script"
    script.write_text("no shebang\n")
    script.chmod(0o755)
    result = cli.run(str(script))
    assert result.returncode == 126
    assert "Exec format error" in result.stderr


def test_126_if_the_command_is_a_directory(cli):
    assert cli.run("/").returncode == 126


def test_126_if_the_arguments_are_too_long(cli, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_STACK, (1 << 19, 1 << 19))"
    main = f"{limit}; import sys; from lockutils.cli import main; sys.exit(main())"
    result = cli.call(cli.run_words("true", *["x" * 1000] * 300, main=main))
    assert result.returncode == 126
    assert "Argument list too long" in result.stderr


def test_75_if_the_lock_is_held_with_one_line_that_names_it_and_its_holder(cli):
    holder = cli.hold()
    result = cli.run("--no-wait", "echo", "ran")
    assert (result.returncode, result.stdout) == (75, "")
    assert result.stderr.count("\n") == 1
    assert "'job'" in result.stderr
    assert f"process {holder.pid} " in result.stderr


@pytest.mark.parametrize("status", [0, 1, 255])
@pytest.mark.parametrize("how", ["--no-wait", "--timeout=0", "--timeout=0.01"])
def test_the_status_of_a_conflict_can_be_chosen(cli, status, how):
    cli.hold()
    assert cli.run(how, "--conflict-exit-code", str(status), "true").returncode == status


def test_73_if_the_lock_path_is_a_file(cli):
    cli.lock_path.write_text("kept")
    result = cli.run("echo", "ran")
    assert (result.returncode, result.stdout) == (73, "")
    assert result.stderr.count("\n") == 1
    assert str(cli.lock_path) in result.stderr
    assert cli.lock_path.read_text() == "kept"


@pytest.mark.parametrize("lock", ["job", "job" * 70])
def test_73_if_the_lock_path_is_below_a_file(cli, lock):
    cli.lock_path.write_text("")
    cli.lock_path /= "below"
    result = cli.call(cli.run_words("true", lock=lock))
    assert result.returncode == 73
    assert str(cli.lock_path) in result.stderr


@pytest.mark.parametrize("kind", ["dangling link", "directory", "fifo"])
def test_73_if_something_else_is_in_the_place_of_the_lock_file(cli, kind):
    cli.lock_path.mkdir()
    path = cli.lock_path / "job"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    result = cli.run("true")
    assert result.returncode == 73
    assert str(path) in result.stderr


def test_73_if_the_lock_path_is_not_writable(cli):
    cli.lock_path.mkdir()
    cli.lock_path.chmod(0o555)
    # Everything is imported first: another user may not be able to read this interpreter.
    main = """\
import os, sys, lockutils.cli.run, lockutils.cli.child, lockutils.cli.signals
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(lockutils.cli.main())"""
    result = cli.call(cli.run_words("echo", "ran", main=main))
    assert (result.returncode, result.stdout) == (73, "")
    assert result.stderr.startswith("lockutils: Permission denied: ")
    assert result.stderr.count("\n") == 1
    assert str(cli.lock_path) in result.stderr


def test_what_was_taken_is_released_if_another_lock_cannot_be_used(cli):
    cli.lock_path.mkdir()
    (cli.lock_path / "z").mkdir()
    assert cli.run("--lock", "z", "true").returncode == 73
    assert not cli.is_held()


def test_69_where_there_are_no_such_signals(cli):
    main = """\
import signal, sys
del signal.sigwaitinfo
from lockutils.cli import main
sys.exit(main())"""
    result = cli.call(cli.run_words("echo", "ran", main=main))
    assert (result.returncode, result.stdout) == (69, "")
    assert sys.platform in result.stderr
