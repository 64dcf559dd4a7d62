"""Readers and writers, slots and re-entry: the handles, in one process."""

import asyncio
import gc
import os

import pytest
from lock_peers import Background, open_descriptors, until

import lockutils
from lockutils.local.shared_waiters import SharedWaiter


@pytest.fixture(params=["internal", "external"])
def lock(request, tmp_path):
    """Makes handles; at the end nobody holds or waits, and nothing is open."""
    where = {"external": True, "lock_path": tmp_path / "locks"}
    if request.param == "internal":
        where.clear()
    if request.param == "external" and os.name != "posix":
        pytest.skip("no fcntl")
    names = set()

    def lock(name="it", **options):
        names.add(name)
        return lockutils.lock(name, **where, **options)

    yield lock
    for name in names:
        assert not lockutils.lock(name)._queue
    # a helper of one that gave up may still be about it
    until(lambda: not any(str(tmp_path) in path for path in open_descriptors().values()), "no leak")


def in_line(name="it"):
    return len(lockutils.lock(name)._queue)


def elsewhere(call, *args, **options):
    """What a call comes to in another thread."""
    return Background(call, *args, **options).result()


def visit(lock):
    with lock:
        pass


def test_readers_share(lock):
    with lock(shared=True), lock(shared=True):
        elsewhere(visit, lock(shared=True, blocking=False))
        assert not lock().acquire(blocking=False)
        assert not elsewhere(lock().acquire, timeout=0.001)
    visit(lock(blocking=False))


def test_a_writer_excludes_readers(lock):
    with lock():
        assert not lock(shared=True).acquire(blocking=False)
        with pytest.raises(lockutils.LockTimeout):
            lock(shared=True, timeout=0.001).__enter__()


def test_a_reader_does_not_pass_a_writer_that_waits(lock):
    order = []

    def wait(how, **options):
        with lock(**options, timeout=30):
            order.append(how)

    with lock(shared=True):
        writer = Background(wait, "writer")
        until(lambda: in_line() == 2, "the writer waits")
        reader = Background(wait, "reader", shared=True)
        until(lambda: in_line() == 3, "the reader waits")
        assert order == []
    writer.result()
    reader.result()
    assert order == ["writer", "reader"]


def test_readers_move_up_when_a_writer_gives_up(lock):
    with lock(shared=True):
        writer = Background(lock().acquire, timeout=0.2)
        until(lambda: in_line() == 2, "the writer waits")
        reader = Background(lock(shared=True, timeout=30).__enter__)
        assert writer.result() is False
        reader.result().release()


def test_upgrading_is_a_deadlock(lock):
    with lock(shared=True):
        for options in {}, {"reentrant": True}, {"fair": True}:
            with pytest.raises(lockutils.DeadlockError, match="'it'"):
                lock(**options).acquire()
            assert in_line() == 1
            with pytest.raises(lockutils.DeadlockError, match="'it'"):
                lock(**options).acquire(timeout=30)
            assert not lock(**options).acquire(blocking=False)
        assert not elsewhere(lock().acquire, timeout=0.001)
    with lock(shared=True, reentrant=True), pytest.raises(lockutils.DeadlockError):
        lock(reentrant=True).acquire()


def test_asking_for_it_shared_while_holding_it_is_a_deadlock(lock):
    with lock(), pytest.raises(lockutils.DeadlockError):
        lock(shared=True).acquire()


def test_a_reader_behind_a_writer_who_waits_for_it_is_a_deadlock(lock):
    with lock(shared=True):
        writer = Background(visit, lock(timeout=30))
        until(lambda: in_line() == 2, "the writer waits")
        with pytest.raises(lockutils.DeadlockError):
            lock(shared=True).acquire()
    writer.result()


def test_the_same_in_tasks(lock):
    async def read(inside, leave):
        async with lock(shared=True):
            inside.append(None)
            await leave.wait()

    async def write():
        async with lock():
            pass

    async def main():
        inside, leave = [], asyncio.Event()
        readers = [asyncio.create_task(read(inside, leave)) for _ in range(5)]
        while len(inside) < 5:
            await asyncio.sleep(0)
        writer = asyncio.create_task(write())
        while in_line() < 6:
            await asyncio.sleep(0)
        late = [asyncio.create_task(read(inside, leave)) for _ in range(2)]
        while in_line() < 8:
            await asyncio.sleep(0)
        assert len(inside) == 5
        late[0].cancel()
        leave.set()
        await asyncio.gather(*readers, writer, *late, return_exceptions=True)
        assert len(inside) == 6
        async with lock(shared=True):
            with pytest.raises(lockutils.DeadlockError):
                await lock().async_acquire()

    asyncio.run(main())


