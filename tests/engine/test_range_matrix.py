"""Every kind of checksum, object and damage in transit, combined: the outcome is right in each case.

One run with one transport has all cases: each is one key with its own faults.
"""

import random
from dataclasses import dataclass

import pytest

from engine.harness import leftovers, manifest, tree
from engine.on_demo import empty_server, opened, run_on
from s3haul.demo import seed
from s3haul.demo.checksums import ALGORITHMS
from s3haul.demo.content import Generated, seed_of
from s3haul.events import Received, Resumed

SEED = 20_161_124
SHAPES = {
    "one-byte": (1,),
    "one-part": (4_000,),
    "equal-parts": (1_500, 1_500, 1_500),
    "equal-parts-and-one-byte": (1_500, 1_500, 1),
    "odd-parts": (1_001, 250, 1, 2_749),
    "many-small-parts": (300,) * 11,
    "a-byte-below-a-boundary": (1_000, 1_000, 999),
    "a-byte-beyond-a-boundary": (1_000, 1_000, 1_001),
}
KINDS = {"FULL_OBJECT": sorted(ALGORITHMS), "COMPOSITE": sorted(ALGORITHMS.keys() - {"CRC64NVME"}), "": [""]}
TROUBLES = ("good", "flipped once", "flipped always", "cut once", "cut always", "changed")


@dataclass(frozen=True)
class Cell:
    kind: str
    algorithm: str
    shape: str
    trouble: str

    @property
    def key(self):
        return (
            f"{self.kind or 'none'}/{self.algorithm or 'none'}/{self.shape}/{self.trouble.replace(' ', '-')}"
        )

    @property
    def sizes(self):
        return SHAPES[self.shape]

    @property
    def size(self):
        return sum(self.sizes)

    @property
    def verdict(self):
        """The expected result: verified by the checksum, size-only, or failed."""
        if self.trouble == "flipped always" and self.kind:
            return "checksum-mismatch"
        if self.trouble == "cut always":
            return "wrong-answer"
        return "verified" if self.kind else "size-only"


CELLS = [
    Cell(kind, algorithm, shape, trouble)
    for kind, algorithms in KINDS.items()
    for algorithm in algorithms
    for shape in SHAPES
    for trouble in TROUBLES
]


def put(server, cell):
    """Store the object of a case, with the faults of its requests."""
    server.cloud.put(
        seed.BUCKET,
        cell.key,
        Generated(seed_of(cell.key), cell.size),
        checksum=cell.algorithm or None,
        checksum_type=cell.kind or None,
        part_sizes=cell.sizes if cell.kind == "COMPOSITE" or len(cell.sizes) > 1 else (),
    )
    dice = random.Random(f"{SEED}/{cell.key}")
    fault = {"operation": "GetObject", "key": cell.key}
    match cell.trouble:
        case "flipped once":
            server.faults.add("flip", exactly=1, offset=dice.randrange(min(cell.size, 900)), **fault)
        case "flipped always":
            server.faults.add("flip", since=1, offset=0, **fault)
        case "cut once":
            server.faults.add("short", exactly=1, after=dice.randrange(min(cell.size, 900)), **fault)
        case "cut always":
            server.faults.add("shorten", since=1, **fault)
        case "changed":
            server.faults.add("change", exactly=1 if cell.size <= 2_000 else 2, **fault)


# A transport cannot depend on the algorithm, so the slow one gets only one of each family.
FAMILIES = [cell for cell in CELLS if cell.algorithm in {"CRC32", "CRC64NVME", "SHA256", ""}]
ASKED_FOR = [cell for cell in FAMILIES if cell.kind == "COMPOSITE"]


@pytest.mark.parametrize(
    ("transport", "cells", "may_see_parts"),
    [
        pytest.param("curl", CELLS, True, id="curl"),
        pytest.param("sdk", FAMILIES, True, id="sdk"),
        pytest.param("curl", ASKED_FOR, False, id="wire-that-asks-for-every-part"),
        pytest.param("sdk", ASKED_FOR, False, id="sdk-that-asks-for-every-part"),
    ],
)
async def test_the_outcome_is_right_in_every_case(tmp_path, transport, cells, may_see_parts):
    with empty_server(may_see_parts=may_see_parts) as server:
        for cell in cells:
            put(server, cell)
        async with opened(server, transport, tmp_path / "home") as store:
            done = await run_on(store, tmp_path / "dest")
        lines, files = manifest(tmp_path / "dest"), tree(tmp_path / "dest")
        wrong = {}
        for cell in cells:
            line, got = lines[cell.key], files.get(cell.key)
            current = server.cloud.buckets[seed.BUCKET].current(cell.key).content.read(0, cell.size)
            said = line["verdict"] or line["reason"]
            if cell.trouble.startswith("flipped") and not cell.kind:  # this damage cannot be detected
                right = got is not None and len(got) == cell.size
            else:
                right = got == (None if line["state"] == "failed" else current)
            if said != cell.verdict or not right:
                wrong[cell.key] = (said, cell.verdict, line["detail"], right)
    assert wrong == {}
    assert leftovers(tmp_path / "dest") == []
    assert done.stats.balanced
    kept = sum(cell.size for cell in cells if lines[cell.key]["state"] == "done")
    assert sum(e.bytes for e in done.events if isinstance(e, Received | Resumed)) == kept
    ranged = [call for call in server.calls if call.operation == "GetObject" and call.range]
    assert len(ranged) > 2 * len(cells)
    assert all(call.if_match for call in ranged)
    assert not any(call.range == f"bytes=0-{size_of(call) - 1}" for call in ranged)


def size_of(call):
    return sum(SHAPES[call.key.split("/")[2]])
