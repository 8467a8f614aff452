"""The bytes of a scenario: written once below the server's root, checked in every client's destination.

The content is random but the same in every run, and differs between objects and between blocks of one
object, so a body that lands under another name or at another offset is found.
"""

import base64
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from awscrt import checksums as crt

from scenarios import Scenario

BLOCK = 1 << 20
SPARSE = 16  # blocks, of which one holds anything
FIRST_MODIFIED = 1_700_000_000
JOURNAL_DIRECTORY = ".s3haul"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as the server tells of it; `crc` is the CRC64NVME as S3 writes it, in base64."""

    size: int
    crc: str
    modified: int

    @property
    def etag(self) -> str:
        """nginx's own: not an MD5, as under SSE-KMS (ngx_http_set_etag: modification time and size in hex)."""
        return f'"{self.modified:x}-{self.size:x}"'


def make(scenario: Scenario, root: Path) -> dict[str, Stored]:
    """Writes the objects below `root` and tells what was written, by key."""
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
            yield f"{key}: a file that nobody asked for"
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
