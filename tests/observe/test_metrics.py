"""Metrics of locks, by the real libraries: which figures, how many series, and no deadlock."""

import os
import sys
import urllib.request

import prometheus_client
import pytest
from lock_peers import WATCHDOG, Background, run_python
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import lockutils
from lockutils import events, observe


class Prometheus:
    """Figures as a scrape has them."""

    guarded = "prometheus_client"

    def __init__(self, **options):
        self.registry = prometheus_client.CollectorRegistry()
        self.stop = lockutils.prometheus.instrument(self.registry, **options)

    def collect(self):
        return prometheus_client.generate_latest(self.registry)

    def value(self, what, name, external=False, mode="exclusive"):
        """Return a figure of one series; ``None`` if there is no such series."""
        suffix = {
            "waits": "wait_seconds_count",
            "wait": "wait_seconds_sum",
            "holds": "hold_seconds_count",
            "hold": "hold_seconds_sum",
            "holders": "holders",
        }.get(what, f"{what}_total")
        labels = {"lock": name, "external": str(external).lower(), "mode": mode}
        return self.registry.get_sample_value(f"lockutils_{suffix}", labels)

    def names(self):
        families = self.registry.collect()
        return {sample.labels["lock"] for family in families for sample in family.samples}

    def series(self):
        return self.collect().count(b"\nlockutils_wait_seconds_count{")


