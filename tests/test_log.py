"""The debug lines, and that nothing is paid for them where nobody reads them."""

import asyncio
import logging

import pytest
from lock_peers import run_python

import lockutils


@pytest.fixture
def debug_log(caplog):
    caplog.set_level(logging.DEBUG, logger="lockutils")
    return caplog


def by_with(lock):
    with lock:
        pass


def by_hand(lock):
    assert lock.acquire()
    lock.release()


def by_task(lock):
    async def take():
        async with lock:
            pass

    asyncio.run(take())


ways = pytest.mark.parametrize("take", [by_with, by_hand, by_task])


@ways
def test_a_line_on_acquire_and_one_on_release(take, debug_log):
    take(lockutils.lock("logged"))
    assert [(line.name, line.levelno) for line in debug_log.records] == [
        ("lockutils", logging.DEBUG)
    ] * 2
    acquired, released = (line.getMessage() for line in debug_log.records)
    assert acquired.startswith("Acquired lock 'logged'")
    assert released.startswith("Released lock 'logged'")


@ways
def test_a_name_cannot_forge_a_line(take, debug_log):
    take(lockutils.lock("logged\nERROR all is lost"))
    assert len(debug_log.records) == 2
    for line in debug_log.records:
        assert "\n" not in line.getMessage()
        assert r"'logged\nERROR all is lost'" in line.getMessage()


@ways
def test_no_line_without_do_log(take, debug_log):
    take(lockutils.lock("logged", do_log=False))
    assert debug_log.records == []


def test_a_decorated_function_logs(debug_log):
    lockutils.synchronized("logged")(lambda: None)()
    assert len(debug_log.records) == 2


class Unprintable(str):
    """A name that must not be formatted."""

    __slots__ = ()

    def __repr__(self):
        raise AssertionError("formatted, although nobody reads it")

    __str__ = __repr__


@ways
def test_nothing_is_formatted_below_debug_level(take, caplog):
    caplog.set_level(logging.INFO, logger="lockutils")
    take(lockutils.lock(Unprintable("logged")))
    assert caplog.records == []


def test_a_handler_may_take_the_lock_that_is_logged():
    """Not while it is held, by the same thread; but the release comes before its line."""
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("Released"):
                seen.append(lockutils.lock("logged", do_log=False, blocking=False).acquire())

    logger = logging.getLogger("lockutils")
    handler = Handler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with lockutils.lock("logged"):
            pass
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)
    assert seen == [True]


def test_without_logging_nothing_is_formatted_or_imported():
    run_python("""
import sys
import lockutils
class Unprintable(str):
    def __repr__(self):
        raise AssertionError("formatted")
    __str__ = __repr__
with lockutils.lock(Unprintable("logged")):
    pass
assert "logging" not in sys.modules
""")


def test_logging_that_comes_later_is_noticed():
    printed = run_python("""
import sys
import lockutils
with lockutils.lock("before"):
    pass
import logging
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="%(name)s %(message)s")
with lockutils.lock("after"):
    pass
""")
    acquired, released = printed.splitlines()
    assert acquired.startswith("lockutils Acquired lock 'after'")
    assert released.startswith("lockutils Released lock 'after'")
