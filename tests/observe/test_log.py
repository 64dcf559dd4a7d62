"""The debug lines, and that nothing is paid for them where nobody reads them."""

import asyncio
import functools
import logging
import re

import pytest
from lock_peers import run_python
from ways import by_hand, by_task, by_with

import lockutils


@pytest.fixture
def debug_log(caplog):
    caplog.set_level(logging.DEBUG, logger="lockutils")
    return caplog


def messages(debug_log):
    return [line.getMessage() for line in debug_log.records]


ways = pytest.mark.parametrize("take", [by_with, by_hand, by_task])


@ways
def test_a_line_before_and_after_the_wait_and_one_on_release(take, debug_log):
    take(lockutils.lock("logged"))
    assert [(line.name, line.levelno) for line in debug_log.records] == [
        ("lockutils", logging.DEBUG)
    ] * 3
    acquiring, acquired, released = messages(debug_log)
    assert acquiring == "Acquiring lock 'logged'"
    assert re.fullmatch(r"Acquired lock 'logged' :: waited \d+\.\d{3}s", acquired)
    assert re.fullmatch(r"Released lock 'logged' :: held \d+\.\d{3}s", released)


def test_who_fails_to_acquire_has_said_that_he_tries(debug_log):
    with lockutils.lock("logged", do_log=False):
        assert not lockutils.lock("logged").acquire(blocking=False)
    assert messages(debug_log) == ["Acquiring lock 'logged'"]


@ways
def test_a_name_cannot_forge_a_line(take, debug_log):
    take(lockutils.lock("logged\nERROR all is lost"))
    assert len(debug_log.records) == 3
    for line in debug_log.records:
        assert "\n" not in line.getMessage()
        assert r"'logged\nERROR all is lost'" in line.getMessage()


@ways
def test_no_line_without_do_log(take, debug_log):
    take(lockutils.lock("logged", do_log=False))
    assert debug_log.records == []


class Worker:
    @lockutils.synchronized("logged")
    def work(self): ...

    @lockutils.synchronized("logged")
    async def work_in_task(self): ...

    @lockutils.synchronized("logged-{self}")
    def work_on_me(self): ...

    def __str__(self):
        return "me"


@pytest.mark.parametrize("method", ["work", "work_in_task", "work_on_me"])
def test_the_lines_of_a_decorated_function_name_it(method, debug_log):
    outcome = getattr(Worker(), method)()
    if outcome is not None:
        asyncio.run(outcome)
    name = "logged-me" if method == "work_on_me" else "logged"
    for line, verb in zip(messages(debug_log), ("Acquiring", "Acquired", "Released"), strict=True):
        assert line.startswith(f"{verb} lock '{name}' by '{__name__}.Worker.{method}'")


class Callable:
    def __call__(self): ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (functools.partial(print, end=""), "functools.partial"),
        (Callable(), f"{__name__}.Callable"),
        ("x".upper, "str.upper"),
    ],
)
def test_a_callable_without_a_name_goes_by_its_type(function, name, debug_log):
    lockutils.synchronized("logged")(function)()
    assert messages(debug_log)[0] == f"Acquiring lock 'logged' by '{name}'"


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
    acquiring, acquired, released = printed.splitlines()
    assert acquiring == "lockutils Acquiring lock 'after'"
    assert acquired.startswith("lockutils Acquired lock 'after'")
    assert released.startswith("lockutils Released lock 'after'")
