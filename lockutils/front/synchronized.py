"""The decorator: a thin wrapper over :func:`lockutils.lock`."""

from __future__ import annotations

import sys
from _collections_abc import Iterable

from lockutils.backends.file.naming import name_of
from lockutils.front.arguments import check_options, warn_of_path
from lockutils.front.group import lock_all
from lockutils.front.lock import lock
from lockutils.front.settings import check_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
    from types import CodeType
    from typing import Any, ParamSpec, TypeVar

    from lockutils.front.group import LockGroup
    from lockutils.front.handle import Lock
    from lockutils.front.settings import StrPath
    from lockutils.local.lock_by_key import Semaphores

    P = ParamSpec("P")
    R = TypeVar("R")
    #: makes the handle for one call, from its arguments; the other makes its name or names
    LockOfCall = Callable[[tuple[Any, ...], dict[str, Any]], Lock | LockGroup]
    Fill = Callable[[tuple[Any, ...], dict[str, Any]], Any]

# of code objects: inspect.CO_*, which costs 10 ms to import
_GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200

#: what has a body that runs later, by the name of its type
_BODIES = {
    "coroutine": "coroutine",
    "generator": "generator",
    "async_generator": "generator",
    "_GeneratorContextManager": "context manager",
    "_AsyncGeneratorContextManager": "context manager",
}


class Caller(str):
    """The name of a decorated function, for the log, and what its locks are called, for events.

    It is the ``do_log`` of its handles, and so costs them nothing.

    :param what: a name or template, or several
    """

    __slots__ = ("each", "template")

    #: the name that the decorator was given; ``None`` if there are several
    template: str | None
    #: of several names: one for each
    each: list[Caller]

    def __new__(cls, name: str, what: str | list[str]) -> Caller:
        made = super().__new__(cls, name)
        made.template = what if isinstance(what, str) else None
        if made.template is None:
            made.each = [cls(name, one) for one in what]
        return made


