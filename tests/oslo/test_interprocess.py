"""fasteners' lock on the file of a lock of ours: who holds the one excludes the other."""

import gc
import os
import subprocess
import threading
from pathlib import Path
from unittest import mock

import pytest
from lock_peers import (
    FILE_LOCK,
    HOLDER,
    OURS,
    POLLER,
    Background,
    is_free,
    opens,
    sleeps_for_a_lock,
    until,
)

import lockutils


@pytest.mark.parametrize("prefix", [None, "app", "app-"])
@pytest.mark.parametrize("name", ["name", "a/b", "%2F", ".dot", "", 300 * "n"])
def test_an_external_lock_is_on_the_file_of_the_lock(name, prefix, tmp_path):
    lock = lockutils.external_lock(name, prefix, tmp_path)
    with lockutils.lock(name, prefix, external=True, lock_path=tmp_path):
        assert os.listdir(tmp_path) == [os.path.basename(os.fsdecode(lock.path))]
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0.001, delay=0)
    with lock:
        assert not is_free(name, lock_file_prefix=prefix, external=True, lock_path=tmp_path)
    assert is_free(name, lock_file_prefix=prefix, external=True, lock_path=tmp_path)


def test_a_try_in_the_same_process_does_not_end_an_external_lock(tmp_path):
    """It closes a descriptor of the file, which would drop a record lock of the process."""
    with lockutils.external_lock("name", lock_path=tmp_path):
        for _ in range(3):
            assert not is_free("name", external=True, lock_path=tmp_path)
        assert not lockutils.external_lock("name", lock_path=tmp_path).acquire(blocking=False)


@pytest.mark.parametrize("outsider", ["fasteners", "ours", "external_lock"])
def test_an_external_lock_excludes_other_processes(outsider, tmp_path, peers):
    source = {
        "fasteners": POLLER.format(
            "InterProcessLock.__mro__[1](os.path.join(sys.argv[1], 'name'))"
        ),
        "ours": HOLDER.format(OURS),
        "external_lock": POLLER.format(FILE_LOCK),
    }[outsider]
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    other = peers.python(source, tmp_path)
    assert other.hear() == "held"
    assert not lock.acquire(blocking=False)
    waiting = Background(lock.acquire)
    assert other.ask() == "released"
    assert waiting.result()

    blocked = peers.python(source, tmp_path)
    if outsider == "ours":
        until(lambda: sleeps_for_a_lock(blocked.process.pid), "it waits")
    else:
        assert blocked.hear() == "tries"
    lock.release()
    assert blocked.hear() == "held"


def test_an_external_lock_excludes_flock(tmp_path):
    with lockutils.external_lock("name", lock_path=tmp_path):
        assert subprocess.call(["flock", "-n", tmp_path / "name", "true"]) == 1
    assert subprocess.call(["flock", "-n", tmp_path / "name", "true"]) == 0


def test_an_external_lock_leaves_the_content(tmp_path):
    (tmp_path / "name").write_text("kept")
    with lockutils.external_lock("name", lock_path=tmp_path):
        pass
    assert (tmp_path / "name").read_text() == "kept"


def test_an_error_is_ours_and_that_of_fasteners(tmp_path):
    os.mkfifo(tmp_path / "name")
    lock = lockutils.InterProcessLock(tmp_path / "name")
    for attempt in (lock.acquire, lock.trylock):
        with pytest.raises(lockutils.LockPathError) as refusal:
            attempt()
        assert isinstance(refusal.value, threading.ThreadError)
        assert not lock.acquired
    with pytest.raises(threading.ThreadError):
        lock.release()


def test_a_path_is_taken_as_it_is(monkeypatch, tmp_path):
    """Also one that as a name would be escaped."""
    monkeypatch.chdir(tmp_path)
    with lockutils.InterProcessLock(".name"), lockutils.InterProcessLock("new/%2F"):
        assert sorted(os.listdir()) == [".name", "new"]
        assert os.listdir("new") == ["%2F"]
        assert subprocess.call(["flock", "-n", ".name", "true"]) == 1


@pytest.mark.parametrize("path", ["name", b"name", Path("name"), "new/name"])
def test_it_tells_whether_the_file_exists(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lock = lockutils.InterProcessLock(path)
    assert not lock.exists()
    with lock:
        assert lock.exists()
    os.remove(lock.path)
    assert not lock.exists()


def test_those_who_replace_the_functions_that_are_called_get_str(tmp_path):
    for make in (
        lambda: lockutils.external_lock("name", lock_path=tmp_path),
        lambda: lockutils.InterProcessLock(os.fsencode(tmp_path / "name")),
    ):
        with mock.patch("os.path.exists", return_value=True) as exists:
            assert make().exists()
        exists.assert_called_once_with(str(tmp_path / "name"))


def test_who_acquires_again_releases_once(tmp_path):
    """As fasteners has it."""
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    assert lock.acquire()
    assert lock.acquire(blocking=False)
    lock.release()
    assert not lock.acquired
    assert is_free("name", external=True, lock_path=tmp_path)


def test_holders_of_slots_are_in_the_way(tmp_path):
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    with lockutils.lock("name", external=True, lock_path=tmp_path, slots=2):
        assert not lock.acquire(blocking=False)
    with lock:
        assert lock.acquired


def test_a_dropped_lock_lets_go(tmp_path):
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    lock.acquire()
    del lock
    gc.collect()
    assert is_free("name", external=True, lock_path=tmp_path)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_no_part_in_an_external_lock(tmp_path):
    """Its copy of the descriptor would keep the lock after the parent's end."""
    lock = lockutils.external_lock("name", lock_path=tmp_path)
    lock.acquire()
    assert opens(os.getpid(), os.fsdecode(lock.path))
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(to_child)
        held = lock.acquired or opens(os.getpid(), os.fsdecode(lock.path))
        os.write(to_parent, b"no" if held else b"ok")
        os.read(from_parent, 1)
        os._exit(0)
    try:
        assert os.read(from_child, 2) == b"ok"
        ((waiter, *_),) = lock._handle._holds
        os.close(waiter.request.fd_box.pop())  # and not unlocked: as by SIGKILL
        assert is_free("name", external=True, lock_path=tmp_path)
    finally:
        for descriptor in (to_child, from_parent, from_child, to_parent):
            os.close(descriptor)
        os.waitpid(child, 0)
