"""`--metrics-port`: a listener that serves the counts of the run to Prometheus while it lasts."""

from typing import TYPE_CHECKING

from s3haul.core.stats import Stats
from s3haul.errors import UsageError
from s3haul.events import Event, Noted
from s3haul.options import OutputOptions, SourceOptions
from s3haul.progress import Listener
from s3haul.store.protocol import OnTiming

if TYPE_CHECKING:  # the extra may not be installed
    from s3haul.metrics import Endpoint, RequestMetrics, RunCollector


class Exporter:
    """The server and what feeds it; `on_timing` is for the transport."""

    def __init__(self, collector: "RunCollector", requests: "RequestMetrics", endpoint: "Endpoint") -> None:
        self.collector, self.endpoint = collector, endpoint
        self.on_timing: OnTiming = requests.observe


class _Beside:
    def __init__(self, exporter: Exporter, listener: Listener) -> None:
        self._exporter, self._listener = exporter, listener

    def observe(self, event: Event) -> None:
        self._exporter.collector.observe(event)
        self._listener.observe(event)

    def close(self) -> None:
        try:
            self._listener.close()
        finally:
            self._exporter.endpoint.close()


def with_metrics(listener: Listener, exporter: Exporter | None) -> Listener:
    """The listener, and the metrics if there are any, which hear everything first."""
    if exporter is None:
        return listener
    listener.observe(Noted(f"Metrics at {exporter.endpoint.url}"))
    return _Beside(exporter, listener)


def exporter(stats: Stats, source: SourceOptions, output: OutputOptions) -> Exporter | None:
    """Listens from now on; None where no port is given. Raises `UsageError`."""
    if output.metrics_port is None:
        return None
    try:
        from s3haul import metrics  # noqa: PLC0415 - an extra, and 100 ms
    except ImportError:
        raise UsageError(
            "--metrics-port needs the Prometheus client library, which is not installed.",
            hint="pip install 's3haul[metrics]'",
        ) from None
    collector = metrics.RunCollector(stats, source)
    registry = metrics.registry_of(collector)
    requests = metrics.RequestMetrics(registry)
    where = f"{output.metrics_address} port {output.metrics_port}"
    try:
        endpoint = metrics.Endpoint(registry, output.metrics_address, output.metrics_port)
    except OSError as error:
        raise UsageError(
            f"The metrics cannot be served at {where}: {error.strerror or error}.",
            hint="another --metrics-port, 0 for any free one; --metrics-address names an address of this machine",
        ) from None
    return Exporter(collector, requests, endpoint)
