"""Invalid arguments are refused before anything is opened."""

import os

import pytest

from s3haul.cli.parsing import parse_destination, parse_source
from s3haul.errors import UsageError

ONE = parse_source("s3://b/k", recursive=False)


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


@pytest.mark.parametrize("dest", ["/dev/null", "/dev/stdout"])
def test_a_device_is_refused_as_destination(dest):
    with pytest.raises(UsageError, match="not a directory or file"):
        parse_destination(dest, ONE, force=False)


def test_a_fifo_is_refused_as_destination(fifo):
    with pytest.raises(UsageError, match="not a directory or file"):
        parse_destination(fifo, ONE, force=False)


@pytest.mark.parametrize("dest", ["s3://b/x", "S3://b/x", "file:///data", "gs://b/x", "svn+ssh://host/x"])
def test_a_url_is_refused_as_destination(dest):
    with pytest.raises(UsageError, match="local path, not a URL"):
        parse_destination(dest, ONE, force=False)


@pytest.mark.parametrize("dest", ["host:/data", "C:/data", "/gs://b/", "a b://c", "://x"])
def test_a_path_that_is_no_url_is_a_destination(dest):
    assert str(parse_destination(dest, ONE, force=False).root / "x").startswith(dest.partition(":")[0])


def test_a_directory_may_have_the_name_of_a_device(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_destination("./-/", ONE, force=False).root.name == "-"


@pytest.mark.parametrize(
    "url",
    [
        "s3://arn:aws:s3:us-east-1:111111111111:acesspoint/door/key",
        "s3://arn:aws:s3:us-east-1:1111:accesspoint/door/key",
        "s3://arn:aws:s3::111111111111:accesspoint/door/key",
        "s3://two words/key",
        "s3://b\n/key",
    ],
)
def test_a_typo_in_a_bucket_or_access_point_is_refused_before_any_request(url):
    with pytest.raises(UsageError):
        parse_source(url, recursive=False)


def test_the_key_begins_after_the_arn():
    source = parse_source("s3://arn:aws:s3:us-east-1:111111111111:accesspoint/door/a/key", recursive=False)
    assert source.bucket == "arn:aws:s3:us-east-1:111111111111:accesspoint/door"
    assert source.prefix == "a/key"
