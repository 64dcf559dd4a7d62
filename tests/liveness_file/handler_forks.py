"""A signal handler forks at any instant of an acquisition: handler_forks.py LOCK_DIR CHILD OPTIONS.

The child acquires the same lock, in the handler if CHILD is "exits"; if it is "goes on", it
leaves the acquisition by an exception, and then acquires.
"""

import faulthandler
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings

import lockutils

LOCK_DIR, CHILD, OPTIONS = sys.argv[1:]
OPTIONS = json.loads(OPTIONS)
FORKS = 40
PATIENCE, PATIENCE_OF_CHILD = 25, 12

warnings.simplefilter("ignore")  # threads are there at a fork
faulthandler.dump_traceback_later(PATIENCE, exit=True)
chance = random.Random(4)
children = []
over = False


class InChild(BaseException):
    pass


def lock(**options):
    return lockutils.lock("it", external=True, lock_path=LOCK_DIR, **OPTIONS, **options)


def live_as_child():
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.register(signal.SIGALRM, chain=True)  # where it hangs, and its end
        signal.alarm(PATIENCE_OF_CHILD)
        # what the parent holds while it is here is the parent's, and it goes on
        status = 0 if lock(timeout=PATIENCE).acquire() else 2
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def handler(*_):
    child = os.fork()
    if child:
        children.append(child)
        return
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # one may be pending since before the fork
    if CHILD == "goes on":
        raise InChild
    live_as_child()


def others_turns():
    while not over:
        with lock():
            pass
        time.sleep(0.0002)


signal.signal(signal.SIGALRM, handler)
others = [threading.Thread(target=others_turns) for _ in range(2)]
for other in others:
    other.start()


def turns():
    while len(children) < FORKS:
        signal.setitimer(signal.ITIMER_REAL, 1e-6 + chance.random() / 1000)
        with lock(timeout=chance.choice([None, 30])):
            pass
    signal.setitimer(signal.ITIMER_REAL, 0)


try:
    # In a frame of its own: CPython 3.13 does not catch what a handler raises as a loop begins
    # again, if the "try" is in the same frame.
    turns()
except InChild:
    live_as_child()
over = True
for other in others:
    other.join()
statuses = [os.waitpid(child, 0)[1] for child in children]
assert not any(statuses), statuses
assert all(lock().acquire(blocking=False) for _ in range(1))
print("all children got it", flush=True)
