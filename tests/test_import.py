"""What ``import lockutils`` imports, and that nothing is imported once it is done.

Under an interpreter that eventlet or gevent patched the import locks are green: native threads
that meet at a late import can stop each other for ever.
"""

import functools
import importlib.metadata
import os

import lock_peers
import pytest

# without site-packages
run_python = functools.partial(lock_peers.run_python, options=("-S",))


HEAVY = """
    aiologic anyio asyncio dataclasses enum eventlet fasteners filelock gevent greenlet hashlib
    inspect logging re socket ssl string subprocess tempfile threading trio typing
"""


def test_import_loads_nothing_heavy():
    printed = run_python("""
import sys
before = set(sys.modules)
import lockutils
print(*set(sys.modules) - before)
""")
    assert set(printed.split()).isdisjoint([*HEAVY.split(), "importlib.metadata"])


def test_the_version_is_that_of_the_installed_package():
    program = "import lockutils; print(lockutils.__version__, '__version__' in dir(lockutils))"
    installed = importlib.metadata.version("lockutils")
    assert lock_peers.run_python(program).split() == [installed, "True"]
    nothing = "import importlib.metadata; "
    nothing += "importlib.metadata.MetadataPathFinder.find_distributions = lambda *_: iter(()); "
    assert run_python(nothing + program).split() == ["0+unknown", "True"]


def test_the_command_line_loads_nothing_heavy(tmp_path):
    printed = run_python(
        """
import sys
before = set(sys.modules)
from lockutils.cli import main
assert main(["run", "-nx", "--lock-path", sys.argv[1], "--lock", "name", "true"]) == 0
print(*set(sys.modules) - before)
""",
        str(tmp_path),
    )
    heavy = [*HEAVY.split(), "argparse", "difflib", "getopt", "importlib.metadata"]
    heavy.remove("enum")  # signal's
    assert set(printed.split()).isdisjoint(heavy)


def test_use_without_a_wait_loads_nothing_at_all(tmp_path):
    printed = run_python(
        """
import sys
import lockutils
decorated = lockutils.synchronized("used")(lambda: None)
before = set(sys.modules)
with lockutils.lock("used"):
    pass
with lockutils.lock("used", external=True, lock_path=sys.argv[1]):
    assert not lockutils.lock("used", external=True, lock_path=sys.argv[1]).acquire(blocking=False)
decorated()
with lockutils.LockByKey()["used"]:
    pass
print(*set(sys.modules) - before)
""",
        str(tmp_path),
    )
    assert printed.split() == []


# The first argument is the lock directory; `external` says whether the lock has a file there.
WAITERS = {
    "native thread": """
def waiter():
    with lock():
        entered.append(True)

def contend():
    with lock() as held:
        thread = threading.Thread(target=waiter, daemon=True)
        thread.start()
        while len(held._queue) < 2:
            pass
    thread.join(30)
""",
    "asyncio task": """
async def waiter():
    async with lock():
        entered.append(True)

async def both():
    async with lock() as held:
        task = asyncio.ensure_future(waiter())
        while len(held._queue) < 2:
            await asyncio.sleep(0)
    await asyncio.wait_for(task, 30)

def contend():
    asyncio.run(both())
""",
}
# The other process is this one: flock knows only descriptors.
OUTSIDERS = {
    "native thread": """
def contend():
    file = holder()
    thread = threading.Thread(target=waiter, daemon=True)
    thread.start()
    outlast(file)
    thread.join(30)
""",
    "native thread with a time-out": """
def contend():
    file = holder()
    thread = threading.Thread(target=waiter, kwargs={"timeout": 30}, daemon=True)
    thread.start()
    outlast(file)
    thread.join(30)
""",
    "native thread that times out": """
def contend():
    file = holder()
    try:
        waiter(timeout=0.001)
    except lockutils.LockTimeout as error:
        assert error.holder.pid == os.getpid(), error
        entered.append(True)
""",
    "asyncio task": """
async def take():
    async with lock():
        entered.append(True)

def contend():
    file = holder()
    thread = threading.Thread(target=outlast, args=(file,), daemon=True)
    thread.start()
    asyncio.run(asyncio.wait_for(take(), 30))
    thread.join(30)
""",
}
SOURCE = """
import sys
import lockutils
import asyncio, fcntl, os, threading  # the program's own

directory, external, entered = sys.argv[1], sys.argv[2] == "external", []

def lock(**options):
    return lockutils.lock("contended", external=external, lock_path=directory, **options)

def waiter(**options):
    with lock(**options):
        entered.append(True)

def holder():
    file = open(directory + "/contended", "wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file

def outlast(file):
    \"\"\"Let go once somebody waits.\"\"\"
    inode = f":{{os.fstat(file.fileno()).st_ino}} "
    while True:
        with open("/proc/locks", "rb") as table:
            if any("->" in line and inode in line for line in table.read().decode().splitlines()):
                break
    file.close()

async def nothing():
    await asyncio.sleep(0)

{}

# what asyncio and threading import at their first use is not ours
asyncio.run(nothing())
asyncio.run(asyncio.wait_for(nothing(), 30))
thread = threading.Thread(target=len, args=("",))
thread.start()
thread.join()
before = set(sys.modules)
contend()
after = set(sys.modules)
assert entered
print(*after - before)
"""


@pytest.mark.parametrize("external", ["internal", "external"])
@pytest.mark.parametrize("waiter", WAITERS)
def test_a_wait_in_the_process_imports_nothing(waiter, external, tmp_path):
    printed = run_python(SOURCE.format(WAITERS[waiter]), str(tmp_path), external)
    assert printed.split() == []


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="tells when somebody waits")
@pytest.mark.parametrize("waiter", OUTSIDERS)
def test_a_wait_for_another_process_imports_nothing(waiter, tmp_path):
    # what calls a sleeper back is imported by the first wait: it costs too much for each program
    source = "import ctypes\n" + SOURCE.format(OUTSIDERS[waiter])
    printed = run_python(source, str(tmp_path), "external")
    assert printed.split() == []


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize("waiter", OUTSIDERS)
def test_where_greenthreads_may_be_a_wait_imports_nothing_at_all(waiter, library, tmp_path):
    pytest.importorskip(library)
    source = f"import lockutils, {library}.queue\n" + SOURCE.format(OUTSIDERS[waiter])
    printed = lock_peers.run_python(source, str(tmp_path), "external")
    assert printed.split() == []


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_where_greenthreads_are_sleepers_can_be_called_back(library):
    pytest.importorskip(library)
    program = f"import {library}, lockutils\nfrom lockutils.parking import callback\n"
    assert lock_peers.run_python(program + "print(callback.why_not())").split() == ["None"]


def test_a_long_name_imports_nothing(tmp_path):
    printed = run_python(
        """
import sys
import lockutils
before = set(sys.modules)
with lockutils.lock(200 * "long", external=True, lock_path=sys.argv[1]):
    pass
print(*set(sys.modules) - before)
""",
        str(tmp_path),
    )
    assert printed.split() == []
