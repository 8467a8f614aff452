"""Fixtures of the end-to-end tests: a cloud with a few objects, its server, and the user's machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Machine, small_cloud
from s3haul.demo.server import DemoServer


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(small_cloud()) as running:
        yield running


@pytest.fixture
def machine(server: DemoServer, tmp_path: Path) -> Machine:
    home = tmp_path / "home"
    home.mkdir()
    return Machine(server, home)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest"
