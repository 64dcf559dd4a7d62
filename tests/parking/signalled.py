"""The main thread acquires and releases while a signal handler raises into it all the time.

Run as: signalled.py LOCK_DIR PLACE MODE ROUNDS.  Other threads want the same locks.  At the end
nothing is held, nobody waits, and no descriptor is left.  In the mode "long" every wait is long at
once: who waits publishes what it holds, and gives notice.
"""

import faulthandler
import os
import random
import signal
import sys
import time

import lockutils
from lockutils.observe import log
from lockutils.parking import deadline, native

LOCK_DIR, PLACE, MODE, ROUNDS = *sys.argv[1:4], int(sys.argv[4])
HOW = {"external": PLACE != "internal", "lock_path": LOCK_DIR, "fair": PLACE == "fair"}
if MODE == "slots":
    HOW["slots"] = 2
if MODE == "long":
    deadline.LONG = deadline.warn_after = 0.0002
    log.notice = lambda line: None
OURS = {**HOW, "shared": MODE == "shared", "reentrant": MODE == "reentrant"}
PATIENCE = 30.0


class Raised(Exception):
    pass


def handler(*_):
    raise Raised


stop = False
ended = native.SimpleQueue()


def competitor(how):
    while not stop:
        with lockutils.lock("it", **how):
            time.sleep(0.0005 if MODE == "long" else 0)
        time.sleep(0.0002)
    ended.put(None)


def main():
    with lockutils.lock("it", **HOW):
        pass
    descriptors = len(os.listdir("/proc/self/fd"))
    for how in HOW, HOW, OURS, OURS:
        native.start_new_thread(competitor, (how,))
    chance = random.Random(0)
    raised = done = 0
    signal.signal(signal.SIGALRM, handler)
    while raised < ROUNDS:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.random() / 2000)
            for _ in range(20):
                timeout = chance.choice([None, 10])
                with lockutils.lock("outer"), lockutils.lock("it", **OURS, timeout=timeout):
                    done += 1
                    if MODE == "reentrant":
                        with lockutils.lock("it", **OURS):
                            done += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Raised:
            raised += 1
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    global stop
    stop = True
    for _ in range(4):
        try:
            ended.get(timeout=PATIENCE)
        except native.Empty:
            faulthandler.dump_traceback()  # of all threads
            raise
    assert lockutils.lock("it", **HOW).acquire(timeout=PATIENCE)
    handle = lockutils.lock("it")
    assert not handle._queue, "somebody is still in the queue"
    watchdog = time.monotonic() + PATIENCE
    while len(os.listdir("/proc/self/fd")) > descriptors:
        assert time.monotonic() < watchdog, os.listdir("/proc/self/fd")
        time.sleep(0.01)
    print(done, "turns,", raised, "exceptions")


main()
