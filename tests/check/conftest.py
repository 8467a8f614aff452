"""One server for all tests of the check; each finds a new cloud in it, and no faults."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from check.world import World, new_cloud
from s3haul.demo.server import DemoServer


@pytest.fixture(scope="session")
def started() -> Iterator[DemoServer]:
    with DemoServer(new_cloud()) as server:
        yield server


@pytest.fixture
def server(started: DemoServer) -> DemoServer:
    started.cloud = new_cloud()
    started.faults.clear()
    started.log.clear()
    return started


@pytest.fixture
def world(server: DemoServer, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine at which nobody sits."""

    def nobody(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    return World(server, tmp_path, capsys)
