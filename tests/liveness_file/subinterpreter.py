"""A subinterpreter uses a lock and ends: subinterpreter.py LOCK_DIR VARIANT.

The lock is held outside of it, by this very process; GOT is released meanwhile.
"""

import os
import sys
import threading

try:
    import _interpreters as interpreters  # from Python 3.13 on
except ImportError:
    import _xxsubinterpreters as interpreters

import lockutils

LOCK_DIR, VARIANT = sys.argv[1:]
PREPARE = f"""
import sys, threading, time
sys.path[:] = {sys.path!r}
import lockutils

def lock(**options):
    return lockutils.lock("it", external=True, lock_path={LOCK_DIR!r}, **options)
"""
ASYNC = """
import asyncio

async def main():
    async with lock(**OPTIONS):
        pass

async def cancelled():
    task = asyncio.ensure_future(lock().async_acquire())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
"""
FAILED = {
    "nowait": "assert not lock().acquire(blocking=False)",
    "timeout": "assert not lock().acquire(timeout=0.05)",
    "fair timeout": "assert not lock(fair=True).acquire(timeout=0.05)",
    "shared timeout": "assert not lock(shared=True).acquire(timeout=0.05)",
    "slots timeout": "assert not lock(slots=2).acquire(timeout=0.05)",
    "thread timeout": """
thread = threading.Thread(target=lambda: lock().acquire(timeout=0.05))
thread.start()
thread.join()
""",
    "async timeout": ASYNC
    + """
OPTIONS = {"timeout": 0.05}
try:
    asyncio.run(main())
except lockutils.LockTimeout:
    pass
""",
    "async cancelled": ASYNC + "asyncio.run(cancelled())",
}
GOT = {
    "got": "lock().acquire()",
    "got in time": "assert lock().acquire(timeout=30)",
    "fair got in time": "assert lock(fair=True).acquire(timeout=30)",
    "async got": ASYNC + "OPTIONS = {}; asyncio.run(main())",
    "async got in time": ASYNC + "OPTIONS = {'timeout': 30}; asyncio.run(main())",
}


def run(code):
    if hasattr(interpreters, "exec"):  # from Python 3.13 on
        failure = interpreters.exec(interpreter, code)
        assert failure is None, failure
    else:
        interpreters.run_string(interpreter, code)


slots = 2 if "slots" in VARIANT else 1
handle = lockutils.lock("it", external=True, lock_path=LOCK_DIR, slots=slots)
for _ in range(slots):
    handle.acquire()
if VARIANT in GOT:
    threading.Timer(0.1, handle.release).start()
interpreter = interpreters.create()
run(PREPARE + {**FAILED, **GOT}[VARIANT])
interpreters.destroy(interpreter)
if VARIANT in FAILED:
    for _ in range(slots):
        handle.release()
assert handle.acquire(blocking=False), "it is not free"
print("still alive", flush=True)
if "async" in VARIANT and sys.version_info < (3, 13):
    # CPython 3.12 crashes at its end once asyncio ran in a subinterpreter, whatever it ran
    os._exit(0)
