"""A program that uses SIGURG itself: user_signals.py LOCK_DIR WHEN, "before" or "after".

It set its handler before the first wait with a time-out, or after it.
"""

import asyncio
import os
import signal
import sys
import threading

import lockutils

LOCK_DIR, WHEN = sys.argv[1:]
heard = []
where = {"external": True, "lock_path": LOCK_DIR}


def handler(*_):
    heard.append(None)


def waits():
    """All kinds that are called back."""
    for options in {}, {"fair": True}, {"shared": True}, {"slots": 2}:
        name = "slots" if "slots" in options else "it"
        assert not lockutils.lock(name, **where, **options).acquire(timeout=0.02)

        async def main(name=name, options=options):
            handle = lockutils.lock(name, **where, **options)
            assert not await handle.async_acquire(timeout=0.02)
            task = asyncio.ensure_future(handle.async_acquire())
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(main())
    thread = threading.Thread(target=lockutils.lock("it", **where).acquire, args=(True, 0.02))
    thread.start()
    thread.join()


def send_one():
    before = len(heard)
    os.kill(os.getpid(), signal.SIGURG)
    for _ in range(10):  # handlers run between two opcodes of the main thread
        pass
    return len(heard) - before


if WHEN == "after":
    waits()
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
signal.signal(signal.SIGURG, handler)
assert send_one() == 1
heard.clear()
waits()
assert signal.getsignal(signal.SIGURG) is handler
assert not heard, f"called {len(heard)} times for signals that the program has not sent"
assert send_one() == 1, "its own signals do not reach it any more"
print("not disturbed", flush=True)
