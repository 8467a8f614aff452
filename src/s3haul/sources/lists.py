"""Lists in one local file: keys that people and programs write,
and what s3haul and S3 Batch Operations wrote.

keys           one a line
csv            what S3 Batch Operations takes as a manifest: bucket, key and perhaps version
batch-report   the completion report of S3 Batch Operations: Bucket, Key, VersionId, TaskStatus, ErrorCode,
               HTTPStatusCode, ResultMessage, without a heading; keys are encoded. Objects whose task failed
               (a restore that was refused, say) are counted and left out
manifest       of an earlier run of s3haul, as JSON lines. It only says which versions were fetched
plan           of a dry run. It requests the versions that it names. The first line has its bucket and prefix,
               the last one the number of its objects, so that an incomplete plan is not executed
"""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from s3haul.concurrency import in_thread
from s3haul.errors import SourceError
from s3haul.models import ObjectRef
from s3haul.options import ListForm, ObjectList
from s3haul.sources import rows
from s3haul.sources.rows import ObjectRow, Unread

LONGEST_LINE = 64 << 10  # bytes
PLAN = 1  # the version of the format
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # with which some editors begin a UTF-8 file
_REPORT_COLUMNS = 7
_PLAN_AGAIN = "write it again: the same command, with --dryrun --save-plan instead of --plan"


class ListFile:
    """A `RowSource` of one local file."""

    def __init__(self, objects: ObjectList, bucket: str, prefix: str) -> None:
        self.unread = Unread()
        self.name = objects.name or objects.location
        self._objects, self._bucket, self._prefix = objects, bucket, prefix

    async def chunks(self) -> AsyncIterator[Sequence[ObjectRow]]:
        try:
            file: BinaryIO = await in_thread(None, open, self._objects.location, "rb")
        except OSError as error:
            raise SourceError(
                f"Cannot read {self.name}: {error.strerror}.", hint="check the name", id="S3H-S3-23"
            ) from None
        with file:
            following = rows.chunked(self._below_prefix(file))
            while chunk := await in_thread(None, following):
                yield chunk

    def _below_prefix(self, file: BinaryIO) -> Iterator[ObjectRow]:
        for row in self.read(file):
            if row.key.startswith(self._prefix):
                yield row
            else:
                self.unread.outside += 1

    def read(self, file: BinaryIO) -> Iterator[ObjectRow]:
        """All rows of the file. Raises `SourceError` with the number of the line,
        unless the file is empty."""
        lines = Lines(file)
        try:
            yield from self._parsed(lines)
        except ValueError as error:
            hint = _PLAN_AGAIN if self._objects.form is ListForm.PLAN else None
            where = f", line {lines.number:,}" if lines.number else ""
            raise rows.list_error(f"{self.name}{where}", str(error), hint=hint) from None

    def _parsed(self, lines: "Lines") -> Iterator[ObjectRow]:
        encoded = self._objects.encoded
        match self._objects.form:
            case ListForm.KEYS:
                return _key_rows(lines, self._bucket, self.unread, encoded=bool(encoded))
            case ListForm.CSV:
                return _csv_rows(lines, self._bucket, encoded=encoded is not False)
            case ListForm.BATCH_REPORT:
                return _report_rows(lines, self._bucket, self.unread)
            case ListForm.MANIFEST:
                return (_object_row(line, versions=False) for line in _objects(lines))
            case ListForm.PLAN:
                return _plan_rows(lines, self.name, self._bucket, self._prefix)
            case ListForm.INVENTORY:
                raise AssertionError("an inventory has several files")


