"""One waiter of one kind: one_waiter.py KIND LOCK_DIR TIMEOUT.  Says "in", and lets go."""

import sys

import kinds

KIND, LOCK_DIR, TIMEOUT = sys.argv[1:]
kind = kinds.make(KIND)

import lockutils  # noqa: E402


async def wait(kind):
    waiter = kinds.Waiter(
        lockutils.lock("it", external=True, lock_path=LOCK_DIR, timeout=float(TIMEOUT))
    )
    waiter.may_leave = True
    waiter.note = lambda waiter: print("in", flush=True)
    await kind.start(waiter)
    await kind.until(lambda: waiter.state == kinds.DONE)


kind.run(wait)
