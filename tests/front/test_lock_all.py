"""Several locks at once: all or none, in one order, within one time-out."""

import asyncio
import gc
import itertools
import random
import threading

import pytest
from lock_peers import Background, open_descriptors, until

import lockutils
from lockutils.front.handle import Lock


@pytest.fixture(params=["internal", "external"])
def where(request, tmp_path):
    external = request.param == "external"
    yield {"external": True, "lock_path": tmp_path / "locks"} if external else {}
    gc.collect()
    # a helper of one that gave up may still be about it
    until(lambda: not any(str(tmp_path) in path for path in open_descriptors().values()), "no leak")


def is_free(name):
    return not lockutils.lock(name)._queue


def test_all_are_held(where):
    group = lockutils.lock_all(["b", "a", "b", "c"], **where)
    assert group.names == ["a", "b", "c"]
    with group:
        assert lockutils.held() == {"a", "b", "c"}
        for name in "abc":
            assert not lockutils.lock(name, **where).acquire(blocking=False)
    assert all(map(is_free, "abc"))
    with pytest.raises(RuntimeError):
        group.release()


def test_names_that_become_one_with_the_prefix_count_once(where):
    group = lockutils.lock_all(("a" for _ in range(3)), "p", **where)
    with group:
        assert lockutils.held() == {"p-a"}


def test_of_no_name_nothing(where):
    with lockutils.lock_all([], **where, timeout=0) as group:
        assert group.names == []
        assert lockutils.held() == frozenset()


@pytest.mark.parametrize("names", ["abc", b"abc"])
def test_one_name_is_not_several(names):
    with pytest.raises(TypeError, match="abc"):
        lockutils.lock_all(names)


def test_what_is_not_a_name(where):
    with pytest.raises(TypeError, match="None"):
        lockutils.lock_all(["a", None], **where)
    assert is_free("a")


@pytest.mark.parametrize("taken", "abc")
@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ({"blocking": False}, lockutils.AcquireLockFailedException),
        ({"timeout": 0}, lockutils.LockTimeout),
        ({"timeout": 0.01}, lockutils.LockTimeout),
    ],
)
def test_all_or_none(where, taken, limit, error):
    other = lockutils.lock(taken, **where)
    other.acquire()
    group = lockutils.lock_all(["c", "a", "b"], **where, **limit)

    assert group.acquire() is False
    with pytest.raises(error) as caught:
        group.__enter__()

    assert type(caught.value) is error
    assert caught.value.lock_name == taken
    assert (caught.value.waited > 0) == bool(limit.get("timeout"))
    assert lockutils.held() == {taken}
    other.release()
    with group:
        pass


def test_one_time_out_for_all(where):
    """Each of three is let go shortly before the time is up for it alone."""
    others = [lockutils.lock(name, **where) for name in "abc"]
    for other in others:
        other.acquire()
    group = lockutils.lock_all(["a", "b", "c"], **where)
    waiting = Background(group.acquire, timeout=0.3)
    for name, other in zip("ab", others, strict=False):
        until(lambda: len(lockutils.lock(name)._queue) == 2, "it waits")  # noqa: B023
        other.release()
    assert waiting.result() is False
    others[2].release()
    assert all(map(is_free, "abc"))


def test_two_that_list_them_the_other_way_round(where):
    """Taken as they are listed, two of these would soon wait for each other."""
    names = ["a", "b", "c"]
    done = []

    def take(order):
        for _ in range(100):
            with lockutils.lock_all(order, **where):
                done.append(None)

    orders = list(itertools.permutations(names))
    workers = [Background(take, order) for order in orders]
    for worker in workers:
        worker.result()
    assert len(done) == 100 * len(orders)


def test_the_order_is_that_of_the_keys(where):
    """With the prefix in front: what another caller has for a name must not matter."""
    names = [f"{random.random()}" for _ in range(20)]
    assert lockutils.lock_all(names, "p", **where).names == sorted(names)


def test_an_error_in_the_middle_releases_what_was_taken(where):
    with lockutils.lock("b", **where):
        with pytest.raises(lockutils.DeadlockError):
            lockutils.lock_all(["a", "b", "c"], **where).acquire()
        assert lockutils.held() == {"b"}


