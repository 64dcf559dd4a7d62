"""Signals end a waiting ``lockutils``, and reach the command of a running one."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

#: prints each signal that it gets, and ends after SIGUSR2
LISTENER = """\
import signal
signals = signal.valid_signals() - {signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("listening", flush=True)
number = 0
while number != signal.SIGUSR2:
    number = signal.sigwait(signals)
    print(int(number), flush=True)
"""
LISTEN = (sys.executable, "-c", LISTENER)

FORWARDED = [
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGABRT,
    signal.SIGUSR1,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGWINCH,
    signal.SIGRTMIN,
    signal.SIGRTMAX,
]

#: runs the rest of its words as the leader of a session with the terminal on its stdin
IN_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
#: does the same as a shell does: in a process group in the foreground, continued when stopped
AS_JOB = """\
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
status = os.waitpid(job, os.WUNTRACED)[1]
assert os.WIFSTOPPED(status)
print("stopped", flush=True)
os.killpg(job, signal.SIGCONT)
os.kill(job, signal.SIGUSR2)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
"""
#: replaces itself by its words, after a signal is ignored
IGNORING = """\
import os, signal, sys
signal.signal(int(sys.argv[1]), signal.SIG_IGN)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("number", FORWARDED)
def test_a_signal_reaches_the_command(cli, number):
    process = cli.start(cli.run_words(*LISTEN))
    assert process.hear() == "listening"
    process.send_signal(number)
    assert process.hear() == str(int(number))
    process.send_signal(signal.SIGUSR2)
    assert process.end() == 0


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1]
)
def test_a_command_that_the_signal_ends_gives_128_and_its_number(cli, number):
    process = cli.hold()
    process.send_signal(number)
    assert process.end() == 128 + number
    assert not cli.is_held()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("limit", [(), ("--timeout", "60")])
def test_a_signal_ends_the_wait(cli, limit, number):
    cli.hold()
    waiter = cli.start(cli.run_words("--verbose", *limit, "echo", "ran"))
    assert "waiting" in waiter.hear_error()
    waiter.send_signal(number)
    assert waiter.end() == -number
    assert (waiter.hear(), waiter.hear_error()) == ("", "")


@pytest.mark.parametrize("limit", [(), ("--timeout", "60")])
def test_after_a_wait_a_signal_reaches_the_command(cli, limit):
    """Threads that are left over from the wait must not take the signal."""
    holder = cli.hold()
    waiter = cli.start(cli.run_words("--verbose", *limit, *LISTEN))
    assert "waiting" in waiter.hear_error()
    holder.tell()
    assert waiter.hear() == "listening"
    for _ in range(20):
        waiter.send_signal(signal.SIGTERM)
        assert waiter.hear() == str(int(signal.SIGTERM))
    waiter.send_signal(signal.SIGUSR2)
    assert waiter.end() == 0


def test_a_signal_that_was_ignored_does_not_end_the_wait(cli):
    holder = cli.hold()
    words = cli.run_words("--verbose", "echo", "ran")
    waiter = cli.start([sys.executable, "-c", IGNORING, str(int(signal.SIGHUP)), *words])
    assert "waiting" in waiter.hear_error()
    waiter.send_signal(signal.SIGHUP)
    holder.tell()
    assert waiter.hear() == "ran"
    assert waiter.end() == 0


def test_the_status_is_known_where_sigchld_was_ignored(cli):
    words = cli.run_words("sh", "-c", "exit 7")
    result = cli.call([sys.executable, "-c", IGNORING, str(int(signal.SIGCHLD)), *words])
    assert (result.returncode, result.stderr) == (7, "")


