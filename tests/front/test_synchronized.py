"""The decorator: every kind of callable runs under the lock, and else is as it was."""

import abc
import asyncio
import contextlib
import functools
import gc
import inspect
import sys
import types
from unittest import mock

import pytest
import retrying
import tenacity
import wrapt
from lock_peers import WATCHDOG, Background, until

import lockutils
from lockutils import synchronized

NAME = "synchronized"


def is_held(name=NAME):
    """Whether anybody holds it, the caller included."""
    probe = lockutils.lock(name, blocking=False)
    if probe.acquire():
        probe.release()
        return False
    return True


def run(coroutine):
    """Run it in a thread, so that a wait that stops the whole loop fails, too."""
    return Background(asyncio.run, asyncio.wait_for(coroutine, WATCHDOG)).result()


@pytest.fixture(autouse=True)
def let_go_at_the_end():
    assert not is_held(), "a test before this one did not let go"
    yield
    assert not is_held()


# --- functions, and whatever else is called


def test_a_function_holds_while_it_runs():
    @synchronized(NAME)
    def function(a, b=2, *, c):
        return is_held(), a, b, c

    assert function(1, c=3) == (True, 1, 2, 3)
    assert not is_held()


def test_an_exception_goes_through_and_releases():
    error = OSError("mine")

    @synchronized(NAME)
    def function():
        raise error

    with pytest.raises(OSError, match="mine") as caught:
        function()
    assert caught.value is error
    assert not is_held()


def test_threads_take_turns():
    inside, overlaps = [], []

    @synchronized(NAME)
    def function(me):
        inside.append(me)
        if inside != [me]:
            overlaps.append(list(inside))
        inside.remove(me)

    def work(me):
        for _ in range(300):
            function(me)

    for thread in [Background(work, me) for me in range(8)]:
        thread.result()
    assert not overlaps


class Example:
    def method(self, x):
        return type(self).__name__, x, is_held()

    guarded = synchronized(NAME)(method)

    @classmethod
    @synchronized(NAME)
    def class_above(cls, x):
        return cls.__name__, x, is_held()

    @staticmethod
    @synchronized(NAME)
    def static_above(x):
        return "Example", x, is_held()

    def __call__(self, x):
        return type(self).__name__, x, is_held()


@pytest.mark.parametrize(
    "function",
    [
        Example().guarded,
        synchronized(NAME)(Example().method),
        Example.class_above,
        Example().class_above,
        Example.static_above,
        Example().static_above,
        synchronized(NAME)(Example()),
        synchronized(NAME)(functools.partial(Example.method, Example())),
        synchronized(NAME)(functools.partial(Example(), x=1)),
    ],
)
def test_whatever_is_called(function):
    assert function(x=1) == ("Example", 1, True)
    assert not is_held()


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_below_it_may_be_a_class_or_static_method(kind):
    class Below:
        pass

    Below.method = synchronized(NAME)(kind(lambda *args: (args, is_held())))
    first = (Below,) if kind is classmethod else ()
    assert Below.method(1) == ((*first, 1), True)
    assert Below().method(1) == ((*first, 1), True)


def test_a_class_is_refused():
    """It would become a function."""
    with pytest.raises(TypeError, match=r"class test_a_class_is_refused.<locals>.Made.*methods"):

        @synchronized(NAME)
        class Made:
            pass


def test_a_built_in_function():
    assert synchronized(NAME)(max)(1, 2) == 2


@pytest.mark.parametrize("mocked", [mock.Mock, mock.MagicMock])
def test_a_mock_is_a_function(mocked):
    """It has whatever attribute it is asked for, also the mark of a coroutine function."""
    wrapped = synchronized(NAME)(mocked(side_effect=is_held))
    assert not inspect.iscoroutinefunction(wrapped)
    assert wrapped() is True


def test_recursion_is_a_deadlock():
    @synchronized(NAME)
    def function():
        return function()

    with pytest.raises(lockutils.DeadlockError):
        Background(function).result()


def test_one_name_over_another():
    @synchronized(NAME)
    @synchronized("synchronized-inner")
    def function():
        return is_held(), is_held("synchronized-inner")

    assert function() == (True, True)
    assert not is_held("synchronized-inner")


# --- coroutine functions


class AsyncCallable:
    async def __call__(self, x):
        await asyncio.sleep(0)
        return x, is_held()

    async def method(self, x):
        await asyncio.sleep(0)
        return x, is_held()


async def coroutine_function(x):
    await asyncio.sleep(0)
    return x, is_held()


