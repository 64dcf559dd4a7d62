"""The names that oslo.concurrency has besides ``lock`` and ``synchronized``, and what they mean."""

import inspect
import os
import sys
import uuid
from unittest import mock

import fasteners
import pytest
from lock_peers import is_free, run_python

import lockutils

# --- the names

NAMES = """
    AcquireLockFailedException FairLocks InterProcessLock ReaderWriterLock Semaphores external_lock
    get_lock_path internal_fair_lock internal_lock lock lock_with_prefix main
    remove_external_lock_file remove_external_lock_file_with_prefix set_defaults synchronized
    synchronized_with_prefix
"""


def test_all_of_them_are_there():
    printed = run_python("""
import lockutils
listed = set(dir(lockutils))
for name in lockutils.__all__:
    assert name in listed, name
    getattr(lockutils, name)
from lockutils import *
print(*lockutils.__all__)
""")
    assert set(NAMES.split()) <= set(printed.split())


@pytest.mark.parametrize("name", ["lock_with_prefix", "internal_lock", "remove_external_lock_file"])
def test_what_needs_no_fasteners_does_not_import_it(name):
    printed = run_python(f"""
import sys
import lockutils
before = [name for name in sys.modules if name in ("fasteners", "logging", "lockutils.oslo")]
assert before == [], before
lockutils.{name}
print("fasteners" in sys.modules)
lockutils.FairLocks
print("fasteners" in sys.modules)
""")
    assert printed.split() == ["False", "True"]


def test_no_other_name_is_invented():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lockutils.no_such_name


def test_fasteners_classes_are_known_by_isinstance(tmp_path):
    assert isinstance(lockutils.ReaderWriterLock(), fasteners.ReaderWriterLock)
    assert isinstance(lockutils.FairLocks().get("name"), lockutils.ReaderWriterLock)
    assert isinstance(lockutils.internal_fair_lock("name"), lockutils.ReaderWriterLock)
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    assert isinstance(lock, lockutils.InterProcessLock)
    assert isinstance(lock, fasteners.InterProcessLock)


# --- names that are no strings


@pytest.mark.parametrize("what", [7, uuid.UUID(int=7), mock.Mock(), mock.MagicMock()])
def test_another_object_stands_for_its_str(what, tmp_path):
    name, options = str(what), {"lock_path": tmp_path}
    with lockutils.internal_lock(what):
        assert not is_free(name)
    with lockutils.external_lock(what, "app", tmp_path):
        assert not is_free(name, "app", external=True, **options)
    assert lockutils.internal_fair_lock(what) is lockutils.internal_fair_lock(name)
    with lockutils.internal_fair_lock(what).read_lock():
        assert not is_free(name)
    with lockutils.lock_with_prefix("app")(what, external=True, **options) as held:
        assert not is_free(name, "app", external=True, **options)
        assert held.name == name

    @lockutils.synchronized_with_prefix("app")(what, external=True, **options)
    def work():
        assert not is_free(name, "app", external=True, **options)

    work()
    assert os.listdir(tmp_path) == [f"app-{name}"]
    lockutils.remove_external_lock_file_with_prefix("app")(what, **options)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("what", [7, uuid.UUID(int=7), ("x",)])
def test_a_place_of_locks_has_one_for_an_object_and_its_str(what):
    fair_locks = lockutils.FairLocks()
    assert fair_locks.get(what) is fair_locks.get(str(what))
    semaphores = lockutils.Semaphores()
    for find in (semaphores.get, semaphores.__getitem__, semaphores):
        with find(what) as held:
            assert held.name == str(what)
            assert len(semaphores) == 1
            assert not is_free(what, semaphores=semaphores)
            assert not is_free(str(what), semaphores=semaphores)
            assert not semaphores.get(str(what)).acquire(blocking=False)


@pytest.mark.parametrize("what", [None, b"name"])
@pytest.mark.parametrize(
    "function",
    [
        lockutils.internal_lock,
        lockutils.external_lock,
        lockutils.internal_fair_lock,
        lockutils.remove_external_lock_file,
        lockutils.lock_with_prefix("app"),
        lockutils.synchronized_with_prefix("app"),
        lockutils.remove_external_lock_file_with_prefix("app"),
        lockutils.FairLocks().get,
        lockutils.Semaphores().get,
    ],
)
def test_what_is_not_a_name(function, what):
    with pytest.raises(TypeError, match="the name of a lock must be a str"):
        function(what)


# --- internal_lock, and the partial ones


def test_an_internal_lock_is_the_lock_of_that_name():
    with lockutils.internal_lock("name"):
        assert not is_free("name")
        assert is_free("name", semaphores=lockutils.Semaphores())
    assert is_free("name")


def test_an_internal_lock_of_other_semaphores_is_theirs():
    semaphores = lockutils.Semaphores()
    with lockutils.internal_lock("name", semaphores):
        assert is_free("name")
        assert not is_free("name", semaphores=semaphores)


def test_an_internal_lock_without_blocking_raises():
    lock = lockutils.internal_lock("name", blocking=False)
    with lock, pytest.raises(lockutils.AcquireLockFailedException):
        lockutils.internal_lock("name", blocking=False).__enter__()


def test_lock_with_prefix(tmp_path):
    lock = lockutils.lock_with_prefix("app")
    with lock("name", external=True, lock_path=tmp_path):
        assert not is_free("name", lock_file_prefix="app")
        assert is_free("name")
    assert os.listdir(tmp_path) == ["app-name"]


def test_synchronized_with_prefix(tmp_path):
    synchronized = lockutils.synchronized_with_prefix("app-")

    @synchronized("name", external=True, lock_path=tmp_path)
    def work(number):
        """Works."""
        assert not is_free("name", lock_file_prefix="app")
        return number

    assert (work(7), work.__doc__) == (7, "Works.")
    assert os.listdir(tmp_path) == ["app-name"]


def test_the_signature_of_main_takes_nothing():
    assert inspect.signature(lockutils.main).parameters == {}
    assert sys.modules["lockutils.cli.wrapper"].main is lockutils.main
