"""The heavy imports leave nothing behind, and cost no certificates."""

import gc
import os
import subprocess
import sys
from importlib import import_module

import pytest

from s3haul.cli.loading import quick_imports


@pytest.mark.parametrize("before", [None, "/some/file.pem"])
def test_collector_and_environment_are_as_before_even_after_a_failure(monkeypatch, before):
    if before is None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", before)
    with quick_imports():
        assert not gc.isenabled()
        kept = [[]]
    assert gc.isenabled()
    assert not any(one is kept for one in gc.get_objects()), "what was imported is looked at again"
    with pytest.raises(ModuleNotFoundError), quick_imports():
        import_module("no_such_module")
    assert gc.isenabled()
    assert os.environ.get("SSL_CERT_FILE") == before


def test_aiohttp_parses_no_authorities_when_it_is_imported():
    code = """
from s3haul.cli.loading import quick_imports
with quick_imports():
    from aiohttp import connector
print(connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
