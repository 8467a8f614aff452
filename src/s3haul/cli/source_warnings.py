"""Warnings about a valid command line that is probably a mistake. They are printed before the run, which continues."""

from collections.abc import Iterator

from s3haul.core.filters import Filters, idle
from s3haul.events import Warned
from s3haul.options import SourceOptions


def source_warnings(source: SourceOptions, filters: Filters) -> Iterator[Warned]:
    """Warn about filters that exclude nothing, and about a key that looks like a pattern. The run warns later about
    filters that exclude everything."""
    if all(include for include, _ in filters) and (warning := idle(filters)):
        yield Warned(warning)
    key = source.prefix.removesuffix("/") if source.recursive else source.prefix
    if "*" in key or "?" in key:
        above = key[: min(key.find(mark) for mark in "*?" if mark in key)].rpartition("/")[0]
        pattern = key[len(above) :].removeprefix("/")
        base = f"s3://{source.bucket}/{above}{'/' if above else ''}"
        yield Warned(
            "* and ? in the source are part of the key: for a pattern,"
            f" write s3haul cp {base} DEST --exclude '*' --include '{pattern}'"
        )
