"""A bucket of a few objects, and the command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.demo_access import demo_profile
from s3haul.demo.server import DemoServer
from sources.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with DemoServer() as server, demo_profile(server, tmp_path):
        there = World(server, tmp_path / "dest", tmp_path)
        for number in range(12):
            there.put(f"data/{number % 3}/{number:02}.bin", bytes([number]) * (100 + number))
        yield there
