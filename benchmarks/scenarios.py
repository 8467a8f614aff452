"""What is copied: how many objects of which size, how the server paces its responses, and the bytes.

Every scenario is a bucket of its own, so that each client lists exactly it. The content is random but the
same in every run, and differs between objects and between blocks of one object, so a body that is stored
under another name or at another offset is found.
"""

import base64
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from awscrt import checksums as crt

BLOCK = 1 << 20
SPARSE = 16  # blocks, of which one holds anything
FIRST_MODIFIED = 1_700_000_000
JOURNAL_DIRECTORY = ".s3haul"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`groups` are (number, bytes of each). `by` is what its tables count: objects or bytes.

    `first_byte`: seconds before the first byte of every answer. `cap`: bytes per second of one connection.
    `sparse`: but one MiB in sixteen is zeros, which take no memory at the server. `optional`: run only when
    it is named.
    """

    name: str
    groups: tuple[tuple[int, int], ...]
    by: str
    first_byte: float = 0.0
    cap: int | None = None
    sparse: bool = False
    optional: bool = False

    @property
    def bucket(self) -> str:
        return f"bench-{self.name}"

    @property
    def objects(self) -> int:
        return sum(number for number, _ in self.groups)

    @property
    def bytes(self) -> int:
        return sum(number * size for number, size in self.groups)

    @property
    def largest(self) -> int:
        return max(size for _, size in self.groups)

    def sizes(self) -> dict[str, int]:
        """Bytes by key, in the order of a listing, the groups shuffled.

        Names that every client stores as they are, in 20 directories.
        """
        sizes = [size for number, size in self.groups for _ in range(number)]
        random.Random(self.name).shuffle(sizes)
        return dict(sorted((f"{at % 20:02d}/{at:07d}.bin", size) for at, size in enumerate(sizes)))


KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

SCENARIOS = (
    Scenario(name="start", groups=((1, 4 * KIB),), by="objects"),
    Scenario(name="small", groups=((20_000, 4 * KIB),), by="objects"),
    Scenario(name="latency", groups=((20_000, 4 * KIB),), by="objects", first_byte=0.030),
    # Ten times as many: the start of a command no longer hides its rate.
    Scenario(name="many", groups=((200_000, 4 * KIB),), by="objects", optional=True),
    Scenario(
        name="mixed",
        groups=((3_000, 16 * KIB), (300, 1 * MIB), (30, 16 * MIB), (2, 256 * MIB)),
        by="bytes",
    ),
    Scenario(name="mid", groups=((256, 4 * MIB),), by="bytes"),
    Scenario(name="large", groups=((2, 1 * GIB),), by="bytes"),
    # S3's performance guidelines speak of 85 to 90 MB/s for one request.
    Scenario(name="capped", groups=((2, 1 * GIB),), by="bytes", cap=80_000_000),
    Scenario(name="huge", groups=((1, 10 * GIB),), by="bytes", cap=80_000_000, sparse=True, optional=True),
    Scenario(name="crowd", groups=((64, 1 * GIB),), by="bytes", sparse=True, optional=True),
)

PART = 8
_QUICK = {
    "start": ((1, 4 * KIB),),
    "many": ((2_400, 4 * KIB),),
    "small": ((1_200, 4 * KIB),),
    "latency": ((1_200, 4 * KIB),),
    "mixed": ((150, 16 * KIB), (15, 1 * MIB), (2, 16 * MIB)),
    "mid": ((8, 4 * MIB),),
    "large": ((2, 32 * MIB),),
    "capped": ((2, 32 * MIB),),
    "huge": ((1, 128 * MIB),),
    "crowd": ((8, 32 * MIB),),
}


def quick(scenario: Scenario) -> Scenario:
    """The same shape in a second or two: for trying the runner, not for figures. Still two listing pages."""
    return replace(scenario, groups=_QUICK[scenario.name])


def part(scenario: Scenario) -> Scenario:
    """An eighth of a scenario that counts objects, in a bucket of its own: for clients that need a minute."""
    if scenario.by != "objects":
        return scenario
    fewer = tuple((max(1, number // PART), size) for number, size in scenario.groups)
    return replace(scenario, name=f"{scenario.name}-part", groups=fewer)


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as the server describes it; `crc` is the CRC64NVME as S3 writes it, in base64."""

    size: int
    crc: str
    modified: int

    @property
    def etag(self) -> str:
        """nginx's own: not an MD5, as under SSE-KMS (ngx_http_set_etag:
        modification time and size in hex)."""
        return f'"{self.modified:x}-{self.size:x}"'


def make(scenario: Scenario, root: Path) -> dict[str, Stored]:
    """Writes the objects below `root`; returns what was written, by key."""
    stored = {}
    for index, (key, size) in enumerate(scenario.sizes().items()):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for at, block in enumerate(_content(f"{scenario.name}/{index}", size)):
                if scenario.sparse and at % SPARSE:
                    file.seek(len(block), os.SEEK_CUR)
                else:
                    file.write(block)
            file.truncate(size)
        modified = FIRST_MODIFIED + index
        os.utime(path, (modified, modified))
        stored[key] = Stored(size, crc64nvme(path), modified)
    return stored


def crc64nvme(path: Path) -> str:
    """Of a whole file, as `x-amz-checksum-crc64nvme` has it."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            value = crt.crc64nvme(block, value)
    return base64.b64encode(value.to_bytes(8, "big")).decode()


def differences(expected: Mapping[str, Stored], destination: Path, most: int = 5) -> list[str]:
    """What is wrong with the tree that a client left: missing, foreign or different files, at most `most`."""
    return [problem for problem, _ in zip(_differences(expected, destination), range(most), strict=False)]


def _differences(expected: Mapping[str, Stored], destination: Path) -> Iterator[str]:
    missing = set(expected)
    for path in _files(destination):
        key = path.relative_to(destination).as_posix()
        if key not in expected:
            yield f"{key}: an unexpected file"
            continue
        missing.discard(key)
        size = path.lstat().st_size
        if path.is_symlink() or size != expected[key].size:
            yield f"{key}: {size} bytes instead of {expected[key].size}"
        elif crc64nvme(path) != expected[key].crc:
            yield f"{key}: other bytes than the server's"
    for key in sorted(missing):
        yield f"{key}: missing"


def _files(destination: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(destination):
        if Path(directory) == destination:
            names[:] = [name for name in names if name != JOURNAL_DIRECTORY]
        for name in files:
            yield Path(directory, name)


def _content(seed: str, size: int) -> Iterator[bytes]:
    generator = random.Random(seed)
    for start in range(0, size, BLOCK):
        yield generator.randbytes(min(BLOCK, size - start))
