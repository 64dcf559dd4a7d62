"""Metrics of locks for OpenTelemetry, by its API."""

from __future__ import annotations

from functools import partial

from opentelemetry.metrics import get_meter_provider

from lockutils.observe.events import subscribe
from lockutils.observe.recorder import BUCKETS, Instruments, Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import MeterProvider

    from lockutils.observe.recorder import Label, Labels

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
        :func:`lockutils.synchronized`, and empty for other handles: names may be any number, and
        each is a series
    :return: what ends it.  Holds of that moment stay in ``holders``
    :raises TypeError: if ``label`` cannot be called
    """
    from lockutils import __version__

    def series(labels: Labels) -> Instruments:
        names = "lockutils.lock.name", "lockutils.lock.external", "lockutils.lock.mode"
        attributes: dict[str, str | bool] = dict(zip(names, labels, strict=True))
        made = Instruments()
        made.wait = partial(wait.record, attributes=attributes)
        made.hold = partial(hold.record, attributes=attributes)
        made.holders = partial(holders.add, attributes=attributes)
        made.timed_out = partial(timeouts.add, 1, attributes)
        made.refused = partial(refusals.add, 1, attributes)
        made.lost = partial(losses.add, 1, attributes)
        return made

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
    timeouts = meter.create_counter(
        "lockutils.lock.timeouts", "{timeout}", "Waits for a lock that timed out"
    )
    refusals = meter.create_counter(
        "lockutils.lock.refusals", "{refusal}", "Tries for a lock that somebody else held"
    )
    losses = meter.create_counter(
        "lockutils.lock.losses", "{loss}", "Locks that were lost while they were held"
    )
    return subscribe(recorder)
