"""Events of locks: the public name of ``lockutils.observe.events``."""

from lockutils.observe.events import Event, subscribe

__all__ = ["Event", "subscribe"]
