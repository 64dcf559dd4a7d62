"""Programs that lock a file by other tools: each says ``held`` or ``busy``, then releases."""

# Each tool tries once on the file in sys.argv[1], and sets `held` and `release`.
PYTHON_TOOLS = {
    "oslo.concurrency": """
from oslo_concurrency import lockutils
lock = lockutils.lock(name, external=True, lock_path=directory, blocking=False)
try:
    held = lock.__enter__() is not None
except lockutils.AcquireLockFailedException:
    held = False
release = lambda: lock.__exit__(None, None, None)
""",
    "fasteners": """
import fasteners
lock = fasteners.InterProcessLock(path)
held, release = lock.acquire(blocking=False), lock.release
""",
    "filelock": """
import filelock
lock = filelock.FileLock(path)
try:
    held = lock.acquire(blocking=False) is not None
except filelock.Timeout:
    held = False
release = lock.release
""",
    "portalocker": """
import portalocker
lock = portalocker.Lock(path, timeout=0, fail_when_locked=True)
try:
    held = lock.acquire() is not None
except portalocker.LockException:
    held = False
release = lock.release
""",
    "lockutils": """
import lockutils
lock = lockutils.lock(name, external=True, lock_path=directory)
held, release = lock.acquire(blocking=False), lock.release
""",
}
# what flock(1) --fcntl does since util-linux 2.41, for where flock(1) is older
OFD_TOOL = """
import fcntl, struct
file = open(path, "a")
def set_lock(kind):
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))
try:
    set_lock(fcntl.F_WRLCK)
    held = True
except (BlockingIOError, PermissionError):
    held = False
release = lambda: set_lock(fcntl.F_UNLCK)
"""
PYTHON_PEER = """
import os, sys
path = sys.argv[1]
directory, name = os.path.split(path)
{}
print("held" if held else "busy", flush=True)
if held:
    sys.stdin.readline()
    release()
    print("released", flush=True)
    sys.stdin.readline()  # what lets the next one in must be the release, not the exit
"""
SHELL_PEER = """
exec 9>>"$1"
if flock {} --nonblock 9; then
    echo held; read line
    flock {} --unlock 9
    echo released; read line
else
    echo busy
fi
"""
