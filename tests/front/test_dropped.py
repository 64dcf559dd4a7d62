"""A handle that is dropped while it holds releases the lock, and is a ResourceWarning."""

import asyncio
import gc
import subprocess
import sys
import warnings

import pytest
from lock_peers import run_python

import lockutils

MODES = [{}, {"fair": True}, {"shared": True}, {"slots": 2}, {"reentrant": True}]


@pytest.fixture(params=["internal", "external"])
def where(request, tmp_path):
    return {"external": True, "lock_path": tmp_path} if request.param == "external" else {}


@pytest.fixture
def caught():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found


def is_free(where):
    return lockutils.lock("x", timeout=5, **where).acquire() is True


def check(caught, count=1):
    gc.collect()
    assert [one.category for one in caught] == count * [ResourceWarning], caught
    assert {one.filename for one in caught} <= {__file__}
    assert all("'x'" in str(one.message) for one in caught)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_as_a_statement(where, caught, mode):
    lockutils.lock("x", **mode, **where).acquire()
    check(caught)
    assert caught[0].lineno == test_as_a_statement.__code__.co_firstlineno + 2
    caught.clear()
    with lockutils.lock("x", timeout=5, **where):
        pass
    check(caught, 0)


def test_by_a_task(where, caught):
    async def slip():
        await lockutils.lock("x", **where).async_acquire()

    asyncio.run(slip())
    check(caught)


def test_of_a_group(where, caught):
    lockutils.lock_all(["x"], **where).acquire()
    check(caught)


def test_one_level_of_two(where, caught):
    handle = lockutils.lock("x", reentrant=True, **where)
    handle.acquire()
    handle.acquire()
    handle.release()
    del handle
    check(caught)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_no_warning_of_what_is_right(where, caught, mode):
    handle = lockutils.lock("x", **mode, **where)
    handle.acquire()
    handle.release()
    with handle:
        pass
    del handle
    check(caught, 0)


def test_no_warning_of_one_that_waits_in_vain(where, caught):
    with lockutils.lock("x", **where):
        assert not lockutils.lock("x", **where).acquire(timeout=0.001)
        assert not lockutils.lock("x", **where).acquire(blocking=False)
    check(caught, 0)


def test_no_warning_of_what_an_exception_undoes(where, caught):
    """A handler that raises when the lock is held, and before the caller has it."""
    handle = lockutils.lock("x", **where)

    class Holds(list):
        def append(self, hold):
            super().append(hold)
            raise KeyboardInterrupt

    handle._holds = Holds()
    with pytest.raises(KeyboardInterrupt):
        handle.acquire()
    del handle
    check(caught, 0)


def test_a_lock_without_a_name(caught):
    lockutils.LockByKey()[7].acquire()
    gc.collect()
    (one,) = caught
    assert "a handle of the lock was dropped" in str(one.message)


QUIET = """
import os
import lockutils
to_the_end = lockutils.lock("x")
to_the_end.acquire()
if not os.fork():
    del to_the_end  # the parent holds it
    os._exit(0)
assert os.wait()[1] == 0
"""


def test_no_warning_at_the_end_of_the_process_nor_in_a_child():
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", QUIET],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


def test_where_warnings_are_errors_it_is_released_all_the_same():
    source = """
import sys, warnings
import lockutils
warnings.simplefilter("error")
seen = []
sys.unraisablehook = seen.append
lockutils.lock("x").acquire()
assert [one.exc_type for one in seen] == [ResourceWarning]
with lockutils.lock("x", blocking=False):
    print("free")
"""
    assert run_python(source) == "free\n"
