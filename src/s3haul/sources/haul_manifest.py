"""Lists that s3haul wrote itself: the manifest of an earlier run, and the plan of a dry run. Both are JSON lines.

The first line of a plan has its bucket and prefix. The last one has the number of its objects, so that an incomplete
plan is not executed. A plan requests the versions that it names; a manifest only says which versions were fetched.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from s3haul.models import ObjectRef
from s3haul.sources import fields
from s3haul.sources.key_list import text_lines
from s3haul.sources.rows import ObjectRow, list_error

PLAN = 1  # the version of the format


def rows(file: BinaryIO, name: str) -> Iterator[ObjectRow]:
    """The objects of a manifest, in any state."""
    for number, line in _objects(file, name):
        yield _row(line, f"{name}, line {number:,}", versions=False)


def plan_rows(file: BinaryIO, name: str, bucket: str, prefix: str) -> Iterator[ObjectRow]:
    """The objects of a plan. Raises `SourceError` if it is incomplete, or of another bucket or prefix."""
    found, end = 0, None
    for number, line in _objects(file, name):
        where = f"{name}, line {number:,}"
        if number == 1:
            _check_plan(line, where, bucket, prefix)
        elif end is not None:
            raise list_error(where, "the plan continues after its last line")
        elif "end_of_plan" in line:
            end = line["end_of_plan"]
        else:
            found += 1
            yield _row(line, where, versions=True)
    if end != found:
        raise list_error(
            name,
            f"the plan is incomplete: it has {found:,} objects, but its last line does not say so",
            hint=_AGAIN,
        )


def plan_head(bucket: str, prefix: str) -> str:
    """The first line of a plan."""
    return json.dumps({"s3haul_plan": PLAN, "bucket": bucket, "prefix": prefix})


def plan_end(count: int) -> str:
    """The last line, after so many objects."""
    return json.dumps({"end_of_plan": count})


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
        }
    )


_AGAIN = "write it again: s3haul cp SOURCE DEST --dryrun --save-plan FILE"


def _check_plan(head: dict[str, Any], where: str, bucket: str, prefix: str) -> None:
    if head.get("s3haul_plan") != PLAN:
        raise list_error(where, f"this is not a plan of version {PLAN}", hint=_AGAIN)
    if (head.get("bucket"), head.get("prefix")) != (bucket, prefix):
        planned = f"s3://{head.get('bucket')}/{head.get('prefix')}"
        raise list_error(where, f"the plan is for {planned[:200]!a}", hint="give that as the source")


def _objects(file: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in text_lines(file, name):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise list_error(f"{name}, line {number:,}", "the line is not a JSON object") from None
        if not isinstance(found, dict):
            raise list_error(f"{name}, line {number:,}", "the line is not a JSON object")
        yield number, found


def _row(line: dict[str, Any], where: str, *, versions: bool) -> ObjectRow:
    try:
        modified = line.get("last_modified")
        return ObjectRow(
            fields.key(str(line.get("key") or ""), encoded=False),
            fields.short_text(line.get("version_id"), "version") if versions else "",
            fields.size(line.get("size")),
            fields.etag(line.get("etag")),
            float(modified) if isinstance(modified, int | float) else fields.timestamp(modified),
            fields.short_text(line.get("storage_class"), "storage class"),
        )
    except ValueError as error:
        raise list_error(where, str(error)) from None
