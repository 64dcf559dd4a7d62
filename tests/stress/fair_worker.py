"""One process of the fair stress test: takes its turns until it is killed or told to stop.

Run as: fair_worker.py LOCK_DIR WITNESS.  Checks at each turn that nobody else is inside, and
that nobody with a lower ticket is left in the queue.  Prints a line when something is wrong,
one when it has waited often enough, and at the end how many turns it took.
"""

import os
import random
import select
import sys
import threading
import time

import lockutils
from lockutils.backends.file.request import FileRequest

LOCK_DIR, WITNESS = sys.argv[1:]
ENOUGH = 20
turns = tickets = 0
served = FileRequest._served


def served_in_order(self, entry):
    """At this instant the lock is held, and the ticket is still there."""
    global tickets
    if entry.is_taken:
        tickets += 1
        if tickets == ENOUGH:
            print("enough", flush=True)
        # One who asks for a ticket may have a lower one for an instant.  One who was overtaken
        # has it as long as we have the lock, but for the few that give up meanwhile.
        until = time.monotonic() + 1
        while entry.ahead(entry.tickets.lowest(), 1):
            if time.monotonic() > until:
                print("overtook", flush=True)
                break
    served(self, entry)


FileRequest._served = served_in_order


def take_turns(chance):
    global turns
    while not select.select([sys.stdin], [], [], 0)[0]:
        timeout = chance.choice([None, None, None, 0.001, 0.01])
        lock = lockutils.lock("it", external=True, lock_path=LOCK_DIR, fair=True, timeout=timeout)
        try:
            with lock:
                mark = b"%d %d" % (os.getpid(), chance.getrandbits(60))
                with open(WITNESS, "wb") as file:
                    file.write(mark)
                with open(WITNESS, "rb") as file:
                    if file.read() != mark:
                        print("overlap", flush=True)
                turns += 1
        except lockutils.LockTimeout:
            pass


others = [threading.Thread(target=take_turns, args=(random.Random(n),)) for n in range(2)]
for other in others:
    other.start()
take_turns(random.Random())
for other in others:
    other.join()
print(turns, tickets)
