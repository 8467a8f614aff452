"""Lists that s3haul wrote itself: the manifest of an earlier run, and the plan of a dry run. Both are JSON lines.

A plan begins with a line about the whole of it, and ends with one that counts its objects, so that half a plan is
not executed. A version in it is one that was asked for; that of a manifest only says what was fetched.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from s3haul.models import ObjectRef
from s3haul.sources import fields
from s3haul.sources.key_list import text_lines
from s3haul.sources.rows import ObjectRow, wrong

PLAN = 1  # the version of the form


def rows(file: BinaryIO, name: str) -> Iterator[ObjectRow]:
    """The objects of a manifest, whatever became of them."""
    for number, line in _objects(file, name):
        yield _row(line, f"{name}, line {number:,}", versions=False)


def plan_rows(file: BinaryIO, name: str, bucket: str, prefix: str) -> Iterator[ObjectRow]:
    """The objects of a plan. Raises `SourceError` unless it is one of this bucket and prefix, and whole."""
    found, end = 0, None
    for number, line in _objects(file, name):
        where = f"{name}, line {number:,}"
        if number == 1:
            _check_plan(line, where, bucket, prefix)
        elif end is not None:
            raise wrong(where, "the plan goes on behind its end")
        elif "end_of_plan" in line:
            end = line["end_of_plan"]
        else:
            found += 1
            yield _row(line, where, versions=True)
    if end != found:
        raise wrong(name, f"the plan is cut off: {found:,} objects, and no line that says so", hint=_AGAIN)


def plan_head(bucket: str, prefix: str) -> str:
    """The first line of a plan."""
    return json.dumps({"s3haul_plan": PLAN, "bucket": bucket, "prefix": prefix})


def plan_end(count: int) -> str:
    """The last line, behind so many objects."""
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
        raise wrong(where, f"this is no plan of version {PLAN}", hint=_AGAIN)
    if (head.get("bucket"), head.get("prefix")) != (bucket, prefix):
        planned = f"s3://{head.get('bucket')}/{head.get('prefix')}"
        raise wrong(where, f"the plan is one for {planned[:200]!a}", hint="give that as the source")


def _objects(file: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in text_lines(file, name):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise wrong(f"{name}, line {number:,}", "the line is no JSON object") from None
        if not isinstance(found, dict):
            raise wrong(f"{name}, line {number:,}", "the line is no JSON object")
        yield number, found


def _row(line: dict[str, Any], where: str, *, versions: bool) -> ObjectRow:
    try:
        modified = line.get("last_modified")
        return ObjectRow(
            fields.key(str(line.get("key") or ""), encoded=False),
            fields.word(line.get("version_id"), "version") if versions else "",
            fields.size(line.get("size")),
            fields.etag(line.get("etag")),
            float(modified) if isinstance(modified, int | float) else fields.moment(modified),
            fields.word(line.get("storage_class"), "storage class"),
        )
    except ValueError as error:
        raise wrong(where, str(error)) from None
