"""Row 2: acquire and release across processes, uncontended, on a file that exists.

The floor is the bare system calls on a file of the same directory: open, flock, record lock of
the open file description, close, which lets go of both.  The peers are kept objects, which is
the quickest way to use them; oslo.concurrency's lock() is made each time, as ours is.
"""

from __future__ import annotations

import os
import tempfile

from benchmarks.machine import file_system
from benchmarks.report import Table
from benchmarks.statements import Statement, measure
from benchmarks.targets import beside as beside_peer

CALLS = """
import fcntl, os, struct
os.makedirs({0!r}, exist_ok=True)
path = {0!r} + "/floor"
flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
write, unlock = (struct.pack("hhqqi4x", kind, 0, 0, 0, 0) for kind in (1, 2))
"""
FLOCK = """
fd = os.open(path, flags)
fcntl.flock(fd, fcntl.LOCK_EX)
os.close(fd)
"""
BOTH = """
fd = os.open(path, flags)
fcntl.flock(fd, fcntl.LOCK_EX)
fcntl.fcntl(fd, 37, write)
os.close(fd)
"""
#: all that lockutils asks of the kernel: the check of what was locked, unlocking by hand
ALL = """
fd = os.open(path, flags)
fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.fcntl(fd, 37, write)
os.fstat(fd)
fcntl.fcntl(fd, 37, unlock)
fcntl.flock(fd, fcntl.LOCK_UN)
os.close(fd)
"""
FASTENERS, FILELOCK = "fasteners.InterProcessLock", "filelock.FileLock"
FLOOR, FLOOR_IN_DEFAULT = "floor: open, flock, F_OFD_SETLK, close", "floor, default directory"
#: the lock in the default directory; its file is removed afterwards
NAME = "lockutils-benchmark"


def statements(directory: str, beside_default: str) -> list[Statement]:
    ours = f"from lockutils import lock, synchronized\nD = {directory!r}\n"
    peers = f"D = {directory!r}\n"
    calls = CALLS.format(directory)
    return [
        Statement(FLOOR, BOTH, calls),
        Statement("  flock alone: open, flock, close", FLOCK, calls, floor=FLOOR),
        Statement("  with fstat and both unlocked by hand", ALL, calls, floor=FLOOR),
        Statement(
            'lockutils: with lock("a", external=True, lock_path=D)',
            'with lock("a", external=True, lock_path=D): pass',
            ours,
            floor=FLOOR,
        ),
        Statement(
            "lockutils: @synchronized(external=True, lock_path=D)",
            "function()",
            ours + '@synchronized("b", external=True, lock_path=D)\ndef function(): pass',
            floor=FLOOR,
        ),
        Statement(
            "lockutils: kept handle",
            "with handle: pass",
            ours + 'handle = lock("c", external=True, lock_path=D)',
            floor=FLOOR,
        ),
        Statement(FLOOR_IN_DEFAULT, BOTH, CALLS.format(beside_default)),
        Statement(
            "lockutils: with lock(name, external=True), default directory",
            f'with lock("{NAME}", external=True): pass',
            ours,
            floor=FLOOR_IN_DEFAULT,
        ),
        Statement(
            "oslo.concurrency: with lock(external=True)",
            'with lockutils.lock("d", external=True, lock_path=D): pass',
            peers + "from oslo_concurrency import lockutils",
            process="oslo",
            floor=FLOOR,
            package="oslo.concurrency",
        ),
        Statement(
            FASTENERS,
            "with lock: pass",
            peers + "import fasteners; lock = fasteners.InterProcessLock(D + '/e')",
            process="fasteners",
            floor=FLOOR,
            package="fasteners",
        ),
        Statement(
            FILELOCK,
            "with lock: pass",
            peers + "import filelock; lock = filelock.FileLock(D + '/f')",
            process="filelock",
            floor=FLOOR,
            package="filelock",
        ),
        Statement(
            "portalocker.Lock",
            "with lock: pass",
            peers + "import portalocker; lock = portalocker.Lock(D + '/g')",
            process="portalocker",
            floor=FLOOR,
            package="portalocker",
        ),
    ]


def table(quick: bool, directory: str) -> Table:
    from lockutils import get_lock_path, lock

    directory = os.path.join(directory, "external")
    # beside the default one: on its file system, with a floor of its own
    with tempfile.TemporaryDirectory(dir=os.path.dirname(get_lock_path())) as beside:
        cases = measure(statements(directory, beside), *((16, 120) if quick else (50, 150)))
        default = file_system(beside)
    peers = {case.label: case for case in cases if case.rounds}
    for case in cases:
        if case.label.startswith("lockutils:"):
            case.targets = tuple(
                beside_peer(peers[peer], limit, peer.partition(".")[0])
                for peer, limit in ((FASTENERS, 0.40), (FILELOCK, 0.10))
                if peer in peers
            )
    with lock(NAME, external=True):
        os.unlink(os.path.join(get_lock_path(), NAME))
    return Table(
        "2. Acquire + release across processes, uncontended",
        f"Floor: the system calls by hand.  The default directory is on {default}.",
        cases,
    )
