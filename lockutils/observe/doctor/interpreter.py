"""The platform, the interpreter, and how a waiter waits in it."""

from __future__ import annotations

import os
import sys
from importlib import metadata

from lockutils.backends.file.file_mode import VARIABLE
from lockutils.observe.doctor.finding import ok, warning
from lockutils.parking import callback, helpers
from lockutils.parking.native import held_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockutils.observe.doctor.finding import Place, Result

#: the oldest versions that the tests have been run with
TESTED = {"eventlet": "0.41.3", "gevent": "26.9.0", "greenlet": "3.5.6", "trio": "0.35.0"}
#: of interest, too: they bring settings of the lock directory
_WITH_SETTINGS = ("oslo.config", "oslo.concurrency")
#: those that mean something to lockutils
VARIABLES = (
    *("LOCKUTILS_LOCK_PATH", "OSLO_LOCK_PATH", VARIABLE),
    *("LOCKUTILS_WATCH_ORDER", "LOCKUTILS_WATCH_DEADLOCKS", "LOCKUTILS_HELD"),
)
#: descriptors; fewer are soon used up by a program that holds many locks
_FEW = 256


def platform(place: Place) -> Iterator[Result]:
    if os.name == "posix":
        name = os.uname()
        yield ok(f"{name.sysname} {name.release}, {name.machine}")
    else:
        yield warning(
            f"{sys.platform}: filelock does the locking, and waiters look again and again",
            "use a POSIX system where shared, slots or fair are needed",
        )


def python(place: Place) -> Iterator[Result]:
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    text = f"{sys.implementation.name} {sys.version.split()[0]}, with{'' if has_gil else 'out'} GIL"
    yield ok(text + (", debug build" if hasattr(sys, "gettotalrefcount") else ""))


def lockutils(place: Place) -> Iterator[Result]:
    from lockutils import __file__, __version__

    yield ok(f"{__version__}, from {os.path.dirname(__file__)}")


def libraries(place: Place) -> Iterator[Result]:
    found, old = [], []
    for name in (*TESTED, *_WITH_SETTINGS):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(f"{name} {version}")
        if name in TESTED and _numbers(version) < _numbers(TESTED[name]):
            old.append(f"{name} {TESTED[name]}")
    text = ", ".join(found) or "none of those that lockutils works with"
    yield ok(text + (f"; older than tested, which is {', '.join(old)}" if old else ""))


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def environment(place: Place) -> Iterator[Result]:
    known = [name for name in VARIABLES if name in os.environ]
    # what a lock is held by says nothing to a reader
    texts = [f"${name}={os.environ[name]}" for name in known if name != "LOCKUTILS_HELD"]
    if "LOCKUTILS_HELD" in known:
        texts.append("below a lockutils run ($LOCKUTILS_HELD)")
    yield ok(", ".join(texts) or "no variable of lockutils is set")
    for name in sorted(os.environ):
        if name.startswith("LOCKUTILS_") and name not in VARIABLES:
            advice = f"those that count are {', '.join(VARIABLES)}"
            yield warning(f"${name} means nothing to lockutils", advice)


def waiting(place: Place) -> Iterator[Result]:
    if os.name != "posix":
        return
    why = callback.why_not()
    if why is None:
        yield ok("a thread sleeps in the kernel, also with a time-out")
    elif sys.platform != "linux":
        yield ok(f"helper threads sleep for waiters that have a time-out: {why}")
    else:
        text = f"helper threads sleep for waiters that have a time-out: {why}"
        yield warning(text, "use a 64-bit Python that has ctypes")


def threads(place: Place) -> Iterator[Result]:
    has_run = held_lock()
    try:
        helpers.run(has_run.release)
    except helpers.NoHelper:
        text = "no thread can be started: tasks and greenthreads poll"
        yield warning(text, "raise the limit: ulimit -u, or TasksMax= in a systemd unit")
    else:
        has_run.acquire(True, 1)
        yield ok(f"up to {helpers.LIMIT} helper threads sleep for tasks and greenthreads")


def descriptors(place: Place) -> Iterator[Result]:
    try:
        import resource
    except ImportError:  # on Windows
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        yield ok("a process may open as many as the system has")
    elif soft < _FEW:
        text = f"a process may open {soft}; a lock takes 1, and 2 while it is waited for"
        yield warning(text, "raise the limit: ulimit -n, or LimitNOFILE= in a systemd unit")
    else:
        yield ok(f"a process may open {soft}")


CHECKS = (
    *(platform, python, lockutils, libraries, environment),
    *(waiting, threads, descriptors),
)
