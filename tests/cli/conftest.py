"""Real ``lockutils`` processes, and a directory for their locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lockutils

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside, in any import mode

_SOURCE = str(Path(lockutils.__file__).parents[1])
_MAIN = "import sys; from lockutils.cli import main; sys.exit(main())"
#: when it has taken so long, in seconds, it hangs
PATIENCE = 300


class Process(subprocess.Popen[str]):
    """A process that talks by lines."""

    def tell(self, line: str = "") -> None:
        """Write a line to its stdin."""
        assert self.stdin is not None
        self.stdin.write(line + "\n")
        self.stdin.flush()

    def hear(self) -> str:
        """Return the next line of its stdout, ``""`` at the end."""
        assert self.stdout is not None
        return self.stdout.readline().rstrip("\n")

    def hear_error(self) -> str:
        """Return the next line of its stderr, ``""`` at the end."""
        assert self.stderr is not None
        return self.stderr.readline().rstrip("\n")

    def end(self) -> int:
        """Return its status, once it has ended."""
        return self.wait(PATIENCE)


class CommandLine:
    """Starts ``lockutils`` with the locks of one test."""

    def __init__(self, lock_path: Path) -> None:
        self.lock_path = lock_path
        self.environment = {**os.environ, "PYTHONPATH": _SOURCE}
        # As users start it: with this variable, nothing waits in a buffer for the end.
        self.environment.pop("PYTHONUNBUFFERED", None)
        self._started: list[Process] = []

    def words(self, *arguments: str, main: str = _MAIN) -> list[str]:
        """The words that run ``lockutils`` with ``arguments``."""
        return [sys.executable, "-c", main, *arguments]

    def run_words(self, *arguments: str, lock: str = "job", main: str = _MAIN) -> list[str]:
        """The words that run ``lockutils run``, with this lock and ``arguments``."""
        ours = ("--lock-path", str(self.lock_path), "--lock", lock)
        return self.words("run", *ours, *arguments, main=main)

    def start(self, words: list[str], **options: Any) -> Process:
        """Start ``words``, with a pipe at each standard stream."""
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        settings = {**streams, "env": self.environment, "text": True, **options}
        process = Process(words, **settings)
        self._started.append(process)
        return process

    def call(self, words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run ``words`` to the end, with nothing on stdin."""
        process = self.start(words, **{"stdin": subprocess.DEVNULL, **options})
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """``lockutils run`` to its end, with the lock ``job``."""
        return self.call(self.run_words(*arguments), **options)

    def hold(self, *arguments: str, lock: str = "job", **options: Any) -> Process:
        """``lockutils run`` of a command that runs now, until it is told a line."""
        command = ("sh", "-c", "echo holding; read -r line")
        process = self.start(self.run_words(*arguments, *command, lock=lock), **options)
        assert process.hear() == "holding"
        return process

    def is_held(self, lock: str = "job") -> bool:
        """Whether somebody holds ``lock``: two tools are asked, and must agree."""
        flock = subprocess.call(["flock", "-n", str(self.lock_path / lock), "true"])
        ours = self.call(self.run_words("--no-wait", "true", lock=lock)).returncode
        assert (flock, ours) in ((0, 0), (1, 75))
        return ours == 75

    def clean_up(self) -> None:
        """End what is still running; a command of ours ends when its stdin does."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    try:
                        stream.close()
                    except BrokenPipeError:
                        pass
            process.end()


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line of ``lockutils``, with locks in a directory of this test."""
    # a background job of a shell starts with these ignored, and so would all our processes
    ignored = [
        number
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    command_line = CommandLine(tmp_path / "locks")
    yield command_line
    command_line.clean_up()
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