def test_a_reader_that_leaves_others_behind_has_nobody_to_wake(lock, monkeypatch):
    """With a thousand readers inside, each would otherwise go through all of them."""
    readers = [lock(shared=True) for _ in range(20)]
    for reader in readers:
        reader.acquire()
    writer = Background(visit, lock(timeout=30))
    until(lambda: in_line() == 21, "the writer waits")
    runs, real = [], SharedWaiter.wake_run
    monkeypatch.setattr(SharedWaiter, "wake_run", lambda *args: runs.append(args) or real(*args))
    for reader in readers:
        reader.release()
    writer.result()
    assert not runs


def test_one_handle_of_several_readers(lock):
    """Each of them releases its own hold."""
    handle = lock(shared=True)
    handle.acquire()
    other = Background(handle.acquire)
    assert other.result()
    handle.release()
    assert in_line() == 1
    assert lockutils.held() == frozenset()
    handle.release()  # of the other thread: whoever has the handle may release it
    with pytest.raises(RuntimeError):
        handle.release()


def test_a_dropped_handle_lets_go(lock):
    handles = [lock(shared=True), lock(shared=True, reentrant=True)]
    for handle in handles:
        handle.acquire()
    del handle, handles
    gc.collect()
    assert in_line() == 0


class TestSlots:
    def test_as_many_as_there_are(self, lock):
        handles = [lock(slots=3) for _ in range(4)]
        assert [handle.acquire(blocking=False) for handle in handles] == [True] * 3 + [False]
        waiter = Background(handles[3].acquire, timeout=30)
        until(lambda: in_line() == 4, "it waits")

        handles[1].release()

        assert waiter.result() is True
        for handle in (handles[0], handles[2], handles[3]):
            handle.release()

    def test_in_the_order_of_arrival(self, lock):
        holders = [lock(slots=2), lock(slots=2)]
        for holder in holders:
            holder.acquire()
        order = []

        def wait(number):
            with lock(slots=2, timeout=30):
                order.append(number)

        waiters = []
        for number in range(6):
            waiters.append(Background(wait, number))
            until(lambda: in_line() == 3 + number, "it waits")  # noqa: B023
        holders[0].release()
        for waiter in waiters:
            waiter.result()
        holders[1].release()
        assert order == list(range(6))

    def test_all_users_must_agree(self, lock):
        with lock(slots=3):
            for options in {"slots": 2}, {"slots": 1}, {"shared": True}, {"reentrant": True}:
                for limit in {"blocking": False}, {"timeout": 5}, {}:
                    with pytest.raises(lockutils.SlotsMismatchError) as caught:
                        lock(**options).acquire(**limit)
                    assert caught.value.slots_in_use == 3
                    assert caught.value.lock_name == "it"
                    assert "slots=3" in str(caught.value)
        with lock(), pytest.raises(lockutils.SlotsMismatchError):
            lock(slots=3).acquire()
        assert lock(slots=7).acquire()

    def test_waiting_for_oneself_is_a_deadlock_only_if_all_slots_are_ones_own(self, lock):
        with lock(slots=2) as mine:
            other = lock(slots=2)
            assert elsewhere(other.acquire)
            waiting = Background(other.release)
            with lock(slots=2):
                waiting.result()
                with pytest.raises(lockutils.DeadlockError):
                    lock(slots=2).acquire()
            assert mine.acquire()
            mine.release()

    @pytest.mark.parametrize("slots", [0, -1, 10**9])
    def test_a_number_that_is_none(self, lock, slots):
        with pytest.raises(ValueError, match=str(slots)):
            lock(slots=slots)

    @pytest.mark.parametrize("slots", [2.0, "2", None])
    def test_what_is_not_a_number(self, lock, slots):
        with pytest.raises(TypeError, match="slots"):
            lock(slots=slots)