@pytest.mark.parametrize(
    "function",
    [
        coroutine_function,
        AsyncCallable(),
        AsyncCallable().method,
        functools.partial(coroutine_function),
        functools.partial(functools.partial(AsyncCallable())),
        synchronized("synchronized-inner")(coroutine_function),
        mock.AsyncMock(side_effect=coroutine_function),
    ],
)
def test_a_coroutine_holds_until_it_ends(function):
    wrapped = synchronized(NAME)(function)
    assert inspect.iscoroutinefunction(wrapped)
    coroutine = wrapped(1)
    assert not is_held()
    assert run(coroutine) == (1, True)
    assert not is_held()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_a_function_that_is_marked_as_a_coroutine_function():
    @inspect.markcoroutinefunction
    def marked(x):
        return coroutine_function(x)

    wrapped = synchronized(NAME)(marked)
    assert inspect.iscoroutinefunction(wrapped)
    assert run(wrapped(1)) == (1, True)


def test_an_exception_or_a_cancellation_releases():
    @synchronized(NAME)
    async def function(started):
        started.set()
        await asyncio.Event().wait()

    async def scenario():
        started = asyncio.Event()
        task = asyncio.ensure_future(function(started))
        await started.wait()
        assert is_held()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_held()
        with pytest.raises(AttributeError):
            await function(None)
        assert not is_held()

    run(scenario())


def test_tasks_take_turns_and_their_loop_goes_on():
    inside, overlaps = [], []

    @synchronized(NAME)
    async def function(me):
        inside.append(me)
        await asyncio.sleep(0)
        if inside != [me]:
            overlaps.append(list(inside))
        inside.remove(me)

    async def scenario():
        await asyncio.gather(*map(function, range(50)))

    run(scenario())
    assert not overlaps


# --- generators


@synchronized(NAME)
def echo(first="first"):
    """Yields what it is sent; what is thrown in, too; returns at the word."""
    sent = first
    while sent != "return":
        try:
            sent = yield sent, is_held()
        except LookupError as error:
            sent = error
    return "returned", is_held()


def test_a_generator_holds_from_its_first_item_to_its_end():
    generator = echo()
    assert not is_held()
    assert next(generator) == ("first", True)
    assert is_held()
    assert generator.send("second") == ("second", True)
    error = LookupError()
    assert generator.throw(error) == (error, True)
    with pytest.raises(StopIteration) as stop:
        generator.send("return")
    assert stop.value.value == ("returned", True)
    assert not is_held()


def test_a_loop_over_a_generator():
    @synchronized(NAME)
    def count():
        yield from range(3)

    assert list(count()) == [0, 1, 2]
    assert not is_held()
    assert isinstance(count(), type(i for i in ()))
    assert inspect.isgeneratorfunction(count)


@pytest.mark.parametrize(
    "end", [lambda generator: generator.close(), lambda generator: None], ids=["close", "drop"]
)
def test_a_generator_that_is_left_early_lets_go(end):
    cleaned = []

    @synchronized(NAME)
    def function():
        try:
            yield
        finally:
            cleaned.append(is_held())

    generator = function()
    next(generator)
    end(generator)
    del generator
    assert cleaned == [True]
    assert not is_held()


def test_a_generator_that_never_ran_never_held():
    generator = echo()
    generator.close()
    assert not is_held()
    with pytest.raises(StopIteration):
        next(generator)


def test_an_exception_ends_a_generator_and_releases():
    generator = echo()
    next(generator)
    error = OSError("mine")
    with pytest.raises(OSError, match="mine") as caught:
        generator.throw(error)
    assert caught.value is error
    assert not is_held()


def test_a_second_generator_of_the_same_thread_is_a_deadlock():
    def scenario():
        first, second = echo(), echo()
        next(first)
        with pytest.raises(lockutils.DeadlockError):
            next(second)
        assert first.send(1) == (1, True)
        first.close()

    Background(scenario).result()


def test_another_threads_generator_waits():
    first = echo()
    next(first)
    handle = lockutils.lock(NAME)
    waiter = Background(lambda: list(zip(echo("other"), range(1), strict=False)))
    until(lambda: len(handle._queue) == 2, "the thread waits")
    first.close()
    assert waiter.result() == [(("other", True), 0)]


# --- async generators


@synchronized(NAME)
async def async_echo(first="first"):
    sent = first
    try:
        while sent != "return":
            try:
                await asyncio.sleep(0)
                sent = yield sent, is_held()
            except LookupError as error:
                sent = error
    finally:
        await asyncio.sleep(0)
        assert is_held()


