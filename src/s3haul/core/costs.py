"""What a run costs in money, from its requests and bytes and a table of prices. Pure.

An upper bound for what S3 and KMS charge the payer of the requests (the owner, unless the requester pays): discounts,
free tiers and Bucket Keys make it less. Whether bytes are charged depends on where they go, so they stand apart.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

GB = 10**9  # as it is charged


class Prices(NamedTuple):
    """Of one region, as of one month. Reads are GET, HEAD and GetObjectAttributes; both tables are by storage class."""

    as_of: str
    region: str
    currency: str
    list_per_1000: float
    read_per_1000: Mapping[str, float]
    retrieval_per_gb: Mapping[str, float]
    kms_per_10000: float
    transfer_out_per_gb: float

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Prices":
        """From the data file, which has other fields as well."""
        return cls(**{name: table[name] for name in cls._fields})


class Costs(NamedTuple):
    """In the currency of the prices. `transfer_out` is charged only if the bytes leave AWS."""

    requests: float
    kms: float
    retrieval: float
    transfer_out: float

    @property
    def within(self) -> float:
        """All but the way out."""
        return self.requests + self.kms + self.retrieval


def costs(
    lists: int, reads: Mapping[str, int], sizes: Mapping[str, int], kms_calls: int, prices: Prices
) -> Costs:
    """`reads` and `sizes` (bytes to fetch) are by storage class; one without a price counts as STANDARD."""
    standard = prices.read_per_1000["STANDARD"]
    charged = sum(count * prices.read_per_1000.get(name, standard) for name, count in reads.items())
    retrieved = sum(size * prices.retrieval_per_gb.get(name, 0.0) for name, size in sizes.items())
    return Costs(
        requests=(lists * prices.list_per_1000 + charged) / 1000,
        kms=kms_calls * prices.kms_per_10000 / 10_000,
        retrieval=retrieved / GB,
        transfer_out=sum(sizes.values()) * prices.transfer_out_per_gb / GB,
    )
