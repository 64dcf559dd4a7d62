"""Help in looking for errors: the public name of ``lockutils.observe.debug``."""

from lockutils.observe.debug import (
    Inversion,
    stop_watching_deadlocks,
    stop_watching_order,
    watch_deadlocks,
    watch_order,
)

__all__ = [
    "Inversion",
    "stop_watching_deadlocks",
    "stop_watching_order",
    "watch_deadlocks",
    "watch_order",
]
