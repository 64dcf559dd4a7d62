"""Acquires and releases as it is told: waiter.py LOCK_DIR KIND OPTIONS [MASKED].

KIND is "thread", "thread in time", "asyncio" or "asyncio in time"; MASKED blocks all signals
first.  It is sent lines with the name of a lock, and each time says when it got it, then, after
one more line, when it released it.
"""

import asyncio
import json
import signal
import sys
import time

import lockutils

LOCK_DIR, KIND, OPTIONS, *MASKED = sys.argv[1:]
OPTIONS = json.loads(OPTIONS)
if "in time" in KIND:
    OPTIONS["timeout"] = 300
if MASKED:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])


async def acquire(handle):
    if "asyncio" in KIND:
        await handle.async_acquire()
    else:
        handle.acquire()


async def main():
    print("ready", flush=True)
    while name := sys.stdin.readline().strip():
        handle = lockutils.lock(name, external=True, lock_path=LOCK_DIR, **OPTIONS)
        await acquire(handle)
        print(time.monotonic(), flush=True)
        sys.stdin.readline()
        now = time.monotonic()
        handle.release()
        print(now, flush=True)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask, "another mask"


asyncio.run(main())
