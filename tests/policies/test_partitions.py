"""Partitions and regions are those of botocore's data, and every command knows them."""

import pytest
from botocore.loaders import Loader

from s3haul.errors import UsageError
from s3haul.policies.names import (
    check_key_arn,
    check_region,
    check_role_arn,
    partition_of_region,
    partitions,
    region_in_host,
    via_service,
)

DATA = Loader().load_data("partitions")


def test_every_partition_and_region_of_botocore_is_known():
    assert list(partitions()) == [one["id"] for one in DATA["partitions"]]
    for one in DATA["partitions"]:
        for region in one["regions"]:
            if not region.endswith("-global"):
                assert partition_of_region(region).name == one["id"]
                assert region in partitions()[one["id"]].regions
                check_region(region)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eusc-de-east-1", "aws-eusc"),
        ("eusc-de-west-7", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-west-1", "aws-iso-b"),
        ("us-gov-east-1", "aws-us-gov"),
        ("cn-north-9", "aws-cn"),
        ("eu-west-99", "aws"),
    ],
)
def test_an_unknown_region_belongs_to_the_partition_of_its_name(region, partition):
    assert partition_of_region(region).name == partition
    check_key_arn(f"arn:{partition}:kms:{region}:111111111111:key/k")
    check_role_arn(f"arn:{partition}:iam::111111111111:role/r")


def test_an_unknown_partition_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="aws-eusc"):
        check_role_arn("arn:aws-mars:iam::111111111111:role/r")
    with pytest.raises(UsageError, match="partition"):
        check_key_arn("arn:aws:kms:eusc-de-east-1:111111111111:key/k")
    assert partition_of_region("moon-1") is None


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bucket.s3.eu-west-3.amazonaws.com", "eu-west-3"),
        ("bucket.s3-us-west-2.amazonaws.com", "us-west-2"),
        ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("a.b.s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("bucket.s3.dualstack.us-east-2.amazonaws.com", "us-east-2"),
        ("bucket.s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3.amazonaws.com", ""),
        ("s3.eu-west-3.amazonaws.com.evil.example", ""),
        ("s3.eu-west-3.evil.example", ""),
        ("", ""),
    ],
)
def test_the_region_is_read_from_hosts_of_aws_only(host, region):
    assert region_in_host(host) == region


def test_kms_is_asked_through_s3_of_the_partition():
    assert via_service("eu-west-1") == ["s3.eu-west-1.amazonaws.com"]
    assert via_service("eusc-de-east-1") == [
        "s3.eusc-de-east-1.amazonaws.com",
        "s3.eusc-de-east-1.amazonaws.eu",
    ]
