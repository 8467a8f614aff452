"""`api.bench` in the tester's own process, where the system can be made to look smaller than it is."""

import pytest

from contract.demo_access import demo_profile
from s3haul.api.bench import bench
from s3haul.bench import measure
from s3haul.bench.plan import BenchOptions, DestinationKind
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.errors import DestinationError
from s3haul.options import AccessOptions, SourceOptions

SOURCE = SourceOptions(bucket=seed.BUCKET)
ACCESS = AccessOptions(profile="export")


@pytest.fixture
def server(tmp_path):
    with DemoServer() as server:
        for number in range(5):
            server.cloud.put(seed.BUCKET, f"{number}", b"x" * 1000)
        (tmp_path / "home").mkdir()
        with demo_profile(server, tmp_path / "home"):
            yield server


@pytest.fixture
def no_memory(monkeypatch):
    monkeypatch.setattr(measure, "MARGIN", 1 << 60)


async def test_a_destination_without_space_is_left_out_with_a_message(server, tmp_path, no_memory):
    plans, runs = [], []
    options = BenchOptions(concurrency=(4,), repetitions=1)
    report = await bench(SOURCE, tmp_path, options, access=ACCESS, on_plan=plans.append, on_run=runs.append)
    (plan,) = plans
    assert plan.options.destinations == (DestinationKind.NULL, DestinationKind.DISK)
    assert [row.setting.destination for row in report.rows] == ["null", "disk"]
    assert (report.planned, report.made, runs[-1].planned, plan.cost.runs) == (3, 3, 3, 3)


async def test_a_sample_that_fits_nowhere_is_an_error(server, tmp_path, no_memory):
    with pytest.raises(DestinationError, match="does not fit"):
        await bench(SOURCE, tmp_path, BenchOptions(destinations=(DestinationKind.MEMORY,)), access=ACCESS)


async def test_a_directory_that_is_not_one_is_refused_before_any_request(server, tmp_path):
    with pytest.raises(DestinationError, match="not a directory"):
        await bench(SOURCE, tmp_path / "none", access=ACCESS)
    assert not server.calls


async def test_after_the_time_limit_there_is_at_least_one_measured_run(server, tmp_path):
    options = BenchOptions(
        destinations=(DestinationKind.NULL, DestinationKind.DISK), concurrency=(2, 4), max_seconds=0.0
    )
    report = await bench(SOURCE, tmp_path, options, access=ACCESS)
    assert (report.made, len(report.rows)) == (2, 1)
    assert report.planned == 10
