"""Takes locks one inside the other: locker.py LOCK_DIR LOCK [LOCK ...].

Each is a name, and options after colons, as "a:slots=2".  It says "held" when it has the first one,
and goes on when it is sent a line.  At the end it says what came of it: "got", or the name of the
error and what it says.
"""

import sys

import lockutils
from lockutils.parking import deadline

LOCK_DIR, *LOCKS = sys.argv[1:]
lockutils.set_defaults(lock_path=LOCK_DIR)


def lock(text):
    name, *options = text.split(":")
    values = {key: eval(value) for key, _, value in (one.partition("=") for one in options)}
    return lockutils.lock(name, external=True, **values)


def take(first, *others):
    with lock(first):
        print("held", flush=True)
        sys.stdin.readline()
        if others:
            take(*others)
        else:
            print("got", flush=True)


deadline.LONG = 0.2
try:
    take(*LOCKS)
except Exception as error:
    print(type(error).__name__, error, flush=True)