def synchronized(
    name: str | Iterable[str],
    lock_file_prefix: str | None = None,
    external: bool = False,
    lock_path: StrPath | None = None,
    semaphores: Semaphores | None = None,
    delay: float = 0.01,
    fair: bool = False,
    blocking: bool = True,
    *,
    timeout: float | None = None,
    shared: bool = False,
    slots: int = 1,
    reentrant: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that runs a function under the lock ``name``.

    The function may be any callable: a function or method, a coroutine function (the wait
    suspends the task), a generator or async generator function (the lock is held from the
    first item until the generator ends or is closed), a context manager as ``contextlib`` makes
    them (the lock is held over the body).

    :param name: a name, or a template over the arguments of the call, ``"image-{image.id}"``;
        ``{{`` and ``}}`` stand for braces.  Several names or templates are taken all together,
        as by :func:`lock_all`

    The other parameters are those of :func:`lock`, and so are the exceptions: of a bad
    argument at once, of an acquisition by the call.

    A call of the decorated function raises :class:`TypeError` if the function returns a
    coroutine, a generator or a context manager that has not begun: its body would run unlocked.

    :raises TypeError: by the decorator, over a class, or over what is not callable
    :raises ValueError: if the template is malformed or has a field that no call can fill
    """
    modes: dict[str, Any] = {"timeout": timeout, "shared": shared, "slots": slots}
    modes["reentrant"] = reentrant
    what = _names(name)
    # for the errors of bad arguments, now and not at the first call
    for one in [what] if isinstance(what, str) else what:
        lock(one, lock_file_prefix, False, None, True, semaphores, delay, fair, blocking, **modes)
    check_options(external=external)
    if lock_path is not None:
        check_path(lock_path, "lock_path")
        if not external:
            warn_of_path(lock_path)
            lock_path = None

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        import functools  # which the command line, say, has no use for

        kind: Any = type(function)
        if issubclass(kind, (classmethod, staticmethod)):
            return kind(decorate(function.__func__))  # type: ignore[attr-defined, no-any-return]
        if isinstance(function, type):
            raise TypeError(
                f"synchronized() would lock the making of class {function.__qualname__}, and not "
                "its methods: decorate those"
            )
        # a proxy of a class method, as of wrapt, binds by itself
        if not callable(function) or isinstance(function, (classmethod, staticmethod)):
            raise TypeError(
                f"synchronized() wraps a callable, not {function!r}: of several decorators, "
                "it is the one next to the function"
            )
        by = Caller(_name(function), what)
        options = lock_file_prefix, external, lock_path, by, semaphores, delay, fair, blocking
        take: Callable[..., Lock | LockGroup] = lock if isinstance(what, str) else lock_all
        if tuple(modes.values()) != (None, False, 1, False):  # saves a dict a call
            take = functools.partial(take, **modes)
        fill = _filler(what, function)

        def lock_of_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Lock | LockGroup:
            return take(what if fill is None else fill(args, kwargs), *options)

        wrapper: Any = functools.wraps(function)(_wrap(function, lock_of_call))
        if isinstance(function, functools._lru_cache_wrapper):
            for method in ("cache_clear", "cache_info", "cache_parameters"):
                setattr(wrapper, method, getattr(function, method))
        return wrapper  # type: ignore[no-any-return]

    return decorate


def _names(name: object) -> str | list[str]:
    if hasattr(name, "__code__") or isinstance(name, (type, classmethod, staticmethod)):
        raise TypeError(f"the name of the lock is missing: @synchronized('name') over {name!r}")
    if isinstance(name, (str, bytes, bytearray)) or not isinstance(name, Iterable):
        return name_of(name)
    names = [name_of(one) for one in name]
    # what is true and has nothing in it is no collection: a MagicMock is one name
    return names if names or not name else name_of(name)


def _filler(what: str | list[str], function: Callable[..., Any]) -> Fill | None:
    """Return what makes the name or names of a call; ``None`` if no call changes them."""
    if isinstance(what, list):
        fillers = [_filler(one, function) for one in what]
        if not any(fillers):
            return None
        return lambda args, kwargs: [
            one if fill is None else fill(args, kwargs)
            for one, fill in zip(what, fillers, strict=True)
        ]
    if "{" not in what and "}" not in what:
        return None
    from lockutils.front.template import NameTemplate

    return NameTemplate(what, function)


def _wrap(function: Callable[..., Any], lock_of_call: LockOfCall) -> Callable[..., Any]:
    contextlib: Any = sys.modules.get("contextlib")
    code = getattr(function, "__code__", None)
    if contextlib is not None and code is contextlib.contextmanager(_wrap).__code__:

        def run_context(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with lock_of_call(args, kwargs), function(*args, **kwargs) as value:
                yield value

        return contextlib.contextmanager(run_context)  # type: ignore[no-any-return]
    if contextlib is not None and code is contextlib.asynccontextmanager(_wrap).__code__:

        async def run_async_context(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async with lock_of_call(args, kwargs), function(*args, **kwargs) as value:
                yield value

        return contextlib.asynccontextmanager(run_async_context)  # type: ignore[no-any-return]
    flags = _flags(function)
    if flags & (_COROUTINE | _ITERABLE_COROUTINE):

        async def run_coroutine(*args: Any, **kwargs: Any) -> Any:
            async with lock_of_call(args, kwargs):
                return await function(*args, **kwargs)

        return run_coroutine
    if flags & _ASYNC_GENERATOR:

        async def run_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            async with lock_of_call(args, kwargs):
                generator = function(*args, **kwargs)
                try:
                    item = await generator.__anext__()
                    while True:
                        try:
                            sent = yield item
                        except GeneratorExit:
                            await generator.aclose()
                            raise
                        except BaseException as error:
                            item = await generator.athrow(error)
                        else:
                            item = await generator.asend(sent)
                except StopAsyncIteration:
                    pass

        return run_async_generator
    if flags & _GENERATOR:

        def run_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with lock_of_call(args, kwargs):
                return (yield from function(*args, **kwargs))

        return run_generator

    def run(*args: Any, **kwargs: Any) -> Any:
        with lock_of_call(args, kwargs):
            result = function(*args, **kwargs)
        if type(result).__name__ in _BODIES:
            _refuse_body(result, function)
        return result

    return run


def _refuse_body(result: Any, function: Callable[..., Any]) -> None:
    """Refuse a coroutine or generator that has not begun: it would run without the lock.

    :raises TypeError: names the function; ``result`` is closed, so that nobody need await it
    """
    import inspect

    body = getattr(result, "gen", result)  # of a context manager
    if inspect.isgenerator(body):
        begun = inspect.getgeneratorstate(body) != inspect.GEN_CREATED
    elif inspect.iscoroutine(body):
        begun = inspect.getcoroutinestate(body) != inspect.CORO_CREATED
    else:
        begun = not inspect.isasyncgen(body)
    if begun:
        return
    close = getattr(body, "close", None)
    if close is not None:
        close()
    raise TypeError(
        f"{_name(function)} returned a {_BODIES[type(result).__name__]}, which would run without "
        "the lock: put synchronized() next to the function that has the body, below any decorator"
    )


def _name(function: Any) -> str:
    """What the log lines call it: with its module, whatever kind of callable it is."""
    if not hasattr(function, "__qualname__"):  # an object, or functools.partial
        function = type(function)
    module = getattr(function, "__module__", None)  # a method of a built-in type has none
    return f"{module}.{function.__qualname__}" if module else str(function.__qualname__)


def _flags(function: Any) -> int:
    """Which kind of function it is: the flags of its code."""
    import functools

    while isinstance(function, functools.partial):
        function = function.func
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:  # a callable object, or a method
        call = getattr(function, "__func__", None) or getattr(type(function), "__call__", None)
        code = getattr(call, "__code__", None)
    flags = 0 if code is None else code.co_flags
    # inspect.markcoroutinefunction (3.12) and asyncio's own mark, for what has no such code
    for mark in ("_is_coroutine_marker", "_is_coroutine"):
        if type(getattr(function, mark, None)) is object:  # a mock has any attribute
            flags |= _COROUTINE
    return flags
