"""A line is one line, and only what can be printed is in it, whoever wrote the names in it."""

import logging
import os
import sys
import threading
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from users import ATTACKER

import lockutils
from lockutils import debug
from lockutils.errors import printable

HOSTILE = {
    "line": "a\nERROR all is lost",
    "return": "a\rb\x0bc\x0cd",
    "escape": "\x1b[2J\x1b]0;title\x07",
    "c1": "\x9b31m\x85",
    "separators": "a\u2028b\u2029c",
    "bidi": "\u202egnp.exe\u2066",
    "nul": "a\0b",
    "surrogate": "a\udc80\ud83d",
    "zero width": "a\u200b\ufeffb\U000e0041",
    "format": "%s%n{0}{__class__}$(id)`id`",
    "traversal": "../../etc/passwd",
    "queue": ".lockutils-queue",
    "probe": ".lockutils-probe-1-0",
    "option": "--timeout",
    "quotes": "'\"\\",
    "long": 5000 * "\n",
    "nothing": "",
}
names = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(list(HOSTILE.values()))


def assert_line(*texts):
    for text in texts:
        assert text.isprintable(), ascii(text)


def said_by(error):
    """All that may be shown of an error."""
    yield str(error)
    yield repr(error)
    if hasattr(error, "message"):
        yield error.message
    if getattr(error, "holder", None) is not None:
        yield str(error.holder)
        yield repr(error.holder)
    yield from "".join(traceback.format_exception_only(error)).splitlines()


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG, logger="lockutils")
    return lambda: [record.getMessage() for record in caplog.records]


class TestErrors:
    @given(ANY_TEXT, ANY_TEXT)
    def test_of_any_name_are_lines(self, name, other):
        holder = lockutils.Holder(1, command=other)
        for error in (
            lockutils.AcquireLockFailedException(name, 0.0, holder),
            lockutils.LockTimeout(name, 1.5, holder),
            lockutils.SlotsMismatchError(name, 1, 2),
            lockutils.LockPathError(2, "No such file or directory", name),
        ):
            assert_line(*said_by(error))

    @given(ANY_TEXT)
    def test_what_is_escaped_is_what_cannot_be_printed(self, text):
        found = printable(text)
        assert_line(found)
        if text.isprintable():
            assert found == text

    @names
    def test_that_are_raised_are_lines(self, name, tmp_path, monkeypatch):
        monkeypatch.setattr(threading.current_thread(), "name", name)
        handle = lockutils.lock(name)
        mismatch = lockutils.lock(name, slots=2)
        with handle:
            for call in (
                lockutils.lock(name, blocking=False).__enter__,
                lockutils.lock(name, timeout=0.001).__enter__,
                lockutils.lock(name).acquire,
                mismatch.acquire,
                lockutils.lock_all([name], blocking=False).__enter__,
                lambda: lockutils.lock(name).release(),
                lambda: lockutils.lock_all(name),
                lambda: lockutils.lock(name, slots=name),
                lambda: lockutils.lock(name, timeout=name),
                lambda: lockutils.lock(name, semaphores=name),
            ):
                with pytest.raises(
                    (lockutils.AcquireLockFailedException, RuntimeError, TypeError, ValueError)
                ) as raised:
                    call()
                assert_line(*said_by(raised.value))

    @names
    def test_of_a_lock_path_are_lines(self, name, tmp_path):
        (tmp_path / "file").touch()
        path = f"{tmp_path}/file/{name}"
        for call in (
            lambda: lockutils.lock("a", external=True, lock_path=path).acquire(),
            lambda: lockutils.external_lock("a", lock_path=path).acquire(),
            lambda: lockutils.set_defaults(f"{name}\0"),
        ):
            try:
                call()
            except (lockutils.LockPathError, ValueError) as error:
                assert_line(*said_by(error))
            else:
                assert name == HOSTILE["traversal"]  # which leads to a directory

    def test_name_who_holds_as_he_calls_himself(self, peers, tmp_path):
        """His command line is his own work, and may be any bytes."""
        words = ["\x1b[2J", "a\nroot", "\u202e", b"\xff\xfe", b"\x9b"]
        source = (
            "import os, sys, lockutils\n"
            "handle = lockutils.lock('name', external=True, lock_path=sys.argv[1])\n"
            "held = handle.acquire()\n"
            f"if os.geteuid() == 0: os.setuid({ATTACKER})\n"
            "print(held, flush=True); sys.stdin.readline()"
        )
        other = peers.start(sys.executable, "-c", source, tmp_path, *words)
        assert other.hear() == "True"
        single = lockutils.lock("name", external=True, lock_path=tmp_path, blocking=False)

        with pytest.raises(lockutils.AcquireLockFailedException) as raised:
            single.__enter__()

        assert raised.value.holder.pid == other.process.pid
        assert_line(*said_by(raised.value), raised.value.holder.description)


