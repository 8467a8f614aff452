"""`quick_imports` leaves the garbage collector as it was."""

import gc
from importlib import import_module

import pytest

from s3haul.cli.commands import quick_imports


def test_the_garbage_collector_is_on_again_even_after_a_failure():
    with quick_imports():
        assert not gc.isenabled()
        kept = [[]]
    assert gc.isenabled()
    assert not any(one is kept for one in gc.get_objects()), "what was imported is looked at again"
    with pytest.raises(ModuleNotFoundError), quick_imports():
        import_module("no_such_module")
    assert gc.isenabled()
