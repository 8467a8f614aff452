"""Asks the foreign servers with plain botocore clients, for the tests of the servers themselves."""

import pytest
from botocore.exceptions import ClientError


def refusal(call, **arguments) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def body_of(s3, bucket: str, key: str, **arguments) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def listed(s3, bucket: str, *, page_size: int = 1000) -> list[str]:
    """All keys as they come, over at most 100 pages."""
    keys: list[str] = []
    more = {}
    for _ in range(100):
        page = s3.list_objects_v2(Bucket=bucket, MaxKeys=page_size, **more)
        keys += [entry["Key"] for entry in page.get("Contents", [])]
        if not page["IsTruncated"]:
            return keys
        more = {"ContinuationToken": page["NextContinuationToken"]}
    raise AssertionError("the listing does not end")
