"""Waits and gives up, each time it is sent a line: ghost_peer.py LOCK_DIR KIND HOW OPTIONS.

HOW is "timeout" or "cancelled".  The line says "wait", or "try" for a single try of its own.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "parking"))

import kinds

LOCK_DIR, KIND, HOW, OPTIONS = sys.argv[1:]
kind = kinds.make(KIND)

import lockutils  # noqa: E402


def lock(**options):
    options = {**json.loads(OPTIONS), **options}
    return lockutils.lock("it", external=True, lock_path=LOCK_DIR, **options)


async def serve(kind):
    print("ready", flush=True)
    # Between two lines a loop or a hub does not run: also then nothing of its waiter is left.
    while line := sys.stdin.readline():
        if line == "try\n":
            handle = lock(blocking=False)
            got = handle.acquire()
            if got:
                handle.release()
            print(got, flush=True)
            continue
        waiter = kinds.Waiter(lock(timeout=0.003 if HOW == "timeout" else None))
        await kind.start(waiter)
        if HOW == "cancelled":
            for _ in range(6):
                await kind.pause()
            kind.cancel(waiter)
        await kind.until(lambda waiter=waiter: waiter.state is not None)
        print(waiter.state, flush=True)


kind.run(serve)
