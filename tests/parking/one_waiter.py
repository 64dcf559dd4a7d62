"""One waiter of one kind: one_waiter.py KIND LOCK_DIR TIMEOUT [fair [LABEL]].

When it has the lock it says its label, "in" if it has none, and lets go.
"""

import sys

import kinds

KIND, LOCK_DIR, TIMEOUT, *MORE = sys.argv[1:]
FAIR, LABEL = "fair" in MORE[:1], (MORE[1:] or ["in"])[0]
kind = kinds.make(KIND)

import lockutils  # noqa: E402


async def wait(kind):
    waiter = kinds.Waiter(
        lockutils.lock("it", external=True, lock_path=LOCK_DIR, fair=FAIR, timeout=float(TIMEOUT))
    )
    waiter.may_leave = True
    waiter.note = lambda waiter: print(LABEL, flush=True)
    await kind.start(waiter)
    await kind.until(lambda: waiter.state == kinds.DONE)


kind.run(wait)
