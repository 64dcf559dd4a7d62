"""A handler with a time-out interrupts an acquisition with one.

Run as: handler_gives_up.py LOCK_DIR OPTIONS.  Others hold both locks all the time, so that both
give up.
"""

import faulthandler
import json
import random
import signal
import sys

import lockutils

LOCK_DIR, OPTIONS = sys.argv[1:]
OPTIONS = json.loads(OPTIONS)
HANDLERS = 250

faulthandler.dump_traceback_later(15, exit=True)
chance = random.Random(5)
handlers = 0


def try_for_a_moment(name):
    handle = lockutils.lock(name, external=True, lock_path=LOCK_DIR, **OPTIONS)
    assert not handle.acquire(timeout=0.001)


def handler(*_):
    global handlers
    handlers += 1
    try_for_a_moment("y")


signal.signal(signal.SIGALRM, handler)
while handlers < HANDLERS:
    signal.setitimer(signal.ITIMER_REAL, 0.0008 + chance.random() * 0.0012)
    try_for_a_moment("x")
signal.setitimer(signal.ITIMER_REAL, 0)
print("no hang", flush=True)
