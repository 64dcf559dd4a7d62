"""Events: what becomes of acquisitions, told to whoever subscribed.

Imported by programs that subscribe, and never else.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
from collections import deque
from time import monotonic
from weakref import ref

from lockutils.local.caller import current_greenlet, current_thread
from lockutils.local.waiters import snapshot
from lockutils.observe import subscribers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    from lockutils.front.handle import Lock
    from lockutils.local.caller import Thread
    from lockutils.local.waiters import Waiter

    Kind: TypeAlias = Literal[
        "waiting", "acquired", "released", "timed_out", "refused", "aborted", "lost"
    ]
    #: a native thread, and a greenthread in it
    Caller: TypeAlias = tuple[Thread, ref[object] | None]


_modules = sys.modules


class Event:
    """What has become of an acquisition.

    :ivar kind: ``"waiting"``, ``"acquired"``, ``"released"``, ``"timed_out"``, ``"refused"``,
        ``"aborted"`` or ``"lost"``
    :ivar name: the name of the lock, without its prefix
    :ivar template: the name that :func:`lockutils.synchronized` was given, with its fields not
        filled in; ``None`` for a handle that somebody else made
    :ivar prefix: the prefix of the name, without the dash after it; ``None`` if it has none
    :ivar external: whether the lock excludes other processes, too
    :ivar mode: ``"exclusive"``, ``"shared"`` or ``"slots"``
    :ivar waited: how long the caller waited, in seconds; 0.0 if the lock was free, ``None`` of
        ``"waiting"``
    :ivar held: how long the lock was held, in seconds; ``None`` unless it was
    :ivar time: when it happened, in seconds since the epoch
    """

    __slots__ = (
        "_process",
        "_since",
        "_told",
        "external",
        "held",
        "kind",
        "mode",
        "name",
        "prefix",
        "template",
        "time",
        "waited",
    )

    #: of an acquisition: who was told so far, and in which process; since when the lock is held
    _told: list[Subscription]
    _process: int
    _since: float

    def __init__(
        self,
        kind: Kind,
        name: str,
        template: str | None = None,
        prefix: str | None = None,
        external: bool = False,
        mode: str = "exclusive",
        waited: float | None = None,
        held: float | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.template = template
        self.prefix = prefix
        self.external = external
        self.mode = mode
        self.waited = waited
        self.held = held
        self.time = time.time()

    def __repr__(self) -> str:
        names = [name for name in self.__slots__ if not name.startswith("_")]
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"Event({fields})"


class Subscription:
    """A callback, as often as it was subscribed.  Equal to itself alone, for ``list.remove``."""

    __slots__ = ("_callback", "_failures", "is_on")

    def __init__(self, callback: Callable[[Event], object]) -> None:
        self._callback = callback
        #: the types of the exceptions that were logged
        self._failures: set[type] = set()
        self.is_on = True

    def unsubscribe(self) -> None:
        self.is_on = False
        try:
            subscribers.remove(self)
        except ValueError:
            pass  # a second time

    def tell(self, event: Event) -> None:
        """Call the callback; log what it raises, each type of exception once."""
        if not self.is_on:
            return
        if event.kind == "acquired":
            # at the last moment: a signal handler may raise before those that come after it
            event._told.append(self)
        try:
            self._callback(event)
        except Exception as error:
            if type(error) in self._failures:
                return
            self._failures.add(type(error))
            try:
                logging.getLogger("lockutils").exception(
                    "%r has failed, subscribed to the events of locks; it goes on being called, "
                    "and another %s is not logged",
                    self._callback,
                    type(error).__name__,
                )
            except Exception:
                pass  # of a handler of the log; it must not break an acquisition either


def subscribe(callback: Callable[[Event], object]) -> Callable[[], None]:
    """Call ``callback`` with an :class:`Event` whenever a lock of this process is used.

    The thread, greenthread or task that uses the lock calls it: when it begins to wait, when it
    holds the lock, and after it released the lock.  So ``callback`` may run in a signal handler
    or finaliser, and should be quick.  It may use locks itself, subscribe and unsubscribe; its own
    use of locks is no event.

    An :class:`Exception` of ``callback`` is logged as an error of the logger ``lockutils``, once
    for each type, and changes nothing for the lock.  Any other exception, as
    ``KeyboardInterrupt``, reaches the caller of the lock: an acquisition is undone, and a release
    is done.

    A forked child has the subscribers of its parent.  The end of what the parent held is no event
    in the child.

    :return: a function that ends the subscription; a second call of it does nothing
    :raises TypeError: if ``callback`` cannot be called, or is a coroutine function, which
        nobody would await
    """
    if not callable(callback):
        raise TypeError(f"a callback must be callable, not {callback!r}")
    if inspect.iscoroutinefunction(callback):
        raise TypeError(f"a callback must not be a coroutine function: {callback!r}")
    subscription = Subscription(callback)
    subscribers.append(subscription)
    return subscription.unsubscribe


# --- what the handles tell


def told(kind: Kind, lock: Lock, waiter: Waiter, waited: float | None = None) -> None:
    """Tell what has become of an acquisition: anything but that it succeeded."""
    if not _is_in_callback():
        _tell(_event(kind, lock, waiter, waited), snapshot(subscribers))


def acquired(lock: Lock, waiter: Waiter, since: float, waited: float) -> None:
    if _is_in_callback():
        return  # it would go on without end
    event = _event("acquired", lock, waiter, waited)
    event._told = []
    event._process = os.getpid()
    event._since = since
    waiter.told = event
    _tell(event, snapshot(subscribers))


def released(known: Event) -> None:
    """Tell that a hold has ended, those who were told of its acquisition and not yet of its end.

    Called again, it tells those who were left out because a signal handler raised.

    :param known: what was told of the acquisition
    """
    if not known._told or known._process != os.getpid():
        return  # the parent's
    held = monotonic() - known._since
    names = known.name, known.template, known.prefix
    event = Event("released", *names, known.external, known.mode, known.waited, held)
    _tell(event, known._told)


def _event(kind: Kind, lock: Lock, waiter: Waiter, waited: float | None) -> Event:
    name, key = lock.name, lock._key
    prefix = key[: len(key) - len(name)].removesuffix("-") or None
    template = getattr(lock._do_log, "template", None)
    return Event(kind, name, template, prefix, lock._backend is not None, waiter.mode, waited)


# --- who runs callbacks at the moment

#: what a caller is about to tell: the event of which the callbacks run, and those after it.  By
#: weak reference: a signal handler may keep the caller from taking it out, and must not silence it
_telling: dict[Caller, ref[deque[tuple[Event, list[Subscription]]]]] = {}


def _caller() -> Caller:
    # not its task: a callback cannot be left before it ends
    return current_thread(), current_greenlet() if "greenlet" in _modules else None


def _under_way(caller: Caller) -> deque[tuple[Event, list[Subscription]]] | None:
    reference = _telling.get(caller)
    return None if reference is None else reference()


def _is_in_callback() -> bool:
    return bool(_telling) and _under_way(_caller()) is not None


def _tell(event: Event, to: list[Subscription]) -> None:
    """Tell ``event`` now, or after the callback in which this caller is.

    A callback of a metrics library may be under a guard of that library when a finaliser
    releases a lock, and must not be called again below it.

    :param to: each is taken out just before it is told
    :raises BaseException: the first that is no :class:`Exception`, when all are told
    """
    caller = _caller()
    under_way = _under_way(caller)
    if under_way is not None:
        under_way.append((event, to))
        return
    events = deque([(event, to)])
    problem: BaseException | None = None
    try:
        _telling[caller] = ref(events)
        while events:
            event, to = events[0]
            try:
                while to:
                    to.pop(0).tell(event)
                events.popleft()
            except IndexError:
                pass  # another thread that has the handle took the last one out
            except BaseException as error:
                problem = problem or error
    finally:
        _telling.pop(caller, None)
    if problem is not None:
        try:
            raise problem
        finally:
            problem = None  # its traceback has this frame, and so would be for the collector
