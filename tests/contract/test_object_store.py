"""The contract, held against every store of `stores`."""

import pytest

from contract.stores import STORES
from contract.suite import ObjectStoreContract


class TestObjectStore(ObjectStoreContract):
    @pytest.fixture(params=STORES.values(), ids=STORES)
    def case(self, request):
        return request.param


class TestWireOnUvloop(ObjectStoreContract):
    LOOPS = ("uvloop",)

    @pytest.fixture(params=[name for name in STORES if name.startswith("curl")])
    def case(self, request):
        return STORES[request.param]
