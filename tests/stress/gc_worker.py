"""One process of the stress test of ``lockutils gc``.

Run as: gc_worker.py LOCK_DIR LOG INSIDE.  Takes turns until it is killed or told to stop:
exclusive, as a reader, with slots, in strict order; by threads, tasks and single tries.  A witness
that knows nothing of locks judges: each holder of an exclusive lock makes a link in INSIDE, of
which there can be one, and each turn is written to LOG as sharing_worker.py does.
"""

import asyncio
import itertools
import os
import random
import select
import sys
import threading
import time

import lockutils

LOCK_DIR, LOG, INSIDE = sys.argv[1:]
SLOTS = 3
log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
numbers = itertools.count()


def is_over():
    return select.select([sys.stdin], [], [], 0)[0]


def pick(chance):
    """What to hold, and how: a few names that all meet at, so that a file is often free."""
    number = chance.randrange(3)
    options = {
        "external": True,
        "lock_path": LOCK_DIR,
        "timeout": chance.choice([None, None, 0, 0.001, 0.01]),
        "fair": chance.random() < 0.3,
    }
    dice = chance.random()
    if dice < 0.3:
        return f"slots-{number}", "slots", lockutils.lock(f"slots-{number}", slots=SLOTS, **options)
    shared = dice < 0.6
    how = "reader" if shared else "writer"
    return f"rw-{number}", how, lockutils.lock(f"rw-{number}", shared=shared, **options)


class Turn:
    def __init__(self, name, how):
        self._text = f"{name} {how} {os.getpid()}.{next(numbers)}\n"
        #: of an exclusive holder alone
        self._mark = f"{INSIDE}/{name}" if how == "writer" else None

    def __enter__(self):
        os.write(log, b"BEGIN " + self._text.encode())
        if self._mark is None:
            return
        try:
            os.symlink(str(os.getpid()), self._mark)
        except FileExistsError:
            # of one that was killed in here, unless that lives
            other = os.readlink(self._mark)
            if is_alive(int(other)):
                raise AssertionError(f"{self._text} meets {other}") from None
            os.unlink(self._mark)
            os.symlink(str(os.getpid()), self._mark)

    def __exit__(self, *_):
        if self._mark is not None:
            os.unlink(self._mark)
        os.write(log, b"END " + self._text.encode())


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def take_turns(seed):
    chance = random.Random(seed)
    while not is_over():
        name, how, lock = pick(chance)
        try:
            with lock, Turn(name, how):
                time.sleep(chance.random() / 2000)
        except lockutils.LockTimeout:
            pass


async def take_turns_in_task(seed):
    chance = random.Random(seed)
    while not is_over():
        name, how, lock = pick(chance)
        try:
            async with lock:
                with Turn(name, how):
                    await asyncio.sleep(chance.random() / 2000)
        except lockutils.LockTimeout:
            pass


def run(call, *args):
    """A thread that fails ends the process, with the reason on stderr."""
    try:
        call(*args)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


async def all_tasks():
    await asyncio.gather(*(take_turns_in_task(random.random()) for _ in range(2)))


threads = [threading.Thread(target=run, args=(take_turns, random.random())) for _ in range(2)]
for thread in threads:
    thread.start()
run(lambda: asyncio.run(all_tasks()))
for thread in threads:
    thread.join()
# nobody was left holding, or first in line
for number in range(3):
    for options in {"name": f"slots-{number}", "slots": SLOTS}, {"name": f"rw-{number}"}:
        with lockutils.lock(**options, external=True, lock_path=LOCK_DIR, timeout=30):
            pass
