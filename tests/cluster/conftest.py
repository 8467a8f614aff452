"""Fixtures of the cluster tests: a cloud, the user's machine, the directories of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.harness import Cluster
from e2e.harness import Machine, small_cloud
from s3haul.demo.server import DemoServer


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(small_cloud(60)) as running:
        yield running


@pytest.fixture
def cluster(server: DemoServer, tmp_path: Path) -> Cluster:
    home = tmp_path / "home"
    home.mkdir()
    return Cluster(Machine(server, home), tmp_path)
