"""Helper threads end with what they help: at a fork when idle, at the end of an interpreter."""

import sys
import threading

import pytest

pytest.importorskip("fcntl")

from lock_peers import run_python, until

from lockutils.parking import helpers

BEGINNING = """
import asyncio, os, sys, threading
{before}
import lockutils
from lockutils.parking import helpers
def lock(**how):
    return lockutils.lock("name", external=True, lock_path=sys.argv[1], **how)
holder = lock(semaphores=lockutils.Semaphores())
async def wait(timeout):
    try:
        await asyncio.wait_for(lock().async_acquire(), timeout)
    except asyncio.TimeoutError:
        pass
"""


def run(program, tmp_path, *arguments, before="", **options):
    source = BEGINNING.format(before=before) + program
    return run_python(source, str(tmp_path), *arguments, **options).splitlines()


def test_idle_ones_end_before_a_fork(tmp_path):
    """A process with other threads is warned of, and counted by the system."""
    # what is registered first is called last
    count = "os.register_at_fork(before=lambda: print(len(os.listdir('/proc/self/task'))))"
    lines = run(
        "with holder:\n"
        "    asyncio.run(wait(0.01))\n"
        "while not helpers._idle: pass  # what it gave up, it gives back first\n"
        "if os.fork() == 0: os._exit(0)\n"
        "os.wait()\n"
        "print(len(helpers._running))\n",
        tmp_path,
        before=count,
        options=("-W", "error::DeprecationWarning"),
    )

    assert lines == ["1", "0"]


def test_busy_ones_go_on_after_a_fork(tmp_path):
    lines = run(
        "holder.acquire()\n"
        "async def main():\n"
        "    waiting = asyncio.create_task(wait(30))\n"
        "    while not helpers._running:\n"
        "        await asyncio.sleep(0.001)\n"
        "    if os.fork() == 0:\n"
        "        os._exit(len(helpers._running))\n"
        "    print(os.wait()[1])\n"
        "    holder.release()\n"
        "    await waiting\n"
        "asyncio.run(main())\n"
        "print('held')\n",
        tmp_path,
        options=("-W", "ignore::DeprecationWarning"),
    )

    assert lines == ["0", "held"]


@pytest.mark.parametrize("ending", ["idle", "busy", "polling"])
def test_all_end_with_the_program(tmp_path, ending):
    """Nobody will wait any more for what a busy one sleeps for."""
    lines = run(
        "holder.acquire()\n"
        "if sys.argv[2] == 'polling': helpers.LIMIT = 0\n"
        "def run():\n"
        "    asyncio.run(wait(0.01 if sys.argv[2] == 'idle' else 1000))\n"
        "waiting = threading.Thread(target=run, daemon=True)\n"
        "waiting.start()\n"
        "if sys.argv[2] == 'idle': waiting.join()\n"
        "while sys.argv[2] == 'busy' and 'FLOCK' not in open('/proc/locks').read(): pass\n"
        "import atexit\n"
        "atexit._run_exitfuncs()\n"
        "print(len(helpers._running))\n"
        "try: helpers.run(print)\n"
        "except helpers.NoHelper: print('none any more')\n"
        "sys.stdout.flush()\n"
        "os._exit(0)\n",
        tmp_path,
        ending,
    )

    assert lines == ["0", "none any more"]


SUBINTERPRETER = """
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
holder.acquire()
one = interpreters.create()
interpreters.run_string(one, f'''
import sys
sys.path[:0] = {sys.path}
import lockutils
print(lockutils.lock("name", external=True, lock_path={sys.argv[1]!r}).acquire(timeout=0.02))
''')
interpreters.destroy(one)
holder.release()
print(lock().acquire(blocking=False))
"""


def test_a_subinterpreter_ends_that_waited(tmp_path):
    assert run(SUBINTERPRETER, tmp_path) == ["False", "True"]


def test_the_end_of_a_job_is_forgotten_with_the_job():
    called = threading.Event()
    helpers.run(called.set, lambda: True)
    assert called.wait(30)

    until(lambda: called.set not in helpers._enders, "it is forgotten")


def test_no_more_than_there_may_be(monkeypatch):
    helpers._end_idle()
    begun, go_on = threading.Event(), threading.Event()

    def job():
        begun.set()
        go_on.wait(30)

    monkeypatch.setattr(helpers, "LIMIT", len(helpers._running) + 1)
    helpers.run(job)
    assert begun.wait(30)
    with pytest.raises(helpers.NoHelper):
        helpers.run(pytest.fail)
    go_on.set()


if sys.version_info >= (3, 12):
    pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
