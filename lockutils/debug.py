"""Help in looking for errors: the public name of ``lockutils.observe.debug``."""

from lockutils.observe.debug import (
    stop_watching_deadlocks,
    stop_watching_order,
    watch_deadlocks,
    watch_order,
)
from lockutils.observe.lock_order import Inversion

__all__ = [
    "Inversion",
    "stop_watching_deadlocks",
    "stop_watching_order",
    "watch_deadlocks",
    "watch_order",
]
