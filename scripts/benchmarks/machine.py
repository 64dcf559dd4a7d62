"""What the figures were measured on, and with which versions."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version

PEERS = ("oslo.concurrency", "fasteners", "filelock", "portalocker", "aiologic")
LOOPS = ("trio", "gevent", "eventlet")


def facts(directory: str) -> dict[str, str]:
    """Return what to know about this run, by name."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "processor": processor(),
        "cores": f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}",
        "load": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "lock directory": f"{directory} ({file_system(directory)})",
        "Python": f"{platform.python_version()} ({sys.executable})",
        "peers": ", ".join(map(installed, PEERS)),
        "loops": ", ".join(map(installed, LOOPS)),
    }


def processor() -> str:
    """Return the model of the first core."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def installed(distribution: str) -> str:
    """Return the distribution with its version, or that it is not installed."""
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution} not installed"


def is_installed(distribution: str | None) -> bool:
    """Whether it can be measured; ``None`` is what needs nothing."""
    return distribution is None or "not installed" not in installed(distribution)


def file_system(path: str) -> str:
    """Return the type of the file system that ``path`` is on."""
    best, found = "", "unknown file system"
    try:
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            for line in mounts:
                _, point, kind, *_ = line.split()
                inside = os.path.commonpath([point, os.path.realpath(path)]) == point
                if inside and len(point) >= len(best):
                    best, found = point, kind
    except OSError:
        pass
    return found