class Lines:
    """The lines of a file, with their line ends; `number` is that of the last one. Raises ValueError for a
    line that is too long or not UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LONGEST_LINE + 1):
            self.number += 1
            if len(line) > LONGEST_LINE:
                raise ValueError(f"the line is longer than {LONGEST_LINE:,} bytes")
            if self.number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            try:
                yield line.decode()
            except UnicodeDecodeError:
                raise ValueError("the line is not UTF-8 text") from None


def csv_cells(lines: Iterable[str]) -> Iterator[list[str]]:
    """The rows that are not empty. Raises ValueError."""
    try:
        yield from filter(None, csv.reader(lines, strict=True))
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def _key_rows(lines: Iterable[str], bucket: str, unread: Unread, *, encoded: bool) -> Iterator[ObjectRow]:
    for line in lines:
        text = line.removesuffix("\n").removesuffix("\r")
        if text.startswith(f"s3://{bucket}/"):
            text = text.removeprefix(f"s3://{bucket}/")
            unread.as_urls += 1
        elif text.startswith("s3://"):
            raise ValueError(f"{text[:80]!a} is a URL of another bucket, and a line is a key of {bucket}")
        elif not text:
            continue
        yield ObjectRow(rows.parse_key(text, encoded=encoded))


def _csv_rows(lines: Iterable[str], bucket: str, *, encoded: bool) -> Iterator[ObjectRow]:
    for cells in csv_cells(lines):
        if len(cells) not in {2, 3}:
            raise ValueError(f"it has {len(cells)} columns, not bucket,key or bucket,key,version")
        rows.check_bucket(cells[0], bucket)
        version = rows.short_text(cells[2], "version") if len(cells) > 2 else ""
        yield ObjectRow(rows.parse_key(cells[1], encoded=encoded), version)


def _report_rows(lines: Iterable[str], bucket: str, unread: Unread) -> Iterator[ObjectRow]:
    for cells in csv_cells(lines):
        status = cells[3].lower() if len(cells) == _REPORT_COLUMNS else ""
        if status not in {"succeeded", "failed"}:
            raise ValueError(
                f"this is not a line of a report: those have {_REPORT_COLUMNS} columns, the 4th is succeeded or failed"
            )
        rows.check_bucket(cells[0], bucket)
        row = ObjectRow(rows.parse_key(cells[1], encoded=True), rows.short_text(cells[2], "version"))
        if status == "succeeded":
            yield row
        else:
            unread.failed_tasks += 1


def plan_head(bucket: str, prefix: str) -> str:
    """The first line of a plan."""
    return json.dumps({"s3haul_plan": PLAN, "bucket": bucket, "prefix": prefix})


def plan_line(ref: ObjectRef) -> str:
    """One object of a plan."""
    return json.dumps(
        {
            "key": ref.key,
            "version_id": ref.version_id,
            "size": ref.size,
            "etag": ref.etag,
            "last_modified": ref.last_modified,
            "storage_class": ref.storage_class,
            "checksum_type": ref.checksum_type,
        }
    )


def plan_end(count: int) -> str:
    """The last line, after so many objects."""
    return json.dumps({"end_of_plan": count})


def _plan_rows(lines: Iterable[str], name: str, bucket: str, prefix: str) -> Iterator[ObjectRow]:
    count, end = 0, None
    objects = _objects(lines)
    head = next(objects, None)
    if head is None:
        raise ValueError("the plan is incomplete: it is empty")
    if head.get("s3haul_plan") != PLAN:
        raise ValueError(f"this is not a plan of version {PLAN}")
    if (head.get("bucket"), head.get("prefix")) != (bucket, prefix):
        planned = f"s3://{head.get('bucket')}/{head.get('prefix')}"
        raise rows.list_error(name, f"the plan is for {planned[:200]!a}", hint="give that as the source")
    for line in objects:
        if end is not None:
            raise ValueError("the plan continues after its last line")
        if "end_of_plan" in line:
            end = line["end_of_plan"]
        else:
            count += 1
            yield _object_row(line, versions=True)
    if end != count:
        raise ValueError(
            f"the plan is incomplete: it has {count:,} objects, but its last line does not say so"
        )


def _objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ValueError("the line is not a JSON object")  # noqa: TRY004 - all errors are ValueErrors
        yield found


def _object_row(line: dict[str, Any], *, versions: bool) -> ObjectRow:
    checksum = line.get("checksum")  # of a manifest; a plan has only the type
    checksum_type = checksum.get("type") if isinstance(checksum, dict) else line.get("checksum_type")
    return ObjectRow(
        rows.parse_key(str(line.get("key") or ""), encoded=False),
        rows.short_text(line.get("version_id"), "version") if versions else "",
        rows.parse_size(line.get("size")),
        rows.parse_etag(line.get("etag")),
        rows.parse_time(line.get("last_modified")),
        rows.short_text(line.get("storage_class"), "storage class"),
        rows.short_text(checksum_type, "checksum type"),
    )
