"""Libraries on top of event loops, and other loops: they cancel, shield, nest and mix."""

import asyncio
import importlib.util
import sys

import anyio
import pytest
from lock_peers import Background, run_python

import lockutils

BACKENDS = [("asyncio", {}), ("trio", {})]
if importlib.util.find_spec("uvloop"):
    BACKENDS.append(("asyncio", {"use_uvloop": True}))

loops = pytest.mark.parametrize(("backend", "options"), BACKENDS, ids=str)


@pytest.fixture(params=["in the process", "on the file"])
def locks(request, tmp_path):
    """A holder's handle and what makes those of its waiters: they wait for it in either place."""
    if request.param == "in the process":
        return lockutils.lock("x"), lambda **options: lockutils.lock("x", **options)
    where = {"external": True, "lock_path": tmp_path}
    holder = lockutils.lock("x", semaphores=lockutils.Semaphores(), **where)
    return holder, lambda **options: lockutils.lock("x", **where, **options)


def run(backend, options, function):
    """In a thread, so that a loop that is stuck fails, too."""

    def main():
        return anyio.run(function, backend=backend, backend_options=options)

    return Background(main).result()


def is_free(locks):
    return all(one.acquire(timeout=10) and one.release() is None for one in (locks[0], locks[1]()))


@loops
def test_a_cancel_scope(locks, backend, options):
    holder, make = locks

    async def main():
        await holder.async_acquire()
        with anyio.move_on_after(0.05) as scope:
            async with make():
                raise AssertionError("it is held")
        holder.release()
        return scope.cancelled_caught

    assert run(backend, options, main)
    assert is_free(locks)


@loops
def test_a_shield(locks, backend, options):
    holder, make = locks
    entered = []

    async def shielded():
        with anyio.CancelScope(shield=True):
            async with make():
                entered.append(True)

    async def main():
        await holder.async_acquire()
        async with anyio.create_task_group() as group:
            group.start_soon(shielded)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            holder.release()

    run(backend, options, main)
    assert entered == [True]
    assert is_free(locks)


@loops
def test_from_a_thread(locks, backend, options):
    make = locks[1]

    async def in_the_loop():
        async with lockutils.lock("y"):
            return "done"

    def in_a_thread():
        with make():
            anyio.from_thread.run(anyio.sleep, 0)
            return anyio.from_thread.run(in_the_loop)

    async def main():
        return await anyio.to_thread.run_sync(in_a_thread)

    assert run(backend, options, main) == "done"
    assert is_free(locks)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout came with 3.11")
def test_asyncio_timeout(locks):
    holder, make = locks

    async def main():
        await holder.async_acquire()
        with pytest.raises(TimeoutError):  # noqa: PT012
            async with asyncio.timeout(0.05):
                async with make():
                    raise AssertionError("it is held")
        holder.release()

    Background(asyncio.run, main()).result()
    assert is_free(locks)


def test_wait_for(locks):
    holder, make = locks

    async def main():
        await holder.async_acquire()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(make().async_acquire(), 0.05)
        holder.release()

    Background(asyncio.run, main()).result()
    assert is_free(locks)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks(locks):
    make = locks[1]
    inside = []

    async def enter(number):
        async with make():
            inside.append(number)
            await asyncio.sleep(0)
            assert inside[-1] == number

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.gather(*map(enter, range(5)))

    Background(asyncio.run, main()).result()
    assert inside == list(range(5))
    assert is_free(locks)


# In a process of its own: nest_asyncio patches asyncio for good.  Jupyter has it run a cell.
NESTED = """
import asyncio, sys
import nest_asyncio
import lockutils
nest_asyncio.apply()
where = eval(sys.argv[1])

async def inner(name):
    async with lockutils.lock(name, **where):
        return name

async def outer():
    loop = asyncio.get_running_loop()
    async with lockutils.lock("y", **where):
        assert loop.run_until_complete(inner("x")) == "x"
    async with lockutils.lock("x", **where):
        waiting = asyncio.ensure_future(inner("x"))
        await asyncio.sleep(0.01)
    assert loop.run_until_complete(asyncio.wait_for(waiting, 30)) == "x"
    print("done")

asyncio.run(outer())
"""


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nest_asyncio does not work on it")
@pytest.mark.parametrize("external", [True, False])
def test_a_nested_loop(external, tmp_path):
    where = {"external": True, "lock_path": str(tmp_path)} if external else {}
    assert run_python(NESTED, str(where)) == "done\n"


# In a process of its own: trio_asyncio has asyncio.run() make loops of its own kind.
ON_TRIO = """
import asyncio, sys
import trio, trio_asyncio
import lockutils
where = eval(sys.argv[1])
holder = lockutils.lock("x", semaphores=lockutils.Semaphores() if where else None, **where)

def make():
    return lockutils.lock("x", timeout=30, **where)

async def in_asyncio():
    assert asyncio.current_task() is not None
    try:
        await asyncio.wait_for(make().async_acquire(), 0.05)
        raise AssertionError("it is held")
    except asyncio.TimeoutError:
        pass
    waiter = make()
    waiting = asyncio.ensure_future(waiter.async_acquire())
    await asyncio.sleep(0)
    holder.release()
    assert await waiting
    waiter.release()

async def main():
    async with trio_asyncio.open_loop():
        await holder.async_acquire()
        await trio_asyncio.aio_as_trio(in_asyncio)()
        async with make():
            print("done")

trio.run(main)
"""


@pytest.mark.parametrize("external", [True, False])
def test_asyncio_on_top_of_trio(external, tmp_path):
    where = {"external": True, "lock_path": str(tmp_path)} if external else {}
    assert run_python(ON_TRIO, str(where)) == "done\n"
