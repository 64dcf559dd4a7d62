"""Lock files are removed by a name, and only where nobody has them."""

import logging
import os
from unittest import mock

import pytest
from lock_peers import (
    FILE_LOCK,
    HOLDER,
    OURS,
    POLLER,
    Background,
    is_free,
    sleeps_for_a_lock,
    until,
)

import lockutils


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, logger="lockutils")
    return lambda: [record.getMessage() for record in caplog.records]


def make_file(directory, *args, **options):
    with lockutils.lock(*args, external=True, lock_path=directory, **options):
        pass


@pytest.mark.parametrize("name", ["name", "a/b", ".dot", "", 300 * "n"])
def test_the_file_is_removed(name, tmp_path, warnings):
    make_file(tmp_path, name, "app")
    assert len(os.listdir(tmp_path)) == 1

    lockutils.remove_external_lock_file(name, "app", tmp_path)

    assert os.listdir(tmp_path) == []
    assert warnings() == []


def test_the_file_of_a_prefix_is_removed(tmp_path):
    make_file(tmp_path, "name", "app")
    make_file(tmp_path, "name")

    lockutils.remove_external_lock_file_with_prefix("app")("name", lock_path=tmp_path)

    assert os.listdir(tmp_path) == ["name"]


def test_those_who_replace_the_functions_that_are_called_get_str(tmp_path):
    make_file(tmp_path, "name")
    file = str(tmp_path / "name")
    with (
        mock.patch("os.path.lexists", return_value=True) as lexists,
        mock.patch("os.remove") as remove,
    ):
        lockutils.remove_external_lock_file("name", lock_path=tmp_path)
    lexists.assert_called_once_with(file)
    remove.assert_called_once_with(file)


def test_that_there_is_no_file_is_fine(tmp_path, warnings):
    lockutils.remove_external_lock_file("name", lock_path=tmp_path)
    assert os.listdir(tmp_path) == []

    lockutils.remove_external_lock_file("name", lock_path=tmp_path / "no" / "directory")
    assert os.listdir(tmp_path) == []
    assert warnings() == []


def test_a_failure_is_a_warning(tmp_path, warnings):
    (tmp_path / "name").mkdir()

    lockutils.remove_external_lock_file("name", lock_path=tmp_path)

    (warning,) = warnings()
    assert warning.startswith(f"Failed to remove file {tmp_path / 'name'}: ")


def test_a_holder_in_this_process_is_waited_for(tmp_path):
    with lockutils.lock("name", external=True, lock_path=tmp_path) as held:
        removal = Background(lockutils.remove_external_lock_file, "name", lock_path=tmp_path)
        until(lambda: len(held._queue) > 1, "the removal waits")
        assert os.listdir(tmp_path) == ["name"]
    removal.result()
    assert os.listdir(tmp_path) == []


def test_only_a_holder_of_the_same_semaphores_is_waited_for(tmp_path):
    make_file(tmp_path, "name")
    with lockutils.lock("name"):
        semaphores = lockutils.Semaphores()
        lockutils.remove_external_lock_file("name", None, tmp_path, semaphores)
    assert os.listdir(tmp_path) == []


def test_whoever_holds_the_lock_cannot_remove_its_file(tmp_path):
    with (
        lockutils.lock("name", external=True, lock_path=tmp_path),
        pytest.raises(lockutils.DeadlockError),
    ):
        lockutils.remove_external_lock_file("name", lock_path=tmp_path)


@pytest.mark.parametrize("holder", [OURS, FILE_LOCK])
def test_a_file_that_another_process_has_locked_stays(holder, tmp_path, peers, warnings):
    """Else the next one in would have a new file, beside the holder."""
    other = peers.python(HOLDER.format(holder), tmp_path)
    assert other.hear() == "held"

    lockutils.remove_external_lock_file("name", lock_path=tmp_path)

    (warning,) = warnings()
    assert warning == f"Failed to remove file {tmp_path / 'name'}: It is locked"
    assert not is_free("name", external=True, lock_path=tmp_path)
    assert other.ask() == "released"
    lockutils.remove_external_lock_file("name", lock_path=tmp_path)
    assert not (tmp_path / "name").exists()


@pytest.mark.parametrize("waiter", [OURS, FILE_LOCK])
def test_a_waiter_in_another_process_goes_on_with_a_new_file(waiter, tmp_path, peers):
    """The removal gets the lock before a waiter that has the old file open."""
    path = tmp_path / "name"
    with lockutils.lock("name", external=True, lock_path=tmp_path):
        if waiter is OURS:
            other = peers.python(HOLDER.format(waiter), tmp_path)
            until(lambda: sleeps_for_a_lock(other.process.pid), "it waits")
        else:
            other = peers.python(POLLER.format(waiter), tmp_path)
            assert other.hear() == "tries"
        path.unlink()  # what the removal does, once it has the lock that we have
    assert other.hear() == "held"
    assert path.exists()
    assert not is_free("name", external=True, lock_path=tmp_path)
