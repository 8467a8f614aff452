"""What a run needs, in money and in space on the disk. Pure.

Costs follow from requests, bytes and a table of prices: an upper bound for what S3 and KMS charge the payer
of the requests (the owner, unless the requester pays); discounts, free tiers and Bucket Keys make it less.
Whether bytes are charged depends on where they go, so they are separate.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from s3haul.core.text import human_bytes

GB = 10**9  # as it is charged


class Prices(NamedTuple):
    """Of one region, as of one month. Reads are GET, HEAD and GetObjectAttributes;
    both tables are by storage class."""

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


class SpaceEstimate:
    """What a destination offered at the start, and what the objects listed so far need of it.

    The warning comes as soon as the listing shows it, and nothing is enforced: file systems compress, and
    others free space meanwhile. A disk that is really full ends the run.
    """

    def __init__(self, free_bytes: int, free_files: int) -> None:
        self.free_bytes, self.free_files = free_bytes, free_files
        self.needed_bytes = self.needed_files = 0
        self._warned = False

    def need(self, size: int, files: int) -> None:
        """So many bytes and files more. `size` is negative for a file that makes room for a smaller one."""
        self.needed_bytes += size
        self.needed_files += files

    @property
    def fits(self) -> bool:
        """Whether all of it has room, as far as is known."""
        return self.needed_bytes <= self.free_bytes and self.needed_files <= self.free_files

    def warning(self) -> str | None:
        """The sentence for the user, once, when it no longer fits."""
        if self.fits or self._warned:
            return None
        self._warned = True
        return (
            f"The destination is too small: {human_bytes(self.needed_bytes)} in {self.needed_files:,} files are"
            f" still to come, {human_bytes(self.free_bytes)} and {self.free_files:,} inodes are free."
        )
