"""Checks the bucket in s3://...: a name, or the ARN of an access point. Pure.

Other stores allow names that AWS does not, so only names that cannot be part of a request are refused. ARNs: S3 User
Guide, "Referencing access points" and "Multi-Region Access Points".
"""

import re

from s3haul.errors import UsageError
from s3haul.policies.names import ACCOUNT, Arn
from s3haul.policies.partitions import partition_of_region, partitions

_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}", re.ASCII)
_POINT = re.compile(r"accesspoint[:/](?P<name>[A-Za-z0-9.-]{1,63})", re.ASCII)
_MULTI_REGION = re.compile(r"[a-z0-9]{1,50}\.mrap", re.ASCII)
_FORM = "arn:aws:s3:REGION:ACCOUNT-ID:accesspoint/NAME, or arn:aws:s3::ACCOUNT-ID:accesspoint/ALIAS.mrap"


def check_bucket(bucket: str) -> None:
    """Raise `UsageError` unless `bucket` is a name or a valid ARN."""
    if not bucket.lower().startswith("arn:"):
        if not _NAME.fullmatch(bucket):
            hint = "a name has letters, digits, hyphens and dots; for an access point give its full ARN"
            raise UsageError(f"{bucket!r} is not the name of a bucket", hint=hint)
        return
    defect = _defect(Arn.parse(bucket))
    if defect:
        raise UsageError(f"{bucket!r} is not the ARN of an access point: {defect}", hint=f"write {_FORM}")


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
        return ""
    return _defect_of_point(arn)


def _defect_of_point(arn: Arn) -> str:
    point = _POINT.fullmatch(arn.resource)
    if point is None:
        return f"{arn.resource!r} is not accesspoint/NAME"
    multi_region = _MULTI_REGION.fullmatch(point["name"]) is not None
    if arn.region and multi_region:
        return "the ARN of a multi-region access point has no region (two colons)"
    if not arn.region:
        return "" if multi_region else "its region is missing"
    partition = partition_of_region(arn.region)
    if partition is None:
        return f"there is no region {arn.region!r}"
    return "" if partition.name == arn.partition else f"{arn.region} is not in the partition {arn.partition}"
