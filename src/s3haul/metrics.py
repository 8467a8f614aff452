"""Serves the counts of a run as Prometheus metrics over HTTP, until the run ends.

They are only computed when they are read. This module needs the extra `metrics`, and is imported only with
--metrics-port. `s3haul help metrics` lists the metrics.
"""

import time
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from s3haul import __version__
from s3haul.core.stats import Cause, Stats
from s3haul.events import CredentialsRenewed, Event, Finished, Received
from s3haul.options import SourceOptions
from s3haul.store.protocol import RequestTiming

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class RunCollector(Collector):
    """Converts the counts to metrics. `observe` keeps what the counts do not have: the times of events, and
    received bytes that never decrease (bytes of a discarded attempt are subtracted from the counts)."""

    def __init__(self, stats: Stats, source: SourceOptions) -> None:
        self._stats = stats
        self._source = source
        self._received = 0
        self._discarded = 0
        self._progress = time.time()
        self._session_ends: float | None = None

    def observe(self, event: Event) -> None:
        """On the event loop."""
        match event:
            case Received(size) if size < 0:
                self._discarded -= size
            case Received(size):
                self._received += size
                self._progress = time.time()
            case Finished():
                self._progress = time.time()
            case CredentialsRenewed():
                self._session_ends = event.expires
            case _:
                pass

    def collect(self) -> Iterator[Metric]:
        """In a thread of the server."""
        stats, source = self._stats, self._source
        labels = {"version": __version__, "bucket": source.bucket, "prefix": source.prefix}
        info = GaugeMetricFamily("s3haul_run_info", "What is copied.", labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        yield info
        yield _gauge("listing_complete", "1 once the totals are known.", float(stats.listing_complete))
        yield _gauge("selected_objects", "Objects listed so far and not filtered out.", stats.selected)
        yield _gauge("selected_bytes", "Bytes of these objects.", stats.selected_bytes)
        yield _counter("filtered_objects", "Objects that the filters left out.", stats.filtered)
        failed, skipped = _counts(stats.failed), _counts(stats.skipped)
        states = {
            "done": stats.done,
            "unchanged": stats.already,
            "skipped": sum(skipped.values()),
            "failed": sum(failed.values()),
            "vanished": stats.vanished.count,
        }
        yield _by("objects", "Objects that reached their end in this run.", "state", states)
        yield _by("verdicts", "Done objects by what is known of their bytes.", "verdict", stats.verdicts)
        yield _by("failed_objects", "Failed objects.", "reason", failed)
        yield _by("skipped_objects", "Skipped objects.", "reason", skipped)
        yield _counter("received_bytes", "Bytes of bodies that came in.", self._received)
        yield _counter("discarded_bytes", "Of these, bytes of attempts that failed.", self._discarded)
        yield _by("retries", "Requests that were made again.", "reason", stats.retries)
        yield _counter("warnings", "Warnings that were given.", len(stats.warnings))
        yield _counter("credential_renewals", "Sessions of the role after the first.", stats.renewals)
        if self._session_ends is not None:
            yield _gauge("session_end_timestamp_seconds", "When the role's session ends.", self._session_ends)
        yield _gauge(
            "last_progress_timestamp_seconds", "When anything came in or ended, at last.", self._progress
        )


class RequestMetrics:
    """The durations of requests. `observe` may be called from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "s3haul_requests", "Requests that were answered.", ["status"], registry=registry
        )
        self._connections = Counter("s3haul_connections", "Connections that were made.", registry=registry)
        self._first_byte = Histogram(
            "s3haul_first_byte_seconds",
            "From the request to the first byte of the answer.",
            buckets=SECONDS,
            registry=registry,
        )

    def observe(self, timing: RequestTiming) -> None:
        self._answers.labels(str(timing.status)).inc()
        self._first_byte.observe(timing.first_byte)
        if timing.connect is not None:
            self._connections.inc()


class Endpoint:
    """The server of one run: `url` is where it listens, until `close`."""

    def __init__(self, registry: CollectorRegistry, address: str, port: int) -> None:
        """Port 0 is any free port. Raises `OSError` if it cannot listen."""
        self._server, self._thread = start_http_server(port, address, registry)
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{self._server.server_port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def registry_of(collector: RunCollector) -> CollectorRegistry:
    """A registry with the collector and the metrics of the process."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(namespace="s3haul", registry=registry)
    return registry


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"s3haul_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"s3haul_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"s3haul_{name}", text, labels=[label])
    for key, value in dict(values).items():  # a copy: the run goes on meanwhile
        family.add_metric([key], value)
    return family


def _counts(causes: Mapping[str, Cause]) -> dict[str, int]:
    return {reason: cause.count for reason, cause in dict(causes).items()}
