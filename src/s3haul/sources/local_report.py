"""An inventory report that lies in a directory: a copy of what S3 delivers, in the same order or flat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from s3haul.sources.inventory import CHECKSUM, DataFile, md5, refused
from s3haul.threads import in_thread

_BLOCK = 1 << 20


class LocalReport:
    """`inventory.ReportFiles`; `manifest` is the path of manifest.json.

    S3 delivers .../DATE/manifest.json and .../data/NAME; a copy may have data/NAME or NAME beside the manifest, too.
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
