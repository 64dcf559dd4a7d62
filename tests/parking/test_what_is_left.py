"""What a waiter leaves behind that ended by an exception."""

import pytest
from lock_peers import GREENTHREADS, run_python

KILLED_WHILE_PARKED = (
    GREENTHREADS
    + """
import gc, weakref
import lockutils

class Belonging:
    pass

def wait():
    belonging = Belonging()
    belongings.append(weakref.ref(belonging))
    with lockutils.lock("name"):
        pass

belongings = []
with lockutils.lock("name"):
    first, second = spawn(wait), spawn(wait)
    while len(lockutils.lock("name")._queue) < 3:
        sleep(0)
    first.kill()
    del first  # it keeps the exception that it died of
    sleep(0)
    gc.collect()
    while_others_wait = belongings[0]() is None
join(second)
gc.collect()
assert belongings[1]() is None
print(while_others_wait, lockutils.lock("name")._queue)
"""
)


@pytest.mark.parametrize("patched", ["patched", "not patched"])
@pytest.mark.parametrize("library", ["eventlet", "gevent"])
def test_the_first_greenthread_that_parked_can_be_forgotten(library, patched):
    """Also while others are parked in the same hub."""
    printed = run_python(KILLED_WHILE_PARKED, library, patched)

    assert printed.split() == ["True", "[]"]
