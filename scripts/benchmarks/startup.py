"""Row 4: how long a whole process takes that imports, or runs a command under a lock.

Each is started by posix_spawn and waited for; the compiled files of all modules are in place.
"""

from __future__ import annotations

import os
import shutil
import sys
import time

from benchmarks.machine import is_installed
from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import Target, extra_ms, ratio

IMPORT_TARGET = extra_ms(25.0)
RUN_TARGET = ratio(2.5)

#: what is imported, of which distribution
IMPORTS = (
    ("oslo_concurrency.lockutils", "oslo.concurrency"),
    ("fasteners", "fasteners"),
    ("filelock", "filelock"),
    ("portalocker", "portalocker"),
    ("aiologic", "aiologic"),
)
#: compiled files are to be written by the first run of each, for those that are measured
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
WITHOUT_SCRIPT = "import sys; from lockutils.cli import main; sys.exit(main())"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def spawn(command: list[str]) -> list[float]:
    """Return how long the command takes, from its start to its end."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, ENVIRONMENT)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return [seconds]


def our_command() -> tuple[str, list[str]]:
    """Return the command line tool, and what it is called by."""
    script = os.path.join(os.path.dirname(sys.executable), "lockutils")
    if os.path.exists(script):
        return "lockutils run -- true", [script]
    return "lockutils run -- true, by python -c", python(WITHOUT_SCRIPT)


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "startup")
    os.mkdir(directory)
    true, flock = shutil.which("true"), shutil.which("flock")

    def case(label: str, command: list[str], floor: Case | None, target: Target | None) -> Case:
        targets = () if target is None else (target,)
        return Case(label, lambda: spawn(command), floor, targets)

    floor = case("floor: python -c pass", python("pass"), None, None)
    cases = [floor, case("import lockutils", python("import lockutils"), floor, IMPORT_TARGET)]
    label, ours = our_command()
    if true is not None:
        where = ["run", "--lock", "x", "--lock-path", directory, "--", true]
        cases.append(case(label, [*ours, *where], floor, RUN_TARGET))
    if true is not None and flock is not None:
        command = [flock, os.path.join(directory, "y"), true]
        cases.append(case("flock(1) -- true", command, floor, None))
    else:
        cases.append(Case("flock(1)", None, missing="flock(1) not installed"))
    for module, package in IMPORTS:
        if is_installed(package):
            cases.append(case(f"import {module}", python(f"import {module}"), floor, None))
        else:
            cases.append(Case(f"import {module}", None, missing=f"{package} not installed"))
    for one in cases:
        if one.measure is not None:
            one.measure()  # to have it compiled and read from the disk
    take_turns(cases, 8 if quick else 30)
    for one in cases:
        if one.rounds:
            one.more["extra ms"] = one.extra() * 1e3
    return Table(
        "4. Start-up, whole processes",
        "Floor: the interpreter alone, as it is here.",
        cases,
        unit=("ms", 1e3),
    )