def test_an_async_generator_holds_from_its_first_item_to_its_end():
    async def scenario():
        generator = async_echo()
        assert not is_held()
        assert await generator.__anext__() == ("first", True)
        assert is_held()
        assert await generator.asend("second") == ("second", True)
        error = LookupError()
        assert await generator.athrow(error) == (error, True)
        assert await generator.__anext__() == (None, True)
        with pytest.raises(StopAsyncIteration):
            await generator.asend("return")
        assert not is_held()
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()

    assert inspect.isasyncgenfunction(async_echo)
    run(scenario())


def test_a_loop_over_an_async_generator():
    @synchronized(NAME)
    async def count():
        for number in range(3):
            yield number

    async def scenario():
        assert [number async for number in count()] == [0, 1, 2]
        assert not is_held()

    run(scenario())


def test_an_async_generator_that_is_closed_lets_go():
    async def scenario():
        generator = async_echo()
        await generator.__anext__()
        await generator.aclose()
        assert not is_held()
        generator = async_echo()
        await generator.aclose()  # before it ever ran
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()

    run(scenario())


def test_a_loop_that_is_left_early_lets_go():
    async def scenario():
        async with contextlib.aclosing(async_echo()) as generator:
            async for item in generator:
                assert item == ("first", True)
                break
            assert is_held()
        assert not is_held()

    run(scenario())


def test_an_async_generator_that_is_dropped_lets_go():
    """As the event loop does with any: it closes it in a task of its own."""

    async def scenario():
        generator = async_echo()
        await generator.__anext__()
        del generator
        while is_held():  # run() has a watchdog
            await asyncio.sleep(0)

    run(scenario())


@pytest.mark.parametrize("error", [OSError("mine"), KeyboardInterrupt("mine")])
def test_an_exception_ends_an_async_generator_and_releases(error):
    async def scenario():
        generator = async_echo()
        await generator.__anext__()
        with pytest.raises(type(error), match="mine") as caught:
            await generator.athrow(error)
        assert caught.value is error
        assert not is_held()

    run(scenario())


def test_an_exception_of_its_own_ends_an_async_generator_and_releases():
    @synchronized(NAME)
    async def function():
        yield 1
        raise OSError("mine")

    async def scenario():
        items = []
        with pytest.raises(OSError, match="mine"):  # noqa: PT012
            async for item in function():
                items.append(item)  # noqa: PERF401
        assert items == [1]
        assert not is_held()

    run(scenario())


def test_a_cancellation_reaches_the_inside_of_an_async_generator():
    seen = []

    @synchronized(NAME)
    async def function(started):
        yield 1
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(is_held())
            raise

    async def scenario():
        started = asyncio.Event()

        async def consume():
            async for _ in function(started):
                pass

        task = asyncio.ensure_future(consume())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_held()

    run(scenario())
    assert seen == [True]


# --- when the lock is not to be had


def plain():
    called.append("plain")


async def coroutine():
    called.append("coroutine")


def generator():
    called.append("generator")
    yield


async def async_generator():
    called.append("async generator")
    yield


called = []


def call(wrapped):
    if inspect.iscoroutinefunction(wrapped):
        return run(wrapped())
    if inspect.isgeneratorfunction(wrapped):
        return list(wrapped())
    if inspect.isasyncgenfunction(wrapped):

        async def consume():
            return [item async for item in wrapped()]

        return run(consume())
    return wrapped()


kinds = pytest.mark.parametrize(
    "function",
    [plain, coroutine, generator, async_generator],
    ids=lambda function: function.__name__,
)


@kinds
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"blocking": False}, lockutils.AcquireLockFailedException),
        ({"timeout": 0}, lockutils.LockTimeout),
        ({"timeout": 0.001}, lockutils.LockTimeout),
    ],
)
def test_without_the_lock_nothing_is_called(function, options, error):
    called.clear()
    wrapped = synchronized(NAME, **options)(function)
    with lockutils.lock(NAME):
        with pytest.raises(error, match=repr(NAME)) as caught:
            call(wrapped)
        assert type(caught.value) is error
    assert called == []
    call(wrapped)
    assert len(called) == 1


@kinds
def test_an_external_lock_has_a_file(function, tmp_path):
    wrapped = synchronized("name", "prefix", external=True, lock_path=tmp_path, blocking=False)(
        function
    )
    assert list(tmp_path.iterdir()) == []
    call(wrapped)
    assert [path.name for path in tmp_path.iterdir()] == ["prefix-name"]
    with (
        lockutils.lock("prefix-name", external=True, lock_path=tmp_path),
        pytest.raises(lockutils.AcquireLockFailedException),
    ):
        call(wrapped)


