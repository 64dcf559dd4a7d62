"""One process of a preempted run: worker.py MODE PLACE SEED SECONDS CHANCE LOCK_DIR LOG.

Takes turns, says "over", and, when it is sent a line, tries each lock once: nobody holds or
waits by then.  Its last line says in JSON what went wrong.
"""

import collections
import contextlib
import faulthandler
import gc
import json
import os
import random
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from preemption import Preemption

MODE, PLACE, SEED, SECONDS, CHANCE, LOCK_DIR, LOG = sys.argv[1:]
PATIENCE = 20.0
ROOT = Path(__file__).parents[2] / "lockutils"

preemption = Preemption(str(ROOT), SEED, float(CHANCE))
preemption.start()

from modes import MODES  # noqa: E402

import lockutils  # noqa: E402

assert Path(lockutils.__file__).parent == ROOT, lockutils.__file__


class Worker:
    """What the bodies of a mode may ask for."""

    def __init__(self):
        self.where = {} if PLACE == "in-process" else {"external": True, "lock_path": LOCK_DIR}
        self._over = time.monotonic() + float(SECONDS)
        self._log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.errors = collections.Counter()
        self.tracebacks = {}
        self.turns = 0

    def goes_on(self):
        return time.monotonic() < self._over or not self.turns

    def log(self, event, key, kind):
        """One step, so that the order of the lines is that of the events."""
        os.write(self._log, f"{event} {key} {kind}\n".encode())

    @contextlib.contextmanager
    def hold(self, key, kind):
        self.log("BEGIN", key, kind)
        try:
            yield
        finally:
            self.turns += 1
            self.log("END", key, kind)

    def inside(self, key, kind, chance):
        with self.hold(key, kind):
            self.nap(chance)

    def nap(self, chance):
        if chance.random() < 0.5:
            time.sleep(chance.choice([0, 0, 0.0005]))

    def blame(self, what=None):
        """Note an error, by default the exception that is being handled."""
        error = sys.exc_info()[1]
        name = what or f"{type(error).__name__}: {error}"[:200]
        self.errors[name] += 1
        self.tracebacks.setdefault(name, traceback.format_exc() if error else what)


def lock_files_open():
    """The lock files that are open; what the directory as a whole needs may stay so."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the one that listed the directory
            continue
        if path.startswith(f"{LOCK_DIR}/") and not os.path.basename(path).startswith("."):
            found.append(path)
    return found


def main():
    faulthandler.dump_traceback_later(float(SECONDS) + PATIENCE, exit=True)
    warnings.simplefilter("ignore")  # handles are dropped, and threads are there at a fork
    worker = Worker()

    def unraisable(hook):
        name = f"unraisable: {hook.exc_value!r}"
        worker.errors[name] += 1
        lines = traceback.format_exception(hook.exc_type, hook.exc_value, hook.exc_traceback)
        worker.tracebacks.setdefault(name, "".join(lines))

    sys.unraisablehook = unraisable
    mode = MODES[MODE](worker)

    def run(body, number):
        try:
            body(random.Random(f"{SEED} {number}"))
        except BaseException:
            worker.blame()

    threads = [
        threading.Thread(target=run, args=(body, number))
        for number, body in enumerate(mode.bodies())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    preemption.stop()
    print("over", flush=True)
    sys.stdin.readline()
    gc.collect()
    for key in mode.KEYS:
        slots = mode.OPTIONS.get("slots", 1)
        if MODE == "one-handle" and key == "2":
            slots = 2
        handle = lockutils.lock(key, slots=slots, **worker.where)
        if not handle.acquire(blocking=False):
            worker.blame(f"{key} cannot be had, although nobody holds or waits")
            if not handle.acquire(timeout=5):
                worker.blame(f"{key} is not free after 5 s")
                continue
        handle.release()
    left = lock_files_open()
    deadline = time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        time.sleep(0.01)  # a helper may be about to close it
        left = lock_files_open()
    if left:
        worker.blame(f"still open: {left}")
    report = {
        "turns": worker.turns,
        "pauses": preemption.pauses,
        "errors": worker.errors,
        "tracebacks": worker.tracebacks,
    }
    print(json.dumps(report), flush=True)


main()
