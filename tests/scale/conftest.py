"""A cloud with some of everything, its server, and a directory for the haul."""

from collections.abc import Iterator

import pytest

from e2e.harness import small_cloud
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.demo.seed_objects import HOSTILE_KEYS
from s3haul.demo.server import DemoServer

PARTS = (300_000, 300_000, 1)


@pytest.fixture
def server() -> Iterator[DemoServer]:
    """What this process fetches before its engines are up takes a while, so that most is left to them."""
    with DemoServer(small_cloud(300)) as running:
        running.faults.add("delay", operation="GetObject", first=16, seconds=1.2)
        yield running


@pytest.fixture
def varied(server: DemoServer) -> DemoServer:
    """More kinds of objects and of ends."""
    put = server.cloud.put
    for number, key in enumerate(HOSTILE_KEYS):
        put(seed.BUCKET, key, key.encode() * (1 + number))
    for name in ("CRC32", "SHA256"):
        put(seed.BUCKET, f"parts/{name}", Generated(5, sum(PARTS)), checksum=name, part_sizes=PARTS)
    put(seed.BUCKET, "large/1", Generated(8, 3_000_000))
    put(seed.BUCKET, "none", Generated(9, 70_000), checksum=None)
    put(seed.BUCKET, "old/frozen", Generated(6, 1000), storage_class="GLACIER")
    put(seed.BUCKET, "marker/", b"")
    put(seed.BUCKET, "wrong", Generated(7, 1000))
    put(seed.BUCKET, "refused", Generated(7, 1000))
    server.faults.add("flip", operation="GetObject", key="wrong")
    server.faults.add("error", operation="GetObject", key="refused", status=403, code="AccessDenied")
    return server