def test_the_children_of_another_do_not_end_it(cli, tmp_path):
    """Whoever replaces itself by lockutils leaves it his children."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    words = cli.run_words("sh", "-c", 'echo holding; read -r line < "$0"; exit 4', str(gate))
    before = 'exec 3<&0; (read -r line; echo ended) <&3 & exec "$@" 3<&-'
    process = cli.start(["sh", "-c", before, "sh", *words])
    assert process.hear() == "holding"
    process.tell()
    assert process.hear() == "ended"
    gate.write_text("\n")
    assert process.end() == 4


def test_nobody_reading_stderr_is_no_signal_for_the_command(cli):
    reader, writer = os.pipe()
    os.close(reader)
    command = "trap 'exit 6' TERM; echo ready; while :; do read -r line; done"
    process = cli.start(cli.run_words("--verbose", "sh", "-c", command), stderr=writer)
    os.close(writer)
    assert process.hear() == "ready"
    process.send_signal(signal.SIGTERM)  # taken after any of lower number
    assert process.end() == 6


class TestInit:
    """As the init process of a pid namespace, which signals do not end by default."""

    @pytest.fixture
    def start(self, cli):
        """Start ``lockutils run`` as one; return it, and a function that sends it a signal."""
        namespace = ["unshare", "--pid", "--fork", "--kill-child"]
        if shutil.which("unshare") is None or cli.call([*namespace, "true"]).returncode:
            pytest.skip("there may be no pid namespace here")

        def start(*arguments, waits=True):
            process = cli.start([*namespace, *cli.run_words("--verbose", *arguments)])
            assert ("waiting" if waits else "acquired") in process.hear_error()
            return process, lambda number: os.kill(child_of(process.pid), number)

        return start

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    @pytest.mark.parametrize("limit", [(), ("--timeout", "60")])
    def test_a_signal_ends_the_wait(self, cli, start, limit, number):
        cli.hold()
        waiter, send = start(*limit, "echo", "ran")
        send(number)
        assert waiter.end() == 128 + number
        assert (waiter.hear(), waiter.hear_error()) == ("", "")

    @pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH])
    def test_one_that_ends_nobody_does_not(self, cli, start, number):
        holder = cli.hold()
        waiter, send = start("echo", "ran")
        send(number)
        holder.tell()
        assert waiter.hear() == "ran"
        assert waiter.end() == 0

    @pytest.mark.parametrize("waits", [False, True])
    def test_a_signal_reaches_the_command(self, cli, start, waits):
        holder = cli.hold() if waits else None
        process, send = start(*LISTEN, waits=waits)
        if holder is not None:
            holder.tell()
        assert process.hear() == "listening"
        for _ in range(20):
            send(signal.SIGTERM)
            assert process.hear() == str(int(signal.SIGTERM))
        send(signal.SIGUSR2)
        assert process.end() == 0


def child_of(pid):
    """The process that ``pid`` has started."""
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent = file.read().rpartition(") ")[2].split()[1]
        except OSError:
            continue
        if parent == str(pid):
            return int(entry)
    raise AssertionError("it has no child")


class Terminal:
    """``lockutils run`` of ``LISTEN`` in a terminal of its own."""

    def __init__(self, cli, how=IN_TERMINAL) -> None:
        self.master, terminal = os.openpty()
        words = [sys.executable, "-c", how, *cli.run_words(*LISTEN)]
        self.process = cli.start(words, stdin=terminal, start_new_session=True)
        os.close(terminal)
        assert self.process.hear() == "listening"

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def hang_up(self) -> None:
        os.close(self.master)


@pytest.mark.parametrize(
    ("key", "number"), [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)], ids=["C-c", "C-\\"]
)
def test_a_key_reaches_the_command_once(cli, key, number):
    terminal = Terminal(cli)
    process = terminal.process
    # so that the command has taken the first signal before a second one could come
    process.send_signal(signal.SIGSTOP)
    terminal.press(key)
    assert process.hear() == str(int(number))
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGUSR2)  # taken, and so forwarded, after those of lower number
    assert process.hear() == str(int(signal.SIGUSR2))
    assert process.end() == 0
    terminal.hang_up()


def test_the_same_signal_by_kill_in_a_terminal_reaches_the_command(cli):
    terminal = Terminal(cli)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.hear() == str(int(signal.SIGINT))
    terminal.process.send_signal(signal.SIGUSR2)
    assert terminal.process.end() == 0
    terminal.hang_up()


def test_the_hang_up_that_only_the_session_leader_gets_reaches_the_command(cli):
    terminal = Terminal(cli)
    terminal.hang_up()
    assert terminal.process.hear() == str(int(signal.SIGHUP))
    terminal.process.send_signal(signal.SIGUSR2)
    assert terminal.process.end() == 0


def test_the_stop_key_stops_the_job_and_it_goes_on_when_continued(cli):
    terminal = Terminal(cli, AS_JOB)
    terminal.press(b"\x1a")
    assert "stopped" in terminal.process.stdout.read()
    assert terminal.process.end() == 0
    terminal.hang_up()