class OpenTelemetry:
    """Figures as an exporter has them."""

    guarded = "opentelemetry.sdk.metrics"

    def __init__(self, **options):
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])
        self.stop = lockutils.opentelemetry.instrument(self.provider, **options)

    def collect(self):
        data = self.reader.get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        return {
            metric.name: metric
            for resource in resources
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def value(self, what, name, external=False, mode="exclusive"):
        suffix = {"waits": "wait_time", "wait": "wait_time", "holds": "hold_time"}
        suffix["hold"] = "hold_time"
        metric = self.collect().get(f"lockutils.lock.{suffix.get(what, what)}")
        wanted = {
            "lockutils.lock.name": name,
            "lockutils.lock.external": external,
            "lockutils.lock.mode": mode,
        }
        for point in () if metric is None else metric.data.data_points:
            if dict(point.attributes) == wanted:
                if what in ("waits", "holds"):
                    return point.count
                return point.sum if what in ("wait", "hold") else point.value
        return None

    def names(self):
        return {
            point.attributes["lockutils.lock.name"]
            for metric in self.collect().values()
            for point in metric.data.data_points
        }

    def series(self):
        return len(self.collect()["lockutils.lock.wait_time"].data.data_points)


@pytest.fixture(params=[Prometheus, OpenTelemetry], ids=["prometheus", "opentelemetry"])
def kind(request):
    return request.param


@pytest.fixture
def metrics(kind, tmp_path):
    lockutils.set_defaults(lock_path=tmp_path)
    made = kind()
    yield made
    made.stop()
    lockutils.set_defaults(lock_path=None)
    assert observe.subscribers == []


@lockutils.synchronized("image-{number}")
def work(number):
    pass


@lockutils.synchronized("shared-{number}", external=True, shared=True)
def read(number):
    pass


def test_waits_and_holds_are_counted_by_template(metrics):
    for number in range(3):
        work(number)
        read(number)
    assert metrics.value("waits", "image-{number}") == 3
    assert metrics.value("holds", "image-{number}") == 3
    assert metrics.value("wait", "image-{number}") == 0
    assert metrics.value("hold", "image-{number}") > 0
    assert metrics.value("holders", "image-{number}") == 0
    assert metrics.value("waits", "shared-{number}", external=True, mode="shared") == 3


def test_holders_are_those_of_now_and_a_hold_is_counted_when_it_has_ended(metrics):
    with lockutils.lock("a", slots=2), lockutils.lock("a", slots=2):
        assert metrics.value("holders", "", mode="slots") == 2
        assert not metrics.value("holds", "", mode="slots")
    assert metrics.value("holders", "", mode="slots") == 0
    assert metrics.value("holds", "", mode="slots") == 2


def test_timeouts_and_tries_are_counted_apart(metrics):
    with lockutils.lock("held"):
        other = lockutils.lock("held")
        assert not Background(other.acquire, timeout=0.01).result()
        assert not other.acquire(blocking=False)
        assert not other.acquire(timeout=0)
    assert metrics.value("timeouts", "") == 1
    assert metrics.value("refusals", "") == 2
    # how long callers wait includes those who waited in vain, and not those who did not
    assert metrics.value("waits", "") == 2
    assert metrics.value("wait", "") >= 0.01


def test_a_loss_is_counted(metrics):
    (subscription,) = observe.subscribers
    subscription.tell(events.Event("lost", "x", "x-{id}", external=True))
    assert metrics.value("losses", "x-{id}", external=True) == 1


def test_ten_thousand_names_of_one_template_are_one_series(metrics):
    for number in range(10_000):
        work(number)
    assert metrics.names() == {"image-{number}"}
    assert metrics.series() == 1
    assert metrics.value("holds", "image-{number}") == 10_000


def test_names_that_a_program_makes_itself_are_one_series(metrics):
    for number in range(1_000):
        with lockutils.lock(f"image-{number}"):
            pass
    assert metrics.names() == {""}
    assert metrics.series() == 1


def test_a_program_may_say_what_the_label_is(kind):
    made = kind(label=lambda event: event.name.partition("-")[0])
    try:
        for number in range(1_000):
            with lockutils.lock(f"image-{number}"), lockutils.lock(f"volume-{number}"):
                pass
    finally:
        made.stop()
    if kind is OpenTelemetry:
        assert made.names() == {"image", "volume"}


def test_what_cannot_be_called_is_no_label(kind):
    with pytest.raises(TypeError, match="label must be callable, not 'image'"):
        kind(label="image")
    assert observe.subscribers == []


def test_waits_of_many_threads_add_up(metrics):
    @lockutils.synchronized("busy")
    def use():
        pass

    def use_often():
        for _ in range(500):
            use()

    for thread in [Background(use_often) for _ in range(4)]:
        thread.result()
    assert metrics.value("holds", "busy") == metrics.value("waits", "busy") == 2_000
    assert metrics.value("holders", "busy") == 0


def test_a_lock_that_is_used_in_the_middle_of_a_scrape_stops_nothing(metrics):
    """As a finaliser or signal handler uses it: in a thread that is under the library's guard."""
    work(1)
    under_guard = []

    def use_lock(frame, *_):
        guard = getattr(frame.f_locals.get("self"), "_lock", None)
        module = frame.f_globals.get("__name__", "")
        if module.startswith(metrics.guarded) and hasattr(guard, "locked") and guard.locked():
            under_guard.append(module)
            sys.setprofile(None)
            work(2)
            sys.setprofile(use_lock)

    def scrape():
        sys.setprofile(use_lock)
        try:
            metrics.collect()
        finally:
            sys.setprofile(None)

    Background(scrape).result()
    assert under_guard
    # what was kept comes with the next
    work(3)
    assert metrics.value("holds", "image-{number}") == 2 + len(under_guard)
    assert metrics.value("holders", "image-{number}") == 0


# --- Prometheus


def test_a_scrape_by_http_has_the_figures():
    made = Prometheus()
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", made.registry)
    try:
        work(1)
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.urlopen(url, timeout=WATCHDOG) as answer:
            lines = answer.read().decode().splitlines()
    finally:
        made.stop()
        server.shutdown()
        server.server_close()
        thread.join(WATCHDOG)
    labels = 'external="false",lock="image-{number}",mode="exclusive"'
    assert f"lockutils_wait_seconds_count{{{labels}}} 1.0" in lines
    assert (
        f'lockutils_wait_seconds_bucket{{external="false",le="0.0001",{labels[17:]}}} 1.0' in lines
    )
    assert f"lockutils_holders{{{labels}}} 0.0" in lines
    assert "# TYPE lockutils_timeouts_total counter" in lines
    assert "# TYPE lockutils_hold_seconds histogram" in lines


def test_a_registry_has_them_once_and_nothing_is_left_behind():
    made = Prometheus()
    with pytest.raises(ValueError, match="lockutils_wait_seconds"):
        lockutils.prometheus.instrument(made.registry)
    assert len(observe.subscribers) == 1
    made.stop()
    assert made.collect() == b""
    prometheus_client.Counter("lockutils_timeouts", "taken", registry=made.registry)
    with pytest.raises(ValueError, match="lockutils_timeouts"):
        lockutils.prometheus.instrument(made.registry)
    assert [family.name for family in made.registry.collect()] == ["lockutils_timeouts"]
    assert observe.subscribers == []


def test_processes_that_share_a_directory_of_the_client_are_added_up(tmp_path):
    printed = run_python(
        """
import os, signal, sys
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
import lockutils, prometheus_client
from prometheus_client import multiprocess
lockutils.prometheus.instrument()
@lockutils.synchronized("image-{number}")
def work(number): pass
work(0)
children = []
for number in (1, 2):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        work(number)
        handle = lockutils.lock("kept")
        handle.acquire()
        os.write(writing, b"x")
        signal.alarm(60)
        signal.pause()
    os.read(reading, 1)
    children.append(child)
registry = prometheus_client.CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
labels = {"lock": "image-{number}", "external": "false", "mode": "exclusive"}
print(registry.get_sample_value("lockutils_hold_seconds_count", labels))
print(registry.get_sample_value("lockutils_holders", {**labels, "lock": ""}))
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
    multiprocess.mark_process_dead(child)
print(registry.get_sample_value("lockutils_holders", {**labels, "lock": ""}))
""",
        os.fspath(tmp_path),
    )
    assert printed.split() == ["3.0", "2.0", "None"]


# --- OpenTelemetry


def test_names_and_units_are_those_of_the_conventions():
    made = OpenTelemetry()
    try:
        with lockutils.lock("held"):
            assert not lockutils.lock("held").acquire(blocking=False)
            assert not Background(lockutils.lock("held").acquire, timeout=0.001).result()
        (subscription,) = observe.subscribers
        subscription.tell(events.Event("lost", "x"))
    finally:
        made.stop()
    assert {name: metric.unit for name, metric in made.collect().items()} == {
        "lockutils.lock.wait_time": "s",
        "lockutils.lock.hold_time": "s",
        "lockutils.lock.holders": "{holder}",
        "lockutils.lock.timeouts": "{timeout}",
        "lockutils.lock.refusals": "{refusal}",
        "lockutils.lock.losses": "{loss}",
    }
    (point,) = made.collect()["lockutils.lock.hold_time"].data.data_points
    assert point.explicit_bounds[0] == 0.0001


def test_the_global_provider_may_be_set_later():
    printed = run_python("""
import lockutils
lockutils.opentelemetry.instrument()
with lockutils.lock("before"):
    pass
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
set_meter_provider(MeterProvider([reader]))
with lockutils.lock("after"):
    pass
(resource,) = reader.get_metrics_data().resource_metrics
(scope,) = resource.scope_metrics
print(scope.scope.name, scope.scope.version == lockutils.__version__)
print(*sorted(metric.name for metric in scope.metrics))
""")
    assert printed.splitlines() == [
        "lockutils True",
        "lockutils.lock.hold_time lockutils.lock.holders lockutils.lock.wait_time",
    ]


@pytest.mark.parametrize(
    ("module", "package"), [("prometheus", "prometheus_client"), ("opentelemetry", "opentelemetry")]
)
def test_without_the_extra_the_error_says_what_is_missing(module, package):
    printed = run_python(
        f"""
import lockutils
try:
    lockutils.{module}
except AttributeError as error:
    print(error)
""",
        options=("-S",),
    )
    assert printed == f"lockutils.{module} needs {package}, which is not installed\n"
