"""Fixtures of the embedded cloud's own tests: a standard cloud, its server, clients of it."""

from collections.abc import Iterator

import pytest

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.server import DemoServer


@pytest.fixture
def cloud() -> Cloud:
    return seed.standard_cloud()


@pytest.fixture
def server(cloud: Cloud) -> Iterator[DemoServer]:
    with DemoServer(cloud) as running:
        yield running


@pytest.fixture
def clients(server: DemoServer) -> Iterator[Clients]:
    made = Clients(server)
    yield made
    made.close()
