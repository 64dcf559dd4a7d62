"""Metrics of locks for OpenTelemetry, by its API."""

from __future__ import annotations

from functools import partial

from opentelemetry.metrics import get_meter_provider

from lockutils.observe.events import subscribe
from lockutils.observe.recorder import BUCKETS, COUNTERS, Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider

    from lockutils.observe.recorder import Instruments, Label, Labels

#: where the SDK enters guards
_GUARDED = ("opentelemetry.sdk.metrics",)


def instrument(
    meter_provider: MeterProvider | None = None, *, label: Label | None = None
) -> Callable[[], None]:
    """Record metrics of the locks of this process by a meter ``lockutils``.

    ``lockutils.lock.wait_time`` and ``lockutils.lock.hold_time`` are histograms in seconds,
    ``lockutils.lock.holders`` is an up-down counter, and ``lockutils.lock.timeouts``,
    ``lockutils.lock.refusals`` and ``lockutils.lock.losses`` are counters.

    Each has the attributes ``lockutils.lock.name``, ``lockutils.lock.external`` and
    ``lockutils.lock.mode``.

    :param meter_provider: by default the global one, also one that is set later
    :param label: called with each :class:`lockutils.events.Event`; returns the value of
        ``lockutils.lock.name``.  By default that is the template of
        :func:`lockutils.synchronized`, and empty for other handles: there may be any number of
        names, and each is a series
    :return: a function that ends it.  Holds of that moment stay in ``holders``
    :raises TypeError: if ``label`` cannot be called
    """
    from lockutils import __version__

    def series(labels: Labels) -> Instruments:
        names = "lockutils.lock.name", "lockutils.lock.external", "lockutils.lock.mode"
        attributes: dict[str, str | bool] = dict(zip(names, labels, strict=True))
        return (
            partial(wait.record, attributes=attributes),
            partial(hold.record, attributes=attributes),
            partial(holders.add, attributes=attributes),
            {kind: partial(counter.add, 1, attributes) for kind, counter in counters.items()},
        )

    recorder = Recorder(series, label, _GUARDED)
    meter = (meter_provider or get_meter_provider()).get_meter("lockutils", __version__)
    histogram = partial(meter.create_histogram, explicit_bucket_boundaries_advisory=BUCKETS)
    wait = histogram(
        "lockutils.lock.wait_time", "s", "Time waited for a lock, until held or timed out"
    )
    hold = histogram("lockutils.lock.hold_time", "s", "Time that a lock was held")
    holders = meter.create_up_down_counter(
        "lockutils.lock.holders", "{holder}", "Holders of locks at the moment"
    )
    counters = {
        kind: meter.create_counter(f"lockutils.lock.{name}", f"{{{unit}}}", description)
        for kind, (name, unit, description) in COUNTERS.items()
    }
    return subscribe(recorder)
