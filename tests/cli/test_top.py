"""lockutils top, in a real pseudo-terminal whose screen pyte keeps."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pytest

from lockutils.cli.top import keys

pytest.importorskip("rich")
pyte = pytest.importorskip("pyte")

if not os.path.exists("/proc/locks"):
    pytest.skip("no /proc/locks on this platform", allow_module_level=True)

#: holds so many locks, some of them waited for, until it is told a line
HOLDER = """
import sys, threading, lockutils
def handle(number):
    return lockutils.lock(f"image-{number}", external=True, lock_path=sys.argv[1])
handles = [handle(number) for number in range(int(sys.argv[2]))]
for one in handles:
    one.acquire()
print("held", flush=True)
sys.stdin.readline()
"""
WAITER = """
import sys, lockutils
lockutils.lock(sys.argv[2], external=True, lock_path=sys.argv[1]).acquire()
"""
PATIENCE = 30


class Terminal:
    """A terminal, and ``lockutils top`` in it."""

    def __init__(self, cli, columns, rows, *arguments):
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""
        self._ours, self.theirs = pty.openpty()
        self._set_size(columns, rows)
        self.before = termios.tcgetattr(self.theirs)
        words = cli.words("top", "--lock-path", str(cli.lock_path), *arguments)
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), self.theirs)
        # with a controlling terminal, so that Ctrl-C is a signal
        program = (
            "import fcntl, os, sys, termios; os.setsid(); "
            "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        )
        environment = {**cli.environment, "TERM": "xterm-256color"}
        command = [sys.executable, "-c", program, *words]
        self.process = cli.start(command, env=environment, **streams)

    def _set_size(self, columns, rows):
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def resize(self, columns, rows):
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def type(self, text):
        os.write(self._ours, text.encode())

    def shows(self, condition):
        """Return the lines of the screen once the condition holds for them."""
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = [line.rstrip() for line in self._screen.display]
            if condition(lines):
                return lines
            assert time.monotonic() < deadline, "\n".join(lines)
            if select.select([self._ours], [], [], 0.1)[0]:
                self._feed()

    def _feed(self):
        output = os.read(self._ours, 65536)
        self.output += output
        self._stream.feed(output)

    def end(self):
        """Return its status; what it has written last is read."""
        status = self.process.end()
        while select.select([self._ours], [], [], 0)[0]:
            self._feed()
        return status

    def is_as_before(self):
        """Whether the mode, the screen and the cursor of the terminal are given back."""
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.output.rindex(b"\x1b[?1049l") > self.output.rindex(b"\x1b[?1049h")
        assert self.output.rindex(b"\x1b[?25h") > self.output.rindex(b"\x1b[?25l")

    def hang_up(self):
        os.close(self._ours)
        self._ours = -1

    def close(self):
        if self._ours >= 0:
            os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture
def terminal(cli):
    made = []

    def make(columns=80, rows=24, *arguments):
        cli.lock_path.mkdir(exist_ok=True)
        made.append(Terminal(cli, columns, rows, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()
        one.close()


@pytest.fixture
def hold(cli):
    def start(count, waited_for=()):
        where = str(cli.lock_path)
        holder = cli.start([sys.executable, "-c", HOLDER, where, str(count)])
        assert holder.hear() == "held"
        for name in waited_for:
            cli.start([sys.executable, "-c", WAITER, where, name])
        return holder

    return start


def has(text):
    return lambda lines: any(text in line for line in lines)


def first_words(*words):
    """Whether these begin the first rows, which may be drawn a moment after the title."""
    return lambda lines: all(
        line.split()[: len(its)] == list(its)
        for its, line in zip(words, lines[2 : 2 + len(words)], strict=True)
    )


def waits(*pairs):
    """Whether these are the first locks, with so many waiters."""
    return lambda lines: (
        [(line.split()[0], line.split()[-1]) for line in lines[2 : 2 + len(pairs)] if line]
        == list(pairs)
    )


@pytest.mark.parametrize("count", [1, 20, 200])
@pytest.mark.parametrize("columns", [80, 200])
def test_a_list_fits_its_terminal(terminal, hold, count, columns):
    holder = hold(count)
    screen = terminal(columns, 24)

    lines = screen.shows(has("q quit"))  # which is drawn last

    assert has(f"{count} lock{'s' * (count > 1)} in use")(lines)
    assert lines[1].split() == ["NAME", "MODE", "HOLDER", "SINCE", "WAITERS"]
    assert len(lines[1]) == columns
    assert f"{holder.pid} " in lines[2]
    shown = [line for line in lines if line.startswith("image-")]
    assert len(shown) == min(count, 20)
    assert has("0 more above, 180 more below")(lines) == (count == 200)
    screen.type("q")
    assert screen.end() == 0
    screen.is_as_before()


def test_most_waited_for_first_then_the_queue_of_one(terminal, hold):
    hold(4, ["image-2", "image-2", "image-1"])
    screen = terminal()
    screen.shows(waits(("image-2", "2"), ("image-1", "1"), ("image-0", "0"), ("image-3", "0")))

    screen.type("j\x1b[Bk\r")
    screen.shows(has("image-1: 1 holder, 1 waiter"))
    screen.shows(first_words(("holds", "exclusive"), ("waits", "1")))

    screen.type("\x1b")
    screen.shows(has("4 locks in use"))
    screen.type("k\r")
    screen.shows(has("image-2: 1 holder, 2 waiters"))
    screen.shows(first_words(("holds",), ("waits",), ("waits",)))


def test_it_is_live(terminal, hold):
    screen = terminal()
    screen.shows(has("0 locks in use"))
    holder = hold(2)
    screen.shows(has("2 locks in use"))
    screen.type("\r")
    screen.shows(has("image-0: 1 holder"))
    holder.tell()
    screen.shows(has("nobody holds it"))
    screen.type("\x1b")
    screen.shows(has("0 locks in use"))


def test_a_filter(terminal, hold):
    hold(12)
    screen = terminal(80, 24, "image-*")
    screen.shows(has("12 locks in use"))

    screen.type("/1q")
    screen.shows(has("/1q_"))
    screen.type("\x7f\r")
    screen.shows(has("3 locks in use of 12   /1"))
    screen.shows(first_words(("image-1",), ("image-10",), ("image-11",)))
    screen.type("/?\r")
    screen.shows(has("0 locks in use of 12   /1?"))
    screen.type("\x1b")
    screen.shows(has("12 locks in use"))


def test_it_follows_the_selected_one(terminal, hold):
    hold(60)
    screen = terminal()
    screen.shows(has("0 more above, 40 more below"))
    screen.type("\x1b[6~\x1b[6~\x1b[6~\x1b[6~")
    screen.shows(has("40 more above, 0 more below"))
    screen.type("\x1b[5~\x1b[5~\x1b[5~\x1b[5~")
    screen.shows(has("0 more above, 40 more below"))


def test_it_is_drawn_anew_in_another_size(terminal, hold):
    hold(1)
    screen = terminal(80, 24)
    screen.shows(has("1 lock in use"))
    screen.shows(lambda lines: len(lines[1]) == 80)
    screen.resize(120, 30)
    screen.shows(lambda lines: len(lines[1]) == 120)
    screen.resize(60, 10)
    screen.shows(lambda lines: len(lines[1]) == 60)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_ends_it_and_the_terminal_is_as_before(terminal, number):
    screen = terminal()
    screen.shows(has("locks in use"))
    screen.process.send_signal(getattr(signal, number))
    assert screen.end() == -getattr(signal, number)
    screen.is_as_before()


def test_ctrl_c(terminal):
    screen = terminal()
    screen.shows(has("locks in use"))
    screen.type("\x03\x03")
    assert screen.end() == -signal.SIGINT
    screen.is_as_before()


def test_a_terminal_that_goes_ends_it(terminal):
    screen = terminal()
    screen.shows(has("locks in use"))
    screen.hang_up()
    assert screen.process.end() == -signal.SIGHUP


@pytest.mark.parametrize("stdin", ["</dev/null", "<&-"])
def test_without_a_terminal(cli, stdin):
    result = cli.call(["sh", "-c", f'exec "$@" {stdin}', "sh", *cli.words("top")])
    assert (result.returncode, result.stdout) == (69, "")
    assert result.stderr == "lockutils: top needs a terminal; lockutils ls lists the locks once\n"


def test_without_rich(cli, terminal, monkeypatch):
    hides = (
        "import sys; sys.modules['rich'] = None; from lockutils.cli import main; sys.exit(main())"
    )
    monkeypatch.setattr(cli, "words", lambda *arguments: [sys.executable, "-c", hides, *arguments])
    screen = terminal(120)
    screen.shows(has("pip install lockutils[top]"))
    assert screen.end() == 69


def test_help_is_a_page(cli):
    result = cli.call(cli.words("top", "--help"))
    assert (result.returncode, result.stderr) == (0, "")
    for part in ("usage: lockutils top", "Keys:", "Exit status", "Example:"):
        assert part in result.stdout


def test_keys_are_told_apart():
    assert keys(b"q\x1b[Aj\x1b[6~\x1bOB\r\x1b") == [
        "q", "up", "j", "page down", "down", "enter", "escape",
    ]  # fmt: skip
    assert keys("é日/".encode()) == ["é", "日", "/"]
    assert keys(b"\x1b[") == ["\x1b["]
    assert keys(b"\xff") == ["\ufffd"]