class TestLog:
    @names
    def test_of_a_lock_is_three_lines(self, name, lines, tmp_path):
        for options in (
            {},
            {"do_log": name},
            {"lock_file_prefix": name},
            {"external": True, "lock_path": tmp_path},
            {"shared": True},
        ):
            with lockutils.lock(name, **options):
                pass
        # do_log="" is none
        assert len(lines()) == (15 if name else 12)
        assert_line(*lines())

    @names
    def test_of_a_file_that_cannot_be_removed_is_a_line(self, name, lines, tmp_path):
        folder = tmp_path / "a\n\x1b[2Jb"
        with lockutils.lock(name, external=True, lock_path=folder, do_log=False):
            pass
        (file,) = folder.iterdir()
        file.unlink()
        file.mkdir()

        lockutils.remove_external_lock_file(name, lock_path=folder)

        (line,) = lines()
        assert line.startswith("Failed to remove file ")
        assert_line(line)

    @names
    def test_of_an_order_of_locks_has_no_line_more_for_a_name(self, name, lines):
        def reports(one, other):
            debug.watch_order()
            try:
                for first, second in ((one, other), (other, one)):
                    with (
                        lockutils.lock(first, do_log=False),
                        lockutils.lock(second, do_log=False),
                    ):
                        pass
            finally:
                debug.stop_watching_order()
            return lines()[-1].splitlines()

        plain = reports("plain", "other")
        found = reports(name, "another")
        assert len(found) == len(plain)
        assert_line(*found)


@names
def test_a_handle_is_shown_as_a_line(name, tmp_path):
    path = tmp_path / "a\nb\u2028"
    for handle in (
        lockutils.lock(name, external=True, lock_path=path),
        lockutils.lock(name, external=True, lock_path=path, shared=True),
        lockutils.lock_all([name, "other"]),
        lockutils.LockByKey()[(name,)],
    ):
        assert_line(repr(handle))


class TestTemplate:
    class Argument:
        def __init__(self, text):
            self.text = text

        def __str__(self):
            return self.text

    @pytest.mark.parametrize("value", ["{secret}", "{0}", "{{", "}", "{value.__class__}", "%s"])
    def test_does_not_fill_in_what_a_value_has(self, value):
        @lockutils.synchronized("a-{value}-{secret}-{argument}")
        def call(value, secret, argument):
            return lockutils.held()

        found = call(value, "s", self.Argument(value))
        assert found == {f"a-{value}-s-{value}"}

    @names
    def test_that_cannot_be_filled_is_told_in_a_line(self, name):
        class Failing:
            def __str__(self):
                raise ValueError(name)

        @lockutils.synchronized("a-{value}")
        def fail(value): ...

        @lockutils.synchronized("a-{value[x]}")
        def miss(value): ...

        for call, value in ((fail, Failing()), (miss, {name: 1}), (miss, name)):
            with pytest.raises(ValueError, match="cannot be filled in") as raised:
                call(value)
            assert_line(*said_by(raised.value))


@names
def test_a_name_is_a_file_in_its_directory_and_none_of_ours(name, tmp_path):
    folder = tmp_path / "one" / "two"
    with lockutils.lock(name, external=True, lock_path=folder):
        (file,) = os.listdir(folder)
        assert not file.startswith(".")
        assert os.listdir(folder.parent) == ["two"]
        assert not lockutils.external_lock(name, lock_path=folder).acquire(blocking=False)
