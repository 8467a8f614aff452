"""The AWS partitions and their regions, from the data file in botocore.

The file is read once, at first use; the SDK is not imported. New partitions and regions need a newer botocore.
"""

import functools
import gzip
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Partition:
    """`home` is the region of global services; `regions` are the regions in the data file."""

    name: str
    home: str
    suffix: str  # of host names: amazonaws.com
    pattern: re.Pattern[str]  # of its regions; matches future regions too
    regions: frozenset[str]

    def holds(self, region: str) -> bool:
        return region in self.regions or self.pattern.fullmatch(region) is not None


@functools.cache
def partitions() -> Mapping[str, Partition]:
    """All partitions by name, "aws" first."""
    return {one.name: one for one in map(_partition, _data()["partitions"])}


def partition_of_region(region: str) -> Partition | None:
    """The partition of a region; None if no partition matches."""
    return next((one for one in partitions().values() if one.holds(region)), None)


def is_listed(region: str) -> bool:
    """Whether the data file contains this region."""
    return any(region in one.regions for one in partitions().values())


def region_of_title(title: str) -> str:
    """The region with this title in the AWS console, such as "US East (N. Virginia)"; or ""."""
    found = (
        name
        for one in _data()["partitions"]
        for name, entry in one["regions"].items()
        if entry.get("description", "").lower() == title.strip().lower()
    )
    return next(found, "")


def region_in_host(host: str) -> str:
    """The region in the host name of an AWS S3 endpoint, or ""."""
    for one in partitions().values():
        found = re.fullmatch(
            rf"(?:.+\.)?s3(?:-fips)?(?:[.-]dualstack)?[.-]([a-z0-9-]+)\.{re.escape(one.suffix)}",
            host.lower(),
            re.ASCII,
        )
        if found and one.holds(found[1]):
            return found[1]
    return ""


def _partition(entry: Mapping[str, Any]) -> Partition:
    outputs = entry["outputs"]
    return Partition(
        name=entry["id"],
        home=outputs["implicitGlobalRegion"],
        suffix=outputs["dnsSuffix"],
        pattern=re.compile(entry["regionRegex"], re.ASCII),
        regions=frozenset(name for name in entry["regions"] if not name.endswith("-global")),
    )


def _data() -> Mapping[str, Any]:
    package = importlib.util.find_spec("botocore")
    assert package is not None, "botocore is a dependency"
    for folder in package.submodule_search_locations or ():
        for name, opened in (("partitions.json", open), ("partitions.json.gz", gzip.open)):
            path = Path(folder, "data", name)
            if path.is_file():
                with opened(path, "rb") as file:
                    found: Mapping[str, Any] = json.load(file)
                return found
    raise FileNotFoundError("botocore's data/partitions.json")
