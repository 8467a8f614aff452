"""The contract, held against every store of `stores`."""

import pytest

from contract.stores import STORES
from contract.suite import ObjectStoreContract


class TestObjectStore(ObjectStoreContract):
    @pytest.fixture(params=STORES.values(), ids=STORES)
    def case(self, request):
        return request.param