def test_in_tasks(where):
    async def take(order):
        for _ in range(30):
            async with lockutils.lock_all(order, **where):
                await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*map(take, itertools.permutations("abc")))
        async with lockutils.lock("b", **where):
            late = asyncio.create_task(lockutils.lock_all(["b", "a"], **where).async_acquire())
            while len(lockutils.lock("b")._queue) < 2:
                await asyncio.sleep(0)
            late.cancel()
            with pytest.raises(asyncio.CancelledError):
                await late
            assert is_free("a")
            group = lockutils.lock_all(["b", "a"], **where, timeout=0.01)
            with pytest.raises(lockutils.LockTimeout):
                await group.__aenter__()
            assert not await group.async_acquire(blocking=False)
        assert await group.async_acquire()
        await group.async_release()

    asyncio.run(main())


def test_on_the_clock_of_trio(where):
    trio = pytest.importorskip("trio")
    from trio.testing import MockClock

    async def main():
        others = [lockutils.lock(name, semaphores=elsewhere, **where) for name in "ab"]
        for other in others:
            other.acquire()

        async def let_go():
            await trio.sleep(300)
            others[0].release()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(let_go)
            start = trio.current_time()
            assert not await lockutils.lock_all(["a", "b"], **where, timeout=500).async_acquire()
        assert 500 <= trio.current_time() - start < 600
        others[1].release()

    elsewhere = lockutils.Semaphores() if where else None
    trio.run(main, clock=MockClock(autojump_threshold=0.01))


@pytest.mark.parametrize(
    "options", [{"shared": True}, {"slots": 2}, {"reentrant": True}, {"fair": True}]
)
def test_each_in_the_mode_that_was_asked_for(where, options):
    group = lockutils.lock_all(["a", "b"], **where, **options)
    with group:
        together = "fair" not in options and "reentrant" not in options
        other = lockutils.lock_all(["a", "b"], **where, **options)
        got = Background(other.acquire, blocking=False).result()
        assert got is together
        if got:
            other.release()
        if "reentrant" in options:
            with group:
                pass
            assert lockutils.held() == {"a", "b"}


def test_the_decorator_takes_several(where):
    @lockutils.synchronized(["a-{x}", "b", "{y.real}"], **where)
    def function(x, y=5):
        return lockutils.held()

    @lockutils.synchronized(name for name in ("a", "b"))
    def plain():
        return lockutils.held()

    @lockutils.synchronized(["{x}", "b"], **where)
    async def coroutine(x):
        return lockutils.held()

    assert function(1) == {"a-1", "b", "5"}
    assert function("b", y=6) == {"a-b", "b", "6"}
    assert plain() == plain() == {"a", "b"}
    assert asyncio.run(coroutine("b")) == {"b"}
    with pytest.raises(ValueError, match="no parameter 'z'"):
        lockutils.synchronized(["a", "{z}"])(lambda x: None)
    with pytest.raises(TypeError, match="None"):
        lockutils.synchronized(["a", None])
    with pytest.raises(ValueError, match="slots"):
        lockutils.synchronized("a", shared=True, slots=2)


def test_a_release_goes_on_where_one_fails(where):
    group = lockutils.lock_all(["a", "b", "c"], **where)
    group.acquire()
    group._locks[1].release()
    with pytest.raises(RuntimeError, match="'b'"):
        group.release()
    assert all(map(is_free, "abc"))


@pytest.mark.parametrize("by_task", [False, True])
def test_what_a_signal_handler_raises_while_it_lets_go_comes_through(where, monkeypatch, by_task):
    class Interrupted(BaseException):
        pass

    real = Lock.release

    def release(lock):
        real(lock)
        monkeypatch.setattr(Lock, "release", real)
        raise Interrupted

    def acquire():
        group = lockutils.lock_all(["a", "b"], **where, blocking=False)
        if by_task:
            asyncio.run(group.async_acquire())
        else:
            group.acquire()

    with lockutils.lock("b", **where):
        monkeypatch.setattr(Lock, "release", release)
        with pytest.raises(Interrupted):
            acquire()
        assert is_free("a")


def test_a_dropped_group_lets_go(where):
    group = lockutils.lock_all(["a", "b"], **where)
    group.acquire()
    assert "'a', 'b'" in repr(group)
    del group
    gc.collect()
    assert all(map(is_free, "ab"))


def test_threads_and_single_locks(where):
    """A group and single holders exclude each other, name by name."""
    inside = dict.fromkeys("abc", 0)
    stop = threading.Event()

    def enter(names):
        for name in names:
            inside[name] += 1
            assert inside[name] == 1
        for name in names:
            inside[name] -= 1

    def single(name):
        while not stop.is_set():
            with lockutils.lock(name, **where):
                enter(name)

    others = [Background(single, name) for name in "abc"]
    for _ in range(200):
        with lockutils.lock_all(["c", "a", "b"], **where):
            enter("abc")
    stop.set()
    for other in others:
        other.result()
