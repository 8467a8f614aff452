"""What a command line looks like that can be meant, but hardly is: said before the run, which goes on."""

from collections.abc import Iterator

from s3haul.core.filters import Filters, idle
from s3haul.events import Warned
from s3haul.options import SourceOptions


def source_warnings(source: SourceOptions, filters: Filters) -> Iterator[Warned]:
    """Filters that leave nothing out, and a key that looks like a pattern. Filters that take nothing are told
    by the run, which finds nothing to do."""
    if all(include for include, _ in filters) and (said := idle(filters)):
        yield Warned(said)
    key = source.prefix.removesuffix("/") if source.recursive else source.prefix
    if "*" in key or "?" in key:
        above = key[: min(key.find(mark) for mark in "*?" if mark in key)].rpartition("/")[0]
        pattern = key[len(above) :].removeprefix("/")
        base = f"s3://{source.bucket}/{above}{'/' if above else ''}"
        yield Warned(
            "* and ? in the source are part of the key: for a pattern,"
            f" write s3haul cp {base} DEST --exclude '*' --include '{pattern}'"
        )
