"""lockutils.status() and handle.locked(): what this process knows, joined with the system."""

import asyncio
import os
import threading
import time
from functools import partial

import pytest
from lock_peers import HOLDER, OURS, Background, is_free, run_python, sleeps_for_a_lock, until

import lockutils
from lockutils.front import settings

WAYS = {
    "with": lambda **options: lockutils.lock("name", **options),
    "fair": lambda **options: lockutils.lock("name", fair=True, **options),
    "shared": lambda **options: lockutils.lock("name", shared=True, **options),
    "slots": lambda **options: lockutils.lock("name", slots=2, **options),
    "reentrant": lambda **options: lockutils.lock("name", reentrant=True, **options),
}


def is_waited_for_by(count, **where):
    return len(lockutils.status("name", **where).waiters) == count


@pytest.fixture(params=["internal", "external"])
def where(request, tmp_path):
    if request.param == "internal":
        return {}
    return {"external": True, "lock_path": tmp_path}


@pytest.fixture
def outside(tmp_path):
    return {"external": True, "lock_path": tmp_path}


@pytest.mark.parametrize("way", WAYS)
def test_of_a_holder_here(where, way):
    handle, other = WAYS[way](**where), lockutils.lock("name", **where)
    assert not handle.locked()
    assert lockutils.status("name", **where).holders == ()
    before = time.time()

    with handle:
        status = lockutils.status("name", **where)
        assert handle.locked()
        assert other.locked()

    (holder,) = status.holders
    mode = way if way in ("shared", "slots") else "exclusive"
    assert (status.name, status.waiters) == ("name", ())
    assert (holder.pid, holder.thread, holder.mode) == (os.getpid(), "MainThread", mode)
    if os.path.exists("/proc"):
        assert holder.not_before <= before
    assert holder.since is None
    assert not handle.locked()


def test_threads_wait_in_order_and_are_counted_once(where):
    handles = [lockutils.lock("name", **where) for _ in range(3)]
    before = time.time()
    with lockutils.lock("name", **where):
        waiters = []
        for count, handle in enumerate(handles, 1):
            waiters.append(threading.Thread(target=handle.acquire, name=f"waiter {count}"))
            waiters[-1].start()
            until(partial(is_waited_for_by, count, **where), "it waits")

        status = lockutils.status("name", **where)

        assert [waiter.thread for waiter in status.waiters] == ["waiter 1", "waiter 2", "waiter 3"]
        assert {waiter.pid for waiter in status.waiters} == {os.getpid()}
        assert len(status.holders) == 1
        assert all(before <= waiter.since <= time.time() for waiter in status.waiters)
        released = time.time()
    for handle, waiter in zip(handles, waiters, strict=True):
        waiter.join()
        (holder,) = lockutils.status("name", **where).holders
        # one that has waited knows when it acquired it
        assert (holder.thread, holder.not_before) in [
            (waiter.name, None),
            (str(waiter.native_id), None),
        ]
        assert released <= holder.since <= time.time()
        handle.release()


def test_tasks_are_named(where):
    async def hold(ready, go):
        async with lockutils.lock("name", **where):
            ready.set()
            await go.wait()

    async def main():
        ready, go = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(ready, go), name="convert")
        await ready.wait()
        waiter = asyncio.create_task(hold(asyncio.Event(), go), name="upload")
        while not lockutils.status("name", **where).waiters:
            await asyncio.sleep(0)
        status = lockutils.status("name", **where)
        go.set()
        await asyncio.gather(holder, waiter)
        return status

    status = asyncio.run(main())
    assert [one.task for one in status.holders] == ["convert"]
    assert [one.task for one in status.waiters] == ["upload"]


def test_readers_here_and_elsewhere(outside, peers, tmp_path):
    other = peers.python(
        HOLDER.format(OURS.replace("lock_path", "shared=True, lock_path")), tmp_path
    )
    assert other.hear() == "held"
    reader = lockutils.lock("name", shared=True, **outside)
    with reader, lockutils.lock("name", shared=True, **outside):
        writer = peers.python(HOLDER.format(OURS), tmp_path)
        until(lambda: sleeps_for_a_lock(writer.process.pid), "it waits")

        status = lockutils.status("name", **outside)

        assert sorted(holder.pid for holder in status.holders) == sorted(
            [os.getpid(), os.getpid(), other.process.pid]
        )
        assert {holder.mode for holder in status.holders} == {"shared"}
        assert [waiter.pid for waiter in status.waiters] == [writer.process.pid]
    writer.kill()


