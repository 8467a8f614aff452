"""Checks the source: the bucket in s3://... (a name, or the ARN of an access point), and its prefix. Pure.

Names in other stores do not follow AWS's rules, so a name is refused only if it cannot be part of a request,
or if AWS uses such names for something else than buckets of objects. ARNs: S3 User Guide, "Referencing access
points", "Multi-Region Access Points", and the guides of S3 on Outposts, Object Lambda and AWS Backup.
"""

import re
from typing import NamedTuple

from s3haul.errors import UsageError
from s3haul.options import SourceOptions
from s3haul.policies.names import ACCOUNT, Arn, partition_of_region, partitions

# s3://BUCKET or s3://BUCKET/KEY; the ARN of an access point may contain a slash.
BUCKET_URL = re.compile(
    r"s3://(?P<bucket>arn:[^/]+(?:(?<=outpost)/[^/]+)?[:/]accesspoint[:/][^/]+|[^/]+)(?:/(?P<key>.*))?",
    re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)
_POINT = re.compile(r"accesspoint[:/](?P<name>[A-Za-z0-9.-]{1,63})", re.ASCII)
_MULTI_REGION = re.compile(r"[a-z0-9]{1,50}\.mrap", re.ASCII)
_ON_OUTPOST = re.compile(r"outpost[:/]op-[a-z0-9]{1,63}[:/]accesspoint[:/][A-Za-z0-9-]{1,63}", re.ASCII)
_FORM = "arn:aws:s3:REGION:ACCOUNT-ID:accesspoint/NAME, or arn:aws:s3::ACCOUNT-ID:accesspoint/ALIAS.mrap"


class _Refused(NamedTuple):
    """Something that cannot be copied, although a request could name it; `hint` says what to do."""

    what: str
    hint: str


_DIRECTORY = _Refused(
    "Directory buckets (--x-s3) list their keys without order, which s3haul cannot resume yet.",
    "copy the objects to a general purpose bucket first",
)
_LAMBDA = _Refused(
    "An Object Lambda access point creates objects as they are read: they have no size, ETag or checksum to verify.",
    "name the access point or the bucket behind it",
)
_TABLES = _Refused(
    "A table bucket has tables, and no objects to list.", "export the table to a general purpose bucket"
)
_BY_SUFFIX = {
    "--x-s3": _DIRECTORY,
    "--xa-s3": _DIRECTORY,
    "--ol-s3": _LAMBDA,
    "--table-s3": _TABLES,
    ".mrap": _Refused(
        "A multi-region access point has to be named by its ARN.",
        "write s3://arn:aws:s3::ACCOUNT-ID:accesspoint/ALIAS.mrap/",
    ),
}
_BY_SERVICE = {
    "s3express": _DIRECTORY,
    "s3-object-lambda": _LAMBDA,
    "s3tables": _TABLES,
    "s3vectors": _Refused(
        "A vector bucket has vectors, and no objects to list.", "name a general purpose bucket"
    ),
    "backup": _Refused(
        "A backup is read through the access point of S3 that AWS Backup makes for it.",
        "aws backup describe-backup-access-point shows its S3AccessPointArn; write s3:// and that ARN",
    ),
    "fsx": _Refused(
        "A file system is read through an access point of S3 that is attached to one of its volumes.",
        "aws fsx describe-s3-access-point-attachments shows its ARN and alias; write s3:// and one of them",
    ),
}


def check_bucket(bucket: str) -> None:
    """Raise `UsageError` unless `bucket` is a name or a valid ARN."""
    if not bucket.lower().startswith("arn:"):
        _refuse(next((one for suffix, one in _BY_SUFFIX.items() if bucket.endswith(suffix)), None))
        if not _NAME.fullmatch(bucket):
            hint = "a name has letters, digits, hyphens and dots; for an access point give its full ARN"
            raise UsageError(f"{bucket!r} is not the name of a bucket", hint=hint)
        return
    arn = Arn.parse(bucket)
    if arn is not None:
        _refuse(_BY_SERVICE.get(arn.service))
    if arn is not None and (arn.service, arn.region, arn.account) == ("s3", "", ""):
        raise UsageError("A bucket is named without its ARN.", hint=f"write s3://{arn.resource}")
    defect = _defect(arn)
    if defect:
        raise UsageError(f"{bucket!r} is not the ARN of an access point: {defect}", hint=f"write {_FORM}")


def bucket_of(url: str) -> str:
    """The bucket in s3://...; "" if the text is no such URL."""
    match = BUCKET_URL.fullmatch(url)
    return match["bucket"] if match else ""


def _refuse(refused: _Refused | None) -> None:
    if refused is not None:
        raise UsageError(refused.what, hint=refused.hint)


def is_multi_region(bucket: str) -> bool:
    """Whether it is the ARN of a multi-region access point, whose requests need Signature Version 4A."""
    arn = Arn.parse(bucket)
    return arn is not None and arn.service == "s3" and not arn.region


def _defect(arn: Arn | None) -> str:
    """What is wrong with the ARN; "" for a valid one."""
    if arn is None:
        return "it does not have six fields, separated by colons"
    if arn.partition not in partitions():
        return f"there is no partition {arn.partition!r}"
    if not arn.service.startswith("s3"):
        return f"its service is {arn.service!r}"
    if not ACCOUNT.fullmatch(arn.account):
        return f"its account {arn.account!r} does not have 12 digits"
    if arn.service == "s3-outposts":
        sound = _ON_OUTPOST.fullmatch(arn.resource)
        return (
            _defect_of_region(arn)
            if sound
            else f"{arn.resource!r} is not outpost/OUTPOST-ID/accesspoint/NAME"
        )
    return _defect_of_point(arn)


def _defect_of_point(arn: Arn) -> str:
    point = _POINT.fullmatch(arn.resource)
    if point is None:
        return f"{arn.resource!r} is not accesspoint/NAME"
    multi_region = _MULTI_REGION.fullmatch(point["name"]) is not None
    if arn.region and multi_region:
        return "that of a multi-region access point has no region (two colons)"
    return "" if multi_region else _defect_of_region(arn)


def _defect_of_region(arn: Arn) -> str:
    if not arn.region:
        return "its region is missing"
    partition = partition_of_region(arn.region)
    if partition is None:
        return f"there is no region {arn.region!r}"
    return "" if partition.name == arn.partition else f"{arn.region} is not in the partition {arn.partition}"


def check_source(source: SourceOptions) -> None:
    """Raise `UsageError` for a source that cannot be copied."""
    check_bucket(source.bucket)
    if source.recursive and source.prefix and not source.prefix.endswith("/"):
        raise UsageError(
            f"the prefix {source.prefix!r} does not end in /, but the source is recursive",
            hint=f"{source.prefix + '/'!r} is everything below it; for the one object, set recursive=False",
        )
    if not source.recursive and not source.prefix:
        raise UsageError("the source names no object", hint="set a prefix, or recursive=True for the bucket")
