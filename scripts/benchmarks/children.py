"""Child processes that are told what to do line by line, in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


class Child:
    """A fresh interpreter that runs a module of this package.

    What is measured in it shares no imported module and no patched function with this process.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def tell(self, message: Any) -> None:
        assert self._process.stdin is not None
        print(json.dumps(message), file=self._process.stdin, flush=True)

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")
        return json.loads(line)

    def ask(self, message: Any) -> Any:
        self.tell(message)
        return self.hear()

    def check(self) -> None:
        """Raise RuntimeError if it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")

    def dismiss(self) -> None:
        """Tell it that there is no more to do."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def end(self) -> None:
        self.dismiss()
        self._process.wait()


def end_all(children: list[Child]) -> None:
    """End them side by side."""
    for child in children:
        child.dismiss()
    for child in children:
        child.end()


def orders() -> Any:
    """In the child: what it is told, one after another, until the parent has no more."""
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        yield json.loads(line)


def answer(message: Any) -> None:
    """In the child: tell the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
