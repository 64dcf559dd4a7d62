"""One process of row 5: ``worker CONTENDER DIRECTORY``."""

from __future__ import annotations

import sys
import time

from benchmarks.children import answer, orders
from benchmarks.contenders import ALL, Maker


def compete(make: Maker, start: float, end: float, hold: float) -> tuple[int, float]:
    """Return how often the lock was acquired, and the longest wait for it in seconds."""
    time.sleep(max(0.0, start - time.monotonic()))
    count, longest = 0, 0.0
    while True:
        begun = time.monotonic()
        if begun >= end:
            return count, longest
        with make():
            longest = max(longest, time.monotonic() - begun)
            if hold:
                time.sleep(hold)
        count += 1


def main(contender: str, directory: str) -> None:
    make = ALL[contender].load(directory)
    for start, end, hold in orders():
        answer(compete(make, start, end, hold))


if __name__ == "__main__":
    main(*sys.argv[1:])
