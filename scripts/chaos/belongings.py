"""What a process has, and what of it is left when it should be gone."""

from __future__ import annotations

import collections
import gc
import os
import time
from typing import NamedTuple

import lockutils
from lockutils.local.registry import registries_of_names
from lockutils.parking import helpers


class Belongings(NamedTuple):
    """What a process has: each is to be no more at the end than at the beginning."""

    #: what its descriptors are open on, inotify instances among them
    descriptors: list[str]
    #: without helpers that are idle and will end by themselves
    threads: int
    #: locks that somebody has a handle of
    registered: list[str]
    held: list[str]


def belongings() -> Belongings:
    gc.collect()
    descriptors = []
    for number in os.listdir("/proc/self/fd"):
        try:
            descriptors.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:  # that of the listing itself
            pass
    return Belongings(
        sorted(descriptors),
        len(os.listdir("/proc/self/task")) - len(helpers._idle),
        sorted(str(key) for registry in registries_of_names() for key, _ in registry.items()),
        sorted(lockutils.held()),
    )


def left_behind(before: Belongings, within: float) -> list[str]:
    """Return what is more than before, and does not go within some seconds."""
    deadline = time.monotonic() + within
    while True:
        now = belongings()
        left = _more(now.descriptors, before.descriptors)
        if now.threads > before.threads:
            left.append(f"{now.threads - before.threads} threads")
        left += [f"the lock {name!r}" for name in _more(now.registered, before.registered)]
        left += [f"the held lock {name!r}" for name in now.held]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def _more(now: list[str], before: list[str]) -> list[str]:
    return sorted((collections.Counter(now) - collections.Counter(before)).elements())
