"""Metrics of locks for Prometheus, by its own client."""

from __future__ import annotations

from functools import partial

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from lockutils.observe.events import subscribe
from lockutils.observe.recorder import BUCKETS, COUNTERS, Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from prometheus_client import CollectorRegistry

    from lockutils.observe.recorder import Instruments, Label, Labels

#: where the client enters guards
_GUARDED = tuple(
    f"prometheus_client.{module}" for module in ("metrics", "mmap_dict", "registry", "values")
)


def instrument(
    registry: CollectorRegistry = REGISTRY, *, label: Label | None = None
) -> Callable[[], None]:
    """Keep metrics of the locks of this process in ``registry``.

    ``lockutils_wait_seconds`` and ``lockutils_hold_seconds`` are histograms,
    ``lockutils_holders`` is a gauge, and ``lockutils_timeouts_total``,
    ``lockutils_refusals_total`` and ``lockutils_losses_total`` are counters.

    Each has the labels ``lock``, ``external`` (``true`` or ``false``) and ``mode``.

    :param label: called with each :class:`lockutils.events.Event`; returns the value of
        ``lock``.  By default that is the template of :func:`lockutils.synchronized`, and empty
        for other handles: there may be any number of names, and each label is kept for good
    :return: a function that ends it, and removes the metrics from the registry
    :raises TypeError: if ``label`` cannot be called
    :raises ValueError: if the registry has metrics of these names already
    """
    families: list[Any] = []

    def add(kind: Callable[..., Any], name: str, help_: str, **options: Any) -> Any:
        names = "lock", "external", "mode"
        family = kind(f"lockutils_{name}", help_, names, registry=registry, **options)
        families.append(family)
        return family

    def remove() -> None:
        while families:
            registry.unregister(families.pop())

    def series(labels: Labels) -> Instruments:
        lock, external, mode = labels
        values = lock, "true" if external else "false", mode
        return (
            wait.labels(*values).observe,
            hold.labels(*values).observe,
            holders.labels(*values).inc,
            {kind: counter.labels(*values).inc for kind, counter in counters.items()},
        )

    recorder = Recorder(series, label, _GUARDED)
    try:
        histogram = partial(Histogram, buckets=BUCKETS)
        wait = add(histogram, "wait_seconds", "Seconds waited for a lock, until held or timed out")
        hold = add(histogram, "hold_seconds", "Seconds that a lock was held")
        gauge = partial(Gauge, multiprocess_mode="livesum")
        holders = add(gauge, "holders", "Holders of locks at the moment")
        counters = {kind: add(Counter, name, help_) for kind, (name, _, help_) in COUNTERS.items()}
    except BaseException:
        remove()
        raise
    unsubscribe = subscribe(recorder)

    def stop() -> None:
        unsubscribe()
        remove()

    return stop
