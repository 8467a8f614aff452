"""The recipe's way into the embedded cloud: a profile with role and External ID in a directory of its own."""

import os
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from contract.loading import loaded
from s3haul.aws.session import OpenStore, open_store
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.errors import S3HaulError
from s3haul.events import Warned
from s3haul.options import AccessOptions, RoleOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import GetRequest
from surroundings import aws_variables

CONFIG = """
[profile user-b]
region = {region}
aws_access_key_id = {key}
aws_secret_access_key = {secret}

[profile export]
role_arn = {role}
source_profile = user-b
external_id = {external_id}
region = {region}
endpoint_url = {endpoint}
ca_bundle = {ca}
{signature}
"""


@contextmanager
def only_this_aws(**variables: str) -> Iterator[None]:
    """The environment with these AWS variables and no others, and without instance metadata."""
    kept = os.environ.copy()
    for name in aws_variables():
        del os.environ[name]
    os.environ.update(variables, AWS_EC2_METADATA_DISABLED="true")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextmanager
def demo_profile(server: DemoServer, directory: Path, **changes: str) -> Iterator[Path]:
    """The profile `export` in effect, as the recipe writes it; `changes` replace values of the template."""
    values = {
        "region": seed.REGION,
        "key": seed.USER_B_KEY_ID,
        "secret": seed.USER_B_SECRET,
        "role": seed.ROLE_ARN,
        "external_id": seed.EXTERNAL_ID,
        "endpoint": server.endpoint_url,
        "ca": str(server.ca_path or ""),
        "signature": "s3 =\n    signature_version = s3v4",
    }
    config = directory / "config"
    config.write_text(CONFIG.format(**values | changes))
    with only_this_aws(AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(directory / "none")):
        yield config


class Entry:
    """Opens stores of the demo's bucket and keeps what the access layer told."""

    def __init__(self, server, directory):
        self.server = server
        self.directory = directory
        self.events = []

    @asynccontextmanager
    async def open(self, access=None, *, bucket=seed.BUCKET, ask_mfa=None, owner=None, **profile):
        source = SourceOptions(bucket=bucket, expected_bucket_owner=owner)
        more = {"ask_mfa": ask_mfa} if ask_mfa else {}
        with demo_profile(self.server, self.directory, **profile):
            opening = open_store(
                access or AccessOptions(profile="export"),
                source,
                TransferOptions(),
                on_event=self.events.append,
                **more,
            )
            async with opening as opened:
                yield opened

    async def refused(self, *arguments, **options) -> S3HaulError:
        with pytest.raises(S3HaulError) as caught:
            async with self.open(*arguments, **options):
                pass
        return caught.value

    @property
    def warnings(self):
        return [event for event in self.events if isinstance(event, Warned)]


async def read(opened: OpenStore, key="a") -> bytes:
    async with loaded(opened.store, GetRequest(key)) as body:
        return body.body


def role_options(**changes) -> RoleOptions:
    return RoleOptions(**{"role_arn": seed.ROLE_ARN, "external_id": seed.EXTERNAL_ID, **changes})


def endpoints(server) -> dict[str, str]:
    return {
        "endpoint_url": server.endpoint_url,
        "sts_endpoint_url": server.endpoint_url,
        "ca_bundle": server.ca_path,
    }
