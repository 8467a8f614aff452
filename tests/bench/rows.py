"""Measurements to be checked, with the figures that matter and sound ones for the rest."""

from s3haul.bench.plan import DestinationKind, Setting
from s3haul.bench.result import Quantiles, Row, Spread


def spread(middle: float) -> Spread:
    return Spread(middle, 0.95 * middle, 1.05 * middle)


def row(destination: str, rate: float, *, concurrency: int = 64, cores: float = 0.5, **others) -> Row:
    fields = {
        "setting": Setting(DestinationKind(destination), concurrency),
        "seconds": spread(10.0),
        "objects_per_second": spread(rate),
        "bytes_per_second": spread(rate * 4096),
        "cpu_cores": spread(cores),
        "machine_busy": 0.5,
        "connect_seconds": Quantiles(0.02, 0.05),
        "first_byte_seconds": Quantiles(0.03, 0.2),
        "total_seconds": Quantiles(0.03, 0.3),
        "requests": 1000,
        "failed": 0,
        "retries": 0,
        "throttled_by_s3": 0,
        "throttled_by_kms": 0,
        "cut_short": False,
    }
    return Row(**(fields | others))