def test_an_external_lock_is_held_outside_of_the_process(tmp_path):
    import fcntl

    @synchronized("name", external=True, lock_path=str(tmp_path))
    def function():
        with (
            open(tmp_path / "name", "wb") as file,
            pytest.raises(BlockingIOError),
        ):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    function()
    with open(tmp_path / "name", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_semaphores_are_a_separate_place():
    place = lockutils.Semaphores()

    @synchronized(NAME, semaphores=place)
    def function():
        return is_held(), len(place)

    assert function() == (False, 1)
    assert len(place) == 0


def test_oslos_positional_order(tmp_path):
    place = lockutils.Semaphores()
    wrapped = synchronized("name", "prefix", True, str(tmp_path), place, 0.02, True, False)(
        lambda: len(place)
    )
    assert wrapped() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["prefix-name"]


# --- as it was


def documented(a: int, /, b: "str" = "x", *rest: float, c: bool, **others: object) -> list:
    """A docstring."""


documented.attribute = "kept"


@pytest.mark.parametrize("name", [NAME, "{a}"])
def test_metadata_and_signature_are_kept(name):
    wrapped = synchronized(name)(documented)
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(wrapped, attribute) == getattr(documented, attribute)
    assert wrapped.attribute == "kept"
    assert wrapped.__wrapped__ is documented
    assert inspect.signature(wrapped) == inspect.signature(documented)


@kinds
def test_the_kind_is_kept(function):
    wrapped = synchronized(NAME)(function)
    for tells in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
    ):
        assert tells(wrapped) == tells(function)


def test_one_decorator_serves_several_functions():
    decorate = synchronized(NAME, blocking=False)
    inner = decorate(lambda: None)
    outer = decorate(lambda: [inner()])
    inner()
    with pytest.raises(lockutils.AcquireLockFailedException):
        outer()


# --- over and under other decorators


def passing_on(function):
    """A decorator that hides what kind of function it is over."""

    @functools.wraps(function)
    def call(*args):
        return function(*args)

    return call


@contextlib.contextmanager
def managed(x):
    yield x, is_held()


@contextlib.asynccontextmanager
async def managed_later(x):
    yield x, is_held()


async def coroutine(x):
    return x


def generator(x):
    yield x


async def async_generator(x):
    yield x


def test_over_a_context_manager_it_is_held_over_the_body():
    wrapped = synchronized(NAME)(managed)
    with wrapped(1) as inside:
        assert inside == (1, True)
        assert is_held()
    assert not is_held()
    assert wrapped(1)(is_held)() is True  # as a decorator
    with pytest.raises(ZeroDivisionError), wrapped(1):
        raise ZeroDivisionError
    assert not is_held()


def test_over_an_async_context_manager_it_is_held_over_the_body():
    wrapped = synchronized(NAME)(managed_later)

    async def use():
        async with wrapped(1) as inside:
            return inside, is_held()

    assert run(use()) == ((1, True), True)
    assert not is_held()


def test_under_a_context_manager_it_is_held_over_the_body():
    with contextlib.contextmanager(synchronized(NAME)(managed.__wrapped__))(1) as inside:
        assert inside == (1, True)
        assert is_held()


def test_over_a_generator_that_can_be_awaited():
    @synchronized(NAME)
    @types.coroutine
    def old(x):
        yield from asyncio.sleep(0).__await__()
        return x, is_held()

    async def use():
        return await old(1)

    assert run(use()) == (1, True)


@pytest.mark.parametrize(
    "function", [coroutine, generator, async_generator, managed, managed_later]
)
@pytest.mark.filterwarnings("error")
def test_a_body_that_would_run_without_the_lock_is_refused(function):
    wrapped = synchronized(NAME)(passing_on(function))
    with pytest.raises(TypeError, match=f"{function.__name__} returned .* next to the function"):
        wrapped(1)
    gc.collect()  # nobody has to await it


def test_a_generator_that_has_begun_is_a_result_like_any_other():
    begun = generator(1)
    next(begun)
    assert synchronized(NAME)(lambda: begun)() is begun


def test_with_a_cache():
    counted = synchronized(NAME)(functools.cache(lambda x: is_held()))
    assert (counted(1), counted(1), counted.cache_info().hits) == (True, True, 1)
    counted.cache_clear()
    assert counted.cache_info().hits == 0
    assert functools.cache(synchronized(NAME)(lambda x: is_held()))(1) is True


def test_with_single_dispatch():
    over = synchronized(NAME)(functools.singledispatch(lambda x: ("any", is_held())))
    over.register(int)(lambda x: ("int", is_held()))
    assert (over(""), over(1)) == (("any", True), ("int", True))
    under = functools.singledispatch(synchronized(NAME)(lambda x: ("any", is_held())))
    assert under(1) == ("any", True)


