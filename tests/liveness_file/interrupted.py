"""After a time-out the thread makes a system call that nobody repeats: interrupted.py LOCK_DIR.

A late signal to it would show.  In the main thread and in another one.
"""

import ctypes
import os
import sys
import threading
import time

import lockutils

LOCK_DIR = sys.argv[1]
ROUNDS = 150
libc = ctypes.CDLL(None, use_errno=True)
interrupted = []
ends, keep = os.pipe()


class PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


def rounds():
    handle = lockutils.lock("it", external=True, lock_path=LOCK_DIR)
    for _ in range(ROUNDS):
        start = time.monotonic()
        if handle.acquire(timeout=0.002):
            handle.release()
        elif time.monotonic() - start < 0.002:
            interrupted.append("gave up too early")
        if libc.poll(ctypes.byref(PollFd(ends, 1, 0)), 1, 4) != 0:
            interrupted.append(os.strerror(ctypes.get_errno()))


threads = [threading.Thread(target=rounds) for _ in range(2)]
for thread in threads:
    thread.start()
rounds()
for thread in threads:
    thread.join()
print(interrupted, flush=True)
