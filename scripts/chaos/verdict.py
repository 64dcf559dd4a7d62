"""What a run has shown, for people and for programs."""

from __future__ import annotations

import collections
import json
import os
import platform
import re
from typing import TYPE_CHECKING, Any

import lockutils

if TYPE_CHECKING:
    from chaos.director import Goal, Outcome
    from chaos.life import Job

#: lines of each kind of fault that are shown
_SHOWN = 10


def say_what(job: Job, kinds: list[str], goal: Goal) -> None:
    counted = collections.Counter(kinds)
    print(f"seed: {job.seed}")
    print("processes:", ", ".join(f"{count} {kind}" for kind, count in counted.items()))
    print("faults:", ", ".join(job.faults) or "none")
    asked = [f"{goal.seconds:g} s", f"{goal.turns} turns", f"{goal.kills} kills"]
    print("until:", ", ".join(one for one in asked if not one.startswith("0 ")), flush=True)


def tell(job: Job, outcome: Outcome, path: str | None) -> bool:
    """Print it, and write it to ``path`` if given; return whether all is as it must be."""
    reports = _lines(f"{job.home}/reports")
    troubles = [text for text in _text(f"{job.home}/troubles").split("--- ") if text]
    # what has no end of its own wrote only there; gevent says more than errors
    # what multiprocessing starts has a traceback of Python's own when its parent is killed
    printed = re.sub(
        r"Traceback.*\n(?: .*\n)*EOFError: Ran out of input\n", "", _text(f"{job.home}/errors")
    )
    errors = [line for line in printed.splitlines() if _is_error(line)]
    ended: collections.Counter[str] = collections.Counter()
    for report in reports:
        ended.update(report["outcomes"])
    found: dict[str, list[str]] = {
        "overlaps": outcome.witness.overlaps,
        "wedges": outcome.wedges,
        "leaks": outcome.leaks
        + [f"{one['process']}: {one['left']}" for one in reports if one["left"]],
        "errors": troubles + errors,
    }
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "lockutils": _version(),
        "seed": job.seed,
        "seconds": round(outcome.seconds, 1),
        "turns": outcome.witness.turns.total(),
        "turns by mode": dict(outcome.witness.turns),
        "faults": outcome.injected,
        "split by a removed file": outcome.witness.split,
        "processes that ended in peace": len(reports),
        "their turns": dict(ended),
        "longest wait by mode, in seconds": {
            how: round(seconds, 2) for how, seconds in outcome.witness.longest.items()
        },
    }
    for name, value in facts.items():
        print(f"{name}: {value}")
    for name, lines in found.items():
        print(f"{name}: {len(lines)}")
        for line in lines[:_SHOWN]:
            print("   ", line.rstrip().replace("\n", "\n    "))
    if path is not None:
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**facts, **found}, file, indent=1)
    is_good = not any(found.values()) and facts["turns"] > 0
    print("verdict:", "good" if is_good else "BAD", flush=True)
    return is_good


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("lockutils")
    except importlib.metadata.PackageNotFoundError:
        return os.path.dirname(lockutils.__file__)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _lines(path: str) -> list[Any]:
    return [json.loads(line) for line in _text(path).splitlines()]


def _is_error(line: str) -> bool:
    return re.match(r"Traceback|Fatal|[\w.]+(Error|Exception|Interrupt|Exit)\b", line) is not None
