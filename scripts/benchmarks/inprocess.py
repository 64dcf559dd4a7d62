"""Row 1: acquire and release inside one process, uncontended.

The floor is what any lock by name has to do: a guarded look-up in a WeakValueDictionary, which
creates a semaphore where there is none, and taking and giving that semaphore.  A name that is
in use elsewhere has its lock already; one that is not gets a lock made, and dropped again, each
time.  Compared are a statement and the floor of the same situation.
"""

from __future__ import annotations

from benchmarks.report import Table
from benchmarks.statements import Statement, measure
from benchmarks.targets import ratio

FLOOR_SETUP = """
import threading, weakref
guard = threading.Lock()
semaphores = weakref.WeakValueDictionary()
"""
FLOOR = """
with guard:
    semaphore = semaphores.get("a")
    if semaphore is None:
        semaphore = semaphores["a"] = threading.Semaphore()
with semaphore:
    pass
del semaphore
"""
OURS = "from lockutils import lock, synchronized\n"
OSLO = "from oslo_concurrency import lockutils\n"
#: what an application has loaded besides
LOADED = "import asyncio, greenlet, logging, threading\n"
DECORATED = '@synchronized("a")\ndef function(): pass\n'

TARGET = ratio(1.25)
KEPT, MADE = "floor, name in use", "floor, name not in use"

STATEMENTS = [
    Statement(KEPT, FLOOR, FLOOR_SETUP + "kept = semaphores['a'] = threading.Semaphore()"),
    Statement(MADE, FLOOR, FLOOR_SETUP),
    Statement(
        'lockutils: with lock("a"), in use',
        'with lock("a"): pass',
        OURS + "kept = lock('a')",
        floor=KEPT,
        target=TARGET,
    ),
    Statement(
        'lockutils: with lock("b"), not in use',
        'with lock("b"): pass',
        OURS,
        floor=MADE,
        target=TARGET,
    ),
    Statement(
        "lockutils: @synchronized, not in use",
        "function()",
        OURS + DECORATED.replace('"a"', '"c"'),
        floor=MADE,
        target=TARGET,
    ),
    Statement(
        "lockutils: kept handle",
        "with handle: pass",
        OURS + "handle = lock('d')",
        floor=KEPT,
        target=TARGET,
    ),
    Statement(
        "  in use; asyncio, greenlet, logging loaded",
        'with lock("a"): pass',
        LOADED + OURS + "kept = lock('a')",
        process="loaded",
        floor=KEPT,
        package="greenlet",
    ),
    Statement(
        "oslo.concurrency: with lock(), in use",
        'with lockutils.lock("a"): pass',
        OSLO + "kept = lockutils.internal_lock('a')",
        process="oslo",
        floor=KEPT,
        package="oslo.concurrency",
    ),
    Statement(
        "oslo.concurrency: with lock(), not in use",
        'with lockutils.lock("b"): pass',
        OSLO,
        process="oslo",
        floor=MADE,
        package="oslo.concurrency",
    ),
    Statement(
        "oslo.concurrency: @synchronized",
        "function()",
        "from oslo_concurrency.lockutils import synchronized\n" + DECORATED,
        process="oslo",
        floor=MADE,
        package="oslo.concurrency",
    ),
    Statement(
        "aiologic.Lock, kept",
        "with lock: pass",
        "import aiologic; lock = aiologic.Lock()",
        process="aiologic",
        floor=KEPT,
        package="aiologic",
    ),
]


def table(quick: bool, directory: str) -> Table:
    return Table(
        "1. In-process acquire + release, uncontended",
        "Floor: guard + WeakValueDictionary look-up-or-create + threading.Semaphore, by hand.",
        measure(STATEMENTS, *((16, 400) if quick else (50, 500))),
    )