def test_waiters_here_and_elsewhere_are_in_line(outside, peers, tmp_path):
    fair = OURS.replace("lock_path", "fair=True, lock_path")
    holder = peers.python(HOLDER.format(OURS), tmp_path)
    assert holder.hear() == "held"

    def elsewhere():
        peer = peers.python(HOLDER.format(fair), tmp_path)
        until(lambda: sleeps_for_a_lock(peer.process.pid), "it waits")
        return peer.process.pid

    def here():
        handle = lockutils.lock("name", fair=True, **outside)
        count = len(lockutils.status("name", **outside).waiters)
        calls.append(Background(handle.acquire))
        until(partial(is_waited_for_by, count + 1, **outside), "it waits")
        handles.append(handle)
        return os.getpid()

    handles, calls = [], []
    pids = [elsewhere(), here(), elsewhere(), here()]

    status = lockutils.status("name", **outside)

    assert [waiter.pid for waiter in status.waiters] == pids
    assert [waiter.thread is None for waiter in status.waiters] == [True, False, True, False]
    assert [one.pid for one in status.holders] == [holder.process.pid]
    peers.close()
    for call, handle in zip(calls, handles, strict=True):
        assert call.result()
        handle.release()


def test_another_library_of_this_process(outside, tmp_path):
    """An internal lock of the name says nothing of the file."""
    fcntl = pytest.importorskip("fcntl")
    with open(tmp_path / "name", "w") as file, lockutils.lock("name"):
        fcntl.flock(file, fcntl.LOCK_EX)

        status = lockutils.status("name", **outside)

        assert [holder.thread for holder in status.holders] == ["MainThread", None]
        assert [holder.pid for holder in status.holders] == [os.getpid(), os.getpid()]


def test_of_a_group(where):
    group = lockutils.lock_all(["a", "b"], **where)
    assert not group.locked()
    with lockutils.lock("b", **where):
        assert group.locked()
    with group:
        assert group.locked()
    assert not group.locked()


def test_semaphores_are_looked_at(where):
    places = lockutils.Semaphores()
    with lockutils.lock("name", semaphores=places):
        assert lockutils.status("name", semaphores=places).holders
        assert not lockutils.status("name").holders


def test_names_are_those_of_lock(outside):
    with lockutils.lock(7, "prefix", **outside):
        assert lockutils.status(7, "prefix-", **outside).name == "prefix-7"
        assert lockutils.status("7", "prefix", **outside).holders


def test_the_status_itself():
    with lockutils.lock("name"):
        status = lockutils.status("name")
    assert isinstance(status, lockutils.Status)
    assert repr(status) == f"Status('name', holders=({status.holders[0]!r},), waiters=())"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"name": None}, TypeError, "None"),
        ({"name": b"x"}, TypeError, "b'x'"),
        ({"name": "x", "external": "/path"}, TypeError, "'/path'"),
        ({"name": "x", "lock_file_prefix": 7}, TypeError, "7"),
        ({"name": "x", "semaphores": {}}, TypeError, "{}"),
        ({"name": "x", "external": True, "lock_path": 7}, TypeError, "7"),
        ({"name": "x", "external": True, "lock_path": ""}, ValueError, "''"),
    ],
)
def test_arguments_are_checked(arguments, error, text):
    with pytest.raises(error, match=f"{text}$"):
        lockutils.status(**arguments)


def test_a_path_without_external_is_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="no effect without external=True") as caught:
        lockutils.status("name", lock_path=tmp_path)
    assert caught[0].filename == __file__


def test_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.delenv("LOCKUTILS_LOCK_PATH", raising=False)
    monkeypatch.delenv("OSLO_LOCK_PATH", raising=False)
    monkeypatch.setattr(settings, "default_parent", lambda: str(tmp_path))
    monkeypatch.setattr(settings, "_defaults", {})

    for name in ("name", "n" * 300):
        assert lockutils.status(name, external=True).holders == ()
        assert lockutils.status(name, external=True, lock_path=tmp_path / "a" / "b").waiters == ()

    assert not os.listdir(tmp_path)
    with lockutils.lock("name", external=True):  # and it is checked when it is used
        assert lockutils.status("name", external=True).holders
    assert os.listdir(tmp_path) == [f"lockutils-{os.geteuid()}"]


def test_without_proc_a_record_lock_is_seen(outside, tmp_path, monkeypatch):
    from lockutils.backends.file import status

    def nothing(directory):
        raise FileNotFoundError

    monkeypatch.setattr(status, "Snapshot", nothing)
    lock = lockutils.lock("name", semaphores=lockutils.Semaphores(), **outside)
    handle = lockutils.lock("name", **outside)
    assert not handle.locked()
    with lock:
        assert handle.locked()
        (holder,) = lockutils.status("name", **outside).holders
        assert str(holder) == "a process that is not visible from here"
    assert not handle.locked()
    assert is_free("name", **outside)


def test_a_forked_child_holds_nothing(outside):
    with lockutils.lock("name", **outside):
        child = os.fork()
        if child == 0:
            (holder,) = lockutils.status("name", **outside).holders
            os._exit(holder.pid != os.getppid() or holder.thread is not None)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_is_imported_at_once_with_what_reads_proc():
    """A waiter that times out must not import: its forked child could find the import locked."""
    printed = run_python(
        "import sys, lockutils\n"
        "names = 'front.status', 'observe.status', 'backends.file.status', 'backends.file.proc'\n"
        "print(*[name for name in names if f'lockutils.{name}' in sys.modules])\n"
        "print(lockutils.status('name').holders)"
    )
    assert printed == "front.status observe.status backends.file.status backends.file.proc\n()\n"
