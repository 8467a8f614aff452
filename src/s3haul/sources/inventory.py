"""One report of S3 Inventory as a list of objects: its manifest, its data files,
each checked before it is used.

    manifest.json    names the bucket, the form, the columns, and the data files with their MD5
    manifest.checksum   the MD5 of manifest.json
    data files       CSV behind gzip, Parquet or ORC

Data files are looked for in one place only: beside the manifest of a local report, or in the bucket of a
report in S3, below its own prefix. A report about another bucket is refused.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from s3haul.concurrency import in_thread
from s3haul.errors import SourceError
from s3haul.sources import inventory_rows
from s3haul.sources.rows import ObjectRow, Unread, chunked

LARGEST_MANIFEST = 64 << 20  # bytes
LARGEST_FILE = 1 << 40
MANIFEST, CHECKSUM = "manifest.json", "manifest.checksum"

_BLOCK = 1 << 20
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NAME = re.compile(r"[\w!.*'()+=@:,-]{1,200}", re.ASCII)
FORMS = ("CSV", "Parquet", "ORC")


class DataFile(NamedTuple):
    """One data file: its key in the bucket of the report, its bytes, and their MD5."""

    key: str
    size: int
    md5: str

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]


class Manifest(NamedTuple):
    """The content of a manifest. `columns` are those of CSV, in order;
    the other formats have names in their files."""

    form: str
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]


class ReportFiles(Protocol):
    """Access to the files of a report. All methods raise `SourceError`, or an error that ends the run."""

    name: str

    async def read(self, name: str, limit: int) -> bytes:
        """The content of `manifest.json` or `manifest.checksum`, which must have at most `limit` bytes."""
        ...

    def local(self, file: DataFile) -> AbstractAsyncContextManager[Path]:
        """The path of a data file on this machine, after its size and MD5 were checked."""
        ...


def refused(
    name: str, what: str, *, hint: str = "fetch the report again, or wait for the next one"
) -> SourceError:
    """The error for a report that cannot be used."""
    return SourceError(f"The inventory {name} is refused: {what}.", hint=hint, id="S3H-S3-24")


class Inventory:
    """A `RowSource` of one report."""

    def __init__(self, files: ReportFiles, bucket: str, prefix: str) -> None:
        self.unread = Unread()
        self.name = files.name
        self._files, self._bucket, self._prefix = files, bucket, prefix

    async def chunks(self) -> AsyncIterator[Sequence[ObjectRow]]:
        manifest = await self._read_manifest()
        for file in manifest.files:
            async with self._files.local(file) as path:
                found = inventory_rows.rows(path, manifest.form, manifest.columns, self._bucket, self.unread)
                following = chunked(row for row in found if row.key.startswith(self._prefix))
                try:
                    while chunk := await in_thread(None, following):
                        yield chunk
                except ValueError as error:
                    raise refused(self.name, f"{file.name}: {error}") from None

    async def _read_manifest(self) -> Manifest:
        manifest = await self._files.read(MANIFEST, LARGEST_MANIFEST)
        announced = (await self._files.read(CHECKSUM, 1000)).decode("ascii", "replace").strip().lower()
        if md5(manifest).hexdigest() != announced:
            raise refused(self.name, f"{MANIFEST} does not match {CHECKSUM}")
        try:
            return parse(manifest, self._bucket)
        except ValueError as error:
            raise refused(self.name, f"{MANIFEST}: {error}") from None


def md5(data: bytes = b"") -> Any:
    return hashlib.md5(data, usedforsecurity=False)


def parse(manifest: bytes, bucket: str) -> Manifest:
    """The content of a manifest. Raises ValueError if it is not a manifest of this bucket."""
    try:
        found = json.loads(manifest)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - all errors are ValueErrors
    if found.get("sourceBucket") != bucket:
        raise ValueError(f"it is of the bucket {str(found.get('sourceBucket'))[:80]!a}, not of {bucket}")
    form = found.get("fileFormat")
    if form not in FORMS:
        raise ValueError(f"{str(form)[:40]!a} is not a format that can be read: {', '.join(FORMS)}")
    columns = _columns(str(found.get("fileSchema"))) if form == "CSV" else ()
    files = found.get("files")
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        raise ValueError("it has no list of files")
    return Manifest(form, columns, tuple(_data_file(each) for each in files))


def _columns(schema: str) -> tuple[str, ...]:
    columns = tuple(inventory_rows.plain(name) for name in schema.split(","))
    if not {"bucket", "key"} <= set(columns):
        raise ValueError("its columns lack Bucket or Key")
    return columns


def _data_file(entry: dict[str, Any]) -> DataFile:
    key, size, checksum = entry.get("key"), entry.get("size"), entry.get("MD5checksum")
    if not isinstance(key, str) or not _NAME.fullmatch(key.rpartition("/")[2]) or ".." in key.split("/"):
        raise ValueError(f"{str(key)[:80]!a} is not the name of a data file")
    if type(size) is not int or not 0 <= size <= LARGEST_FILE:
        raise ValueError(f"{str(size)[:40]!a} is not the size of a data file")
    if not isinstance(checksum, str) or not _MD5.fullmatch(checksum):
        raise ValueError(f"{str(checksum)[:40]!a} is not an MD5")
    return DataFile(key, size, checksum)


class LocalReport:
    """The `ReportFiles` of a copy in a local directory; `manifest` is the path of manifest.json.

    S3 delivers .../DATE/manifest.json and .../data/NAME; a copy may have data/NAME or NAME
    beside the manifest, too.
    """

    def __init__(self, manifest: Path) -> None:
        self.name = str(manifest)
        self._manifest = manifest
        here = manifest.parent
        self._places = (here, here / "data", here.parent / "data")

    async def read(self, name: str, limit: int) -> bytes:
        path = self._manifest.with_name(CHECKSUM) if name == CHECKSUM else self._manifest
        return await in_thread(None, self._read, path, limit)

    def _read(self, path: Path, limit: int) -> bytes:
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise refused(
                self.name, f"{path.name}: {error.strerror}", hint="copy all of the report"
            ) from None
        if len(data) > limit:
            raise refused(self.name, f"{path.name} has more than {limit:,} bytes")
        return data

    @asynccontextmanager
    async def local(self, file: DataFile) -> AsyncIterator[Path]:
        yield await in_thread(None, self._checked, file)

    def _checked(self, file: DataFile) -> Path:
        found = [place / file.name for place in self._places if (place / file.name).is_file()]
        if not found:
            raise refused(self.name, f"there is no data file {file.name}", hint="copy all of the report")
        path, digest, size = found[0], md5(), 0
        with path.open("rb") as data:
            while block := data.read(_BLOCK):
                digest.update(block)
                size += len(block)
        if (size, digest.hexdigest()) != (file.size, file.md5):
            raise refused(self.name, f"{file.name} does not match the size and MD5 in its manifest")
        return path
