"""Other ways to write a bucket, and the source that s3haul suggests."""

import pytest

from s3haul.cli.app import run
from s3haul.cli.parsing import suggestion


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("s3:/bucket", ["s3://bucket"]),
        ("s3:bucket/a", ["s3://bucket/a"]),
        ("S3://bucket/A", ["s3://bucket/A"]),
        ("s3a://bucket/a", ["s3://bucket/a"]),
        ("bucket", ["s3://bucket"]),
        ("bucket/a b", ["s3://bucket/a b"]),
        ("remote:bucket/a", ["s3://bucket/a"]),
        ("arn:aws:s3:::bucket", ["s3://bucket"]),
        ("arn:aws-cn:s3:::bucket/a/*", ["s3://bucket/a/"]),
        ("https://bucket.s3.amazonaws.com/a%20b", ["s3://bucket/a b"]),
        ("https://bucket.s3.eu-central-1.amazonaws.com", ["s3://bucket"]),
        ("https://my.s3.bucket.s3-us-west-2.amazonaws.com/a", ["s3://my.s3.bucket/a"]),
        ("https://s3.eu-central-1.amazonaws.com/bucket/a", ["s3://bucket/a"]),
        ("https://s3.cn-north-1.amazonaws.com.cn/bucket/a", ["s3://bucket/a"]),
        ("https://s3.console.aws.amazon.com/s3/buckets/bucket?prefix=a/&region=x", ["s3://bucket/a/"]),
        ("https://eu-central-1.console.aws.amazon.com/s3/object/bucket?prefix=a/b", ["s3://bucket/a/b"]),
        ("https://user:word@minio.example:9000/bucket/a",
         ["s3://bucket/a", "--endpoint-url", "https://minio.example:9000"]),
        ("https://example.com", []),
        ("./data", []),
        ("/data", []),
        ("~/data", []),
        ("", []),
        ("s3://", []),
    ],
)  # fmt: skip
def test_other_spellings_of_a_bucket_are_recognised(word, words):
    assert suggestion(word) == words


def test_the_error_suggests_the_right_spelling(capsys):
    assert run(["cp", "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=secret", "."]) == 2
    said = capsys.readouterr().err
    assert "did you mean: s3://bucket/a\n" in said
    assert "secret" not in said
    assert run(["cp", "my bucket", "."]) == 2
    assert "write s3://BUCKET" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["cp", "check"])
def test_swapped_arguments_are_recognised(capsys, command):
    assert run([command, "./my data", "s3://bucket/a"]) == 2
    assert "s3haul only downloads: s3haul cp s3://bucket/a './my data'" in capsys.readouterr().err
