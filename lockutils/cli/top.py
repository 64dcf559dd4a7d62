"""``lockutils top``: the locks of a directory, live in a terminal.  Drawn by rich."""

from __future__ import annotations

import os
import select
import signal
import sys
from time import monotonic

from lockutils.cli.ls import find, matcher
from lockutils.cli.options import HELP, LOCK_PATH, lock_path_of, parse_one, print_help, text_of
from lockutils.cli.report import EX_UNAVAILABLE, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from lockutils.cli.top_view import View

PROGRAM = "lockutils top"
USAGE = f"""\
{PROGRAM} [OPTION ...] [PATTERN]

Shows the locks that somebody holds or waits for, as lockutils ls does, in a terminal, and looks
again each second.  The locks with the most waiters come first.

PATTERN selects names as a shell does: * ? [abc].  Quote it."""
OPTIONS = {
    "--lock-path": LOCK_PATH,
    "--help": HELP,
}
EPILOG = """\
Keys:
  Up, Down, k, j, PgUp, PgDn   select a lock
  Enter                        show who holds it and who waits for it, in order; Esc goes back
  /                            type what names must contain, or a pattern; Esc drops it
  q                            quit

It needs rich: pip install lockutils[top].

Exit status: 0; 64 for a wrong command line; 69 if there is no terminal, no rich, or this system
does not tell who has a file locked; 73 if the directory cannot be read.

Example:
  lockutils top 'backup-*'
"""
#: seconds between two looks
_PERIOD = 1.0
_KEYS = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\r": "enter",
    b"\n": "enter",
    b"\x1b": "escape",
    b"\x7f": "backspace",
    b"\x08": "backspace",
}
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
#: what ends a sequence of one key
_FINALS = frozenset(b"~" + bytes(range(ord("A"), ord("Z") + 1)))


def top(arguments: list[str]) -> int:
    """Show the locks of a directory until the user quits.

    :return: the exit status
    :raises UsageError: if the arguments are wrong
    """
    given, pattern = parse_one(arguments, OPTIONS, PROGRAM, "pattern")
    if "--help" in given:
        return print_help(USAGE, OPTIONS, EPILOG)
    streams = sys.stdin, sys.stdout  # None if it was closed when we were started
    has_terminal = all(stream is not None and stream.isatty() for stream in streams)
    if not has_terminal or os.environ.get("TERM") == "dumb":
        say("top needs a terminal; lockutils ls lists the locks once")
        return EX_UNAVAILABLE
    try:
        from lockutils.cli.top_view import View
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        say(f"top needs {missing}, which is not installed: pip install lockutils[top]")
        return EX_UNAVAILABLE
    pattern = text_of(pattern or "")
    found = find(lock_path_of(given), matcher(pattern))
    if isinstance(found, int):
        return found
    directory, locks = found
    view = View(directory, matcher(pattern), locks)
    ended_by = _Terminal(view).run()
    if ended_by:
        # as who sent it expects
        signal.signal(ended_by, signal.SIG_DFL)
        signal.raise_signal(ended_by)
    return 0


class _Terminal:
    """The terminal: its mode, its size, and the keys."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._stdin = sys.stdin.fileno()
        #: the signal that ends the program, or 0
        self._signal = 0

    def run(self) -> int:
        """Draw until the user quits; return the signal that ended it, or 0."""
        import termios

        before = termios.tcgetattr(self._stdin)
        mode = termios.tcgetattr(self._stdin)
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        # who stops it would find the terminal in this mode
        mode[6][termios.VSUSP] = b"\0"
        # Signals only write to a pipe.  An exception would come at any instruction, and perhaps
        # leave the terminal half restored.
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in _ENDS:
            signal.signal(number, self._end)
        signal.signal(signal.SIGWINCH, lambda number, frame: None)
        try:
            termios.tcsetattr(self._stdin, termios.TCSADRAIN, mode)
            with self._view.screen():
                self._loop(read_end)
        except OSError:
            self._signal = self._signal or signal.SIGHUP  # the terminal is gone
        finally:
            signal.set_wakeup_fd(-1)
            try:
                termios.tcsetattr(self._stdin, termios.TCSADRAIN, before)
            except termios.error:
                pass  # the terminal is gone
        return self._signal

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._signal = number

    def _loop(self, woken: int) -> None:
        next_look = monotonic() + _PERIOD
        while not self._signal:
            self._view.draw(*os.get_terminal_size(self._stdin))
            left = max(0.0, next_look - monotonic())
            ready, _, _ = select.select([self._stdin, woken], [], [], left)
            if woken in ready:
                os.read(woken, 4096)
            if self._stdin in ready:
                typed = os.read(self._stdin, 4096)
                if not typed or not all(map(self._view.press, keys(typed))):
                    return  # the user quits, or the terminal is gone
            if monotonic() >= next_look:
                self._view.look()
                next_look = monotonic() + _PERIOD


def keys(typed: bytes) -> list[str]:
    """Return what was typed: names of keys, and characters."""
    found = []
    while typed:
        length = 1
        if typed[:2] in (b"\x1b[", b"\x1bO"):
            ends = (at for at, byte in enumerate(typed[2:], 3) if byte in _FINALS)
            length = next(ends, len(typed))
        elif typed[0] >= 0xC0:  # the beginning of a character
            length = 2 + (typed[0] >= 0xE0) + (typed[0] >= 0xF0)
        key, typed = typed[:length], typed[length:]
        found.append(_KEYS.get(key) or key.decode("utf-8", "replace"))
    return found
