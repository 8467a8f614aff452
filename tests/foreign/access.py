"""The user's way into the foreign servers: an AWS configuration in a directory of its own, in effect.

Whatever runs inside, in this process or a child, sees the profile `export` and no other AWS setting.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.demo_access import CONFIG, only_this_aws
from foreign.clients import Credentials
from foreign.ministack_server import MiniStack
from foreign.moto_server import Moto
from foreign.seaweedfs_server import SeaweedFS

STATIC = """
[profile export]
region = {region}
endpoint_url = {endpoint}
ca_bundle = {ca}
aws_access_key_id = {key}
aws_secret_access_key = {secret}
"""


@contextmanager
def role_profile(server: MiniStack | Moto, directory: Path, **changes: str) -> Iterator[Path]:
    """The user assumes the role (of account A; moto has one account only) with the External ID,
    as the recipe writes it.

    `changes` replace values of `contract.demo_access.CONFIG`.
    """
    values = {
        "region": server.region,
        "key": server.caller.access_key,
        "secret": server.caller.secret_key,
        "role": server.role_arn,
        "external_id": server.external_id,
        "endpoint": server.endpoint,
        "ca": str(server.ca_bundle),
        "signature": "s3 =\n    signature_version = s3v4",
    }
    with _in_effect(CONFIG.format(**values | changes), directory) as config:
        yield config


@contextmanager
def keys_profile(server: SeaweedFS, directory: Path, keys: Credentials) -> Iterator[Path]:
    """Static or session `keys` in the profile itself."""
    text = STATIC.format(
        region=server.region,
        endpoint=server.endpoint,
        ca=server.ca_bundle,
        key=keys.access_key,
        secret=keys.secret_key,
    )
    if keys.token is not None:
        text += f"aws_session_token = {keys.token}\n"
    with _in_effect(text, directory) as config:
        yield config


@contextmanager
def _in_effect(text: str, directory: Path) -> Iterator[Path]:
    config = directory / "config"
    config.write_text(text)
    with only_this_aws(AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(directory / "none")):
        yield config
