"""Slips that would run code unlocked: each is an error or a warning that says what to write."""

import warnings

import pytest

import lockutils

ASKS = [lockutils.lock, lambda name, **options: lockutils.lock_all([name], **options)]


@pytest.mark.parametrize("value", [0.2, 1, 0, None, "no"])
@pytest.mark.parametrize("ask", ASKS)
def test_blocking_is_a_bool(ask, value):
    """acquire(0.2) would wait without end."""
    handle = ask("x")
    with pytest.raises(TypeError, match=f"blocking .* not {value!r}"):
        handle.acquire(value)
    with pytest.raises(TypeError, match="blocking"):
        ask("x", blocking=value)
    coroutine = handle.async_acquire(value)
    with pytest.raises(TypeError, match="blocking"):
        coroutine.send(None)


def test_a_number_of_seconds_is_a_time_out():
    with pytest.raises(TypeError, match=r"write timeout=0\.2"):
        lockutils.lock("x").acquire(0.2)


@pytest.mark.parametrize("option", ["external", "fair", "shared", "reentrant"])
@pytest.mark.parametrize("value", [1, None, "/var/lock"])
@pytest.mark.parametrize("ask", ASKS)
def test_a_flag_is_a_bool(ask, option, value):
    with pytest.raises(TypeError, match=f"{option} .* not {value!r}"):
        ask("x", **{option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [("do_log", None), ("do_log", 1), ("delay", "1"), ("delay", None), ("delay", True)],
)
@pytest.mark.parametrize("ask", ASKS)
def test_other_options(ask, option, value):
    with pytest.raises(TypeError, match=f"{option} .* not {value!r}"):
        ask("x", **{option: value})


def test_a_factory_is_callable():
    with pytest.raises(TypeError, match="not 7"):
        lockutils.LockByKey(7)


@pytest.mark.parametrize("options", [{}, {"external": True}])
def test_a_handle_is_made_by_lock(options):
    with pytest.raises(TypeError, match=r"lockutils\.lock\('x', \.\.\.\)"):
        lockutils.Lock("x", **options)


@pytest.mark.parametrize(
    "ask",
    [
        lambda path: lockutils.lock("x", lock_path=path),
        lambda path: lockutils.lock_all(["x", "y"], lock_path=path),
        lambda path: lockutils.synchronized("x", lock_path=path),
        lambda path: lockutils.synchronized_with_prefix("p")("x", lock_path=path),
        lambda path: lockutils.lock_with_prefix("p")("x", lock_path=path),
    ],
)
def test_a_directory_for_a_lock_of_this_process_is_told_once_for_each_place(ask, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            ask(tmp_path)
    (warning,) = caught
    assert warning.filename == __file__
    assert "external=True" in str(warning.message)
    with pytest.raises(TypeError, match="not 7"):
        ask(7)
