"""One report of S3 Inventory as a list of objects: its manifest, its data files, each checked before it is believed.

    manifest.json    names the bucket, the form, the columns, and the data files with their MD5
    manifest.checksum   the MD5 of manifest.json
    data files       CSV behind gzip, Parquet or ORC

Nothing that a report names is followed out of its place: a local report has its data files beside its manifest, one in
S3 in its own bucket, below its own prefix. What a report says of another bucket is refused.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from s3haul.errors import SourceError
from s3haul.sources import inventory_rows
from s3haul.sources.reading import Unread, chunked
from s3haul.sources.rows import ObjectRow
from s3haul.threads import in_thread

LARGEST_MANIFEST = 64 << 20  # bytes
LARGEST_FILE = 1 << 40
MANIFEST, CHECKSUM = "manifest.json", "manifest.checksum"
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


class Report(NamedTuple):
    """What a manifest says. `columns` are those of CSV, in order; the other forms name their own."""

    form: str
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]


class ReportFiles(Protocol):
    """Where a report lies. All methods raise `SourceError`, or what ends the run."""

    name: str

    async def read(self, name: str, limit: int) -> bytes:
        """`manifest.json` or `manifest.checksum`, if it has at most `limit` bytes."""
        ...

    def local(self, file: DataFile) -> AbstractAsyncContextManager[Path]:
        """A data file as a file on this machine, with the size and the MD5 that the manifest gives."""
        ...


def refused(
    name: str, what: str, *, hint: str = "fetch the report again, or wait for the next one"
) -> SourceError:
    """A report that cannot be used."""
    return SourceError(f"The inventory {name} is refused: {what}.", hint=hint, id="S3H-S3-24")


class Inventory:
    """A `reading.RowSource`."""

    def __init__(self, files: ReportFiles, bucket: str, prefix: str) -> None:
        self.unread = Unread()
        self.name = files.name
        self._files, self._bucket, self._prefix = files, bucket, prefix

    async def chunks(self) -> AsyncIterator[Sequence[ObjectRow]]:
        report = await self._report()
        for file in report.files:
            async with self._files.local(file) as path:
                found = inventory_rows.rows(path, report.form, report.columns, self._bucket, self.unread)
                following = chunked(row for row in found if row.key.startswith(self._prefix))
                try:
                    while chunk := await in_thread(None, following):
                        yield chunk
                except ValueError as error:
                    raise refused(self.name, f"{file.name}: {error}") from None

    async def _report(self) -> Report:
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


def parse(manifest: bytes, bucket: str) -> Report:
    """Raises ValueError for what is no manifest of a report of this bucket."""
    try:
        said = json.loads(manifest)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - all that is wrong with it is a ValueError
    if said.get("sourceBucket") != bucket:
        raise ValueError(f"it is of the bucket {str(said.get('sourceBucket'))[:80]!a}, not of {bucket}")
    form = said.get("fileFormat")
    if form not in FORMS:
        raise ValueError(f"{str(form)[:40]!a} is no form that can be read: {', '.join(FORMS)}")
    columns = _columns(str(said.get("fileSchema"))) if form == "CSV" else ()
    files = said.get("files")
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        raise ValueError("it has no list of files")
    return Report(form, columns, tuple(_data_file(each) for each in files))


def _columns(schema: str) -> tuple[str, ...]:
    columns = tuple(inventory_rows.plain(name) for name in schema.split(","))
    if not {"bucket", "key"} <= set(columns):
        raise ValueError("its columns lack Bucket or Key")
    return columns


def _data_file(said: dict[str, Any]) -> DataFile:
    key, size, checksum = said.get("key"), said.get("size"), said.get("MD5checksum")
    if not isinstance(key, str) or not _NAME.fullmatch(key.rpartition("/")[2]) or ".." in key.split("/"):
        raise ValueError(f"{str(key)[:80]!a} is no name of a data file")
    if type(size) is not int or not 0 <= size <= LARGEST_FILE:
        raise ValueError(f"{str(size)[:40]!a} is no size of a data file")
    if not isinstance(checksum, str) or not _MD5.fullmatch(checksum):
        raise ValueError(f"{str(checksum)[:40]!a} is no MD5")
    return DataFile(key, size, checksum)