@wrapt.decorator
def of_wrapt(wrapped, _instance, args, kwargs):
    return wrapped(*args, **kwargs)


once = tenacity.retry(stop=tenacity.stop_after_attempt(1))
OTHERS = {"wrapt": of_wrapt, "tenacity": once, "retrying": retrying.retry}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("order", ["over", "under"])
def test_with_a_decorator_of_others(other, order):
    """Right, or refused."""

    def decorate(function):
        if order == "over":
            return synchronized(NAME)(OTHERS[other](function))
        return OTHERS[other](synchronized(NAME)(function))

    async def later():
        return is_held()

    assert decorate(is_held)() is True
    if (other, order) == ("retrying", "over"):  # which hides what it is over
        with pytest.raises(TypeError, match="returned a coroutine"):
            decorate(later)()
    else:
        assert run(decorate(later)()) is True

    class Below:
        method = decorate(lambda self: (self, is_held()))

    below = Below()
    assert below.method() == (below, True)


def test_over_a_proxy_of_a_class_method():
    with pytest.raises(TypeError, match="next to the function"):
        synchronized(NAME)(of_wrapt(classmethod(lambda cls: None)))
    under = type("Below", (), {"method": of_wrapt(classmethod(synchronized(NAME)(is_held_by)))})
    assert under().method() is True


def is_held_by(_):
    return is_held()


def test_with_an_abstract_method():
    class Abstract(abc.ABC):  # noqa: B024
        over = synchronized(NAME)(abc.abstractmethod(lambda self: None))
        under = abc.abstractmethod(synchronized(NAME)(lambda self: None))

    assert Abstract.__abstractmethods__ == {"over", "under"}


def test_with_a_property_and_a_partial_method():
    class Below:
        held = property(synchronized(NAME)(lambda self: is_held()))

        @synchronized(NAME)
        def method(self, x):
            return x, is_held()

        one = functools.partialmethod(method, 1)

    assert Below().held is True
    assert Below().one() == (1, True)


@pytest.mark.parametrize(
    "descriptor", [property(len), functools.partialmethod(len), functools.singledispatchmethod(len)]
)
def test_what_is_no_callable_is_refused(descriptor):
    with pytest.raises(TypeError, match="next to the function"):
        synchronized(NAME)(descriptor)


# --- bad arguments


@pytest.mark.parametrize(
    ("args", "options", "error"),
    [
        (([NAME, None],), {}, TypeError),
        ((None,), {}, TypeError),
        ((b"name",), {}, TypeError),
        ((lambda: None,), {}, TypeError),  # @synchronized without its name
        ((classmethod(len),), {}, TypeError),
        ((object,), {}, TypeError),
        ((NAME,), {"external": 1}, TypeError),
        ((NAME,), {"fair": None}, TypeError),
        ((NAME,), {"shared": "yes"}, TypeError),
        ((NAME,), {"reentrant": 1}, TypeError),
        ((NAME,), {"blocking": 0.2}, TypeError),
        ((NAME,), {"delay": "0.1"}, TypeError),
        ((NAME, 7), {}, TypeError),
        ((NAME,), {"timeout": -1}, ValueError),
        ((NAME,), {"timeout": float("nan")}, ValueError),
        ((NAME,), {"timeout": "1"}, TypeError),
        ((NAME,), {"timeout": True}, TypeError),
        ((NAME,), {"timeout": 1, "blocking": False}, ValueError),
        ((NAME,), {"timeout": 0, "blocking": False}, ValueError),
        ((NAME,), {"external": True, "lock_path": ""}, ValueError),
        ((NAME,), {"external": True, "lock_path": "a\0b"}, ValueError),
        ((NAME,), {"external": True, "lock_path": 7}, TypeError),
        ((NAME,), {"external": True, "lock_path": b"bytes"}, TypeError),
        ((NAME,), {"semaphores": {}}, TypeError),
        ((NAME,), {"unknown": 1}, TypeError),
    ],
)
def test_a_bad_argument_fails_at_decoration(args, options, error):
    with pytest.raises(error):
        synchronized(*args, **options)


@pytest.mark.parametrize("function", [7, None, "name"])
@pytest.mark.parametrize("name", [NAME, "{x}"])
def test_what_cannot_be_called_fails_at_decoration(name, function):
    with pytest.raises(TypeError, match="callable"):
        synchronized(name)(function)


def test_nothing_is_created_at_decoration(tmp_path):
    synchronized(NAME, external=True, lock_path=tmp_path / "new")(lambda: None)
    assert list(tmp_path.iterdir()) == []
