"""Each foreign server is started once for all tests that use it."""

from pathlib import Path

import pytest

from foreign.ministack_server import MiniStack
from foreign.moto_server import Moto
from foreign.seaweedfs_server import SeaweedFS

FIRST_INSTALL = 1200.0


@pytest.fixture(scope="session")
def ministack():
    with MiniStack() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs():
    with SeaweedFS() as server:
        yield server


@pytest.fixture(scope="session")
def moto():
    with Moto() as server:
        yield server


def pytest_collection_modifyitems(items):
    """Whichever test comes first waits for pip; the usual limit is too short for a slow network."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FIRST_INSTALL))