class TestReentrant:
    def test_the_last_release_lets_go(self, lock):
        handle, other = lock(reentrant=True), lock(reentrant=True)
        for one in (handle, handle, other):
            one.acquire()
        assert not elsewhere(lock(reentrant=True).acquire, blocking=False)
        for one in (handle, other):
            one.release()
            assert not elsewhere(lock().acquire, blocking=False)
        handle.release()
        with pytest.raises(RuntimeError):
            handle.release()
        elsewhere(visit, lock(blocking=False))

    def test_in_any_order(self, lock):
        first, second = lock(reentrant=True), lock(reentrant=True)
        first.acquire()
        second.acquire()
        first.release()
        assert not lock().acquire(blocking=False)
        second.release()
        assert in_line() == 0

    def test_each_time_has_to_say_so(self, lock):
        with lock(), pytest.raises(lockutils.DeadlockError):
            lock(reentrant=True).acquire()
        with lock(reentrant=True), pytest.raises(lockutils.DeadlockError):
            lock().acquire()

    def test_it_is_the_callers_own(self, lock):
        """Of another thread, or another task, it is waited for."""
        handle = lock(reentrant=True)

        async def again():
            return await lock(reentrant=True).async_acquire(timeout=0.001)

        async def main():
            assert await handle.async_acquire()
            assert await handle.async_acquire()
            assert not await asyncio.create_task(again())
            assert not await asyncio.to_thread(handle.acquire, timeout=0.001)
            handle.release()
            handle.release()
            assert await asyncio.create_task(again())
            gc.collect()

        asyncio.run(main())

    def test_a_reader_again_and_a_writer_as_a_reader(self, lock):
        with lock(shared=True, reentrant=True):
            writer = Background(visit, lock(timeout=30))
            until(lambda: in_line() == 2, "the writer waits")
            with lock(shared=True, reentrant=True):  # it would wait for itself otherwise
                pass
        writer.result()
        with lock(reentrant=True), lock(shared=True, reentrant=True):
            assert not elsewhere(lock(shared=True).acquire, blocking=False)

    def test_one_slot_is_one_slot(self, lock):
        with lock(slots=2, reentrant=True), lock(slots=2, reentrant=True):
            assert in_line() == 1

    def test_another_thread_may_release_what_is_passed_to_it(self, lock):
        handle = lock(reentrant=True)
        handle.acquire()
        handle.acquire()
        elsewhere(handle.release)
        assert not elsewhere(lock().acquire, blocking=False)
        elsewhere(handle.release)
        assert in_line() == 0

    def test_released_by_another_thread_while_taken_again(self, lock, monkeypatch):
        """A level is added to a lock that is held, or a new one acquired; never to neither."""
        handle, again = lock(reentrant=True), lock(reentrant=True)
        handle.acquire()
        real = SharedWaiter.covers

        def covers(self, other):
            found = real(self, other)
            if found:
                elsewhere(handle.release)
            return found

        monkeypatch.setattr(SharedWaiter, "covers", covers)
        assert again.acquire(timeout=30)

        assert in_line() == 1
        assert not elsewhere(lock().acquire, blocking=False)
        again.release()

    def test_with_and_without_the_lock_file(self, tmp_path):
        outside = {"external": True, "lock_path": tmp_path, "reentrant": True}
        with lockutils.lock("it", **outside), lockutils.lock("it", reentrant=True):
            pass
        with lockutils.lock("it", reentrant=True), pytest.raises(lockutils.DeadlockError):
            lockutils.lock("it", **outside).acquire()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("options", [{"shared": True}, {"slots": 2}, {"reentrant": True}])
def test_a_forked_child_holds_nothing(lock, options):
    handle = lock(**options)
    handle.acquire()
    pid = os.fork()
    if pid == 0:
        try:
            assert in_line() == 0
            assert lockutils.held() == frozenset()
            try:
                handle.release()
            except RuntimeError:
                os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    if "slots" not in options:
        assert not lock().acquire(blocking=False)
    handle.release()


def test_held(lock):
    with lock(shared=True), lock("other", slots=2), lock("third", reentrant=True) as third:
        assert lockutils.held() == {"it", "other", "third"}
        assert elsewhere(lockutils.held) == frozenset()
        third.acquire()
        third.release()
        assert "third" in lockutils.held()
    assert lockutils.held() == frozenset()
