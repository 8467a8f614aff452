"""What can stand for a bucket and cannot be copied is refused at once, with what can be done instead."""

import pytest

from s3haul.cli.parsing import parse_source
from s3haul.errors import UsageError

ACCOUNT = "111111111111"


@pytest.mark.parametrize(
    ("bucket", "what", "hint"),
    [
        ("b--use1-az4--x-s3", "Directory buckets", "general purpose"),
        ("door-use1-az4--xa-s3", "Directory buckets", "general purpose"),
        (
            f"arn:aws:s3express:us-east-1:{ACCOUNT}:bucket/b--use1-az4--x-s3",
            "Directory buckets",
            "general purpose",
        ),
        (
            f"arn:aws:s3express:us-east-1:{ACCOUNT}:accesspoint/d--use1-az4--xa-s3",
            "Directory buckets",
            "general",
        ),
        (f"arn:aws:s3-object-lambda:us-east-1:{ACCOUNT}:accesspoint/door", "Object Lambda", "behind it"),
        ("door-x1y2z3--ol-s3", "Object Lambda", "behind it"),
        (f"arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/t", "table bucket", "export"),
        ("63a8e430-6e0b-46f5-k833abtwr6s8tmtsycedn8s4yc3xhuse1b--table-s3", "table bucket", "export"),
        (f"arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/v", "vector bucket", "general purpose"),
        (f"arn:aws:backup:us-east-1:{ACCOUNT}:accesspoint/b", "backup", "describe-backup-access-point"),
        (f"arn:aws:fsx:us-east-1:{ACCOUNT}:volume/fs-1/fsvol-1", "file system", "access-point-attachments"),
        ("mfzwi23gnjvgw.mrap", "multi-region", "accesspoint/ALIAS.mrap"),
        ("arn:aws:s3:::plain", "without its ARN", "s3://plain"),
    ],
)
def test_a_bucket_type_without_readable_objects_is_refused_with_an_alternative(bucket, what, hint):
    with pytest.raises(UsageError, match=what) as caught:
        parse_source(f"s3://{bucket}", recursive=False)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        (f"arn:aws:s3-outposts:us-east-1:{ACCOUNT}:outpost/op-1", "outpost/OUTPOST-ID/accesspoint/NAME"),
        (f"arn:aws:s3-outposts:us-east-1:{ACCOUNT}:outposts/op-1/accesspoint/door", "OUTPOST-ID"),
        (f"arn:aws:s3-outposts::{ACCOUNT}:outpost/op-1/accesspoint/door", "region is missing"),
        (f"arn:aws:s3-outposts:cn-north-1:{ACCOUNT}:outpost/op-1/accesspoint/door", "partition"),
        ("arn:aws:s3-outposts:us-east-1:1:outpost/op-1/accesspoint/door", "12 digits"),
    ],
)
def test_a_typo_in_the_access_point_of_an_outpost_is_refused_at_once(bucket, words):
    with pytest.raises(UsageError, match=words):
        parse_source(f"s3://{bucket}", recursive=False)


@pytest.mark.parametrize(
    "bucket",
    [
        f"arn:aws:s3-outposts:us-east-1:{ACCOUNT}:outpost/op-1/accesspoint/door",
        f"arn:aws:s3-outposts:us-east-1:{ACCOUNT}:outpost:op-1:accesspoint:door",
        f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/backup",
        "door-o01ac5d28a6a232904a0e6b5a4e3f0a1b2a--op-s3",
        "vol-x1y2z3-ext-s3alias",
        f"account-regional-{ACCOUNT}-us-east-1-an",
    ],
)
def test_the_key_begins_after_the_bucket_in_every_form(bucket):
    source = parse_source(f"s3://{bucket}/a/accesspoint/key", recursive=False)
    assert (source.bucket, source.prefix) == (bucket, "a/accesspoint/key")
