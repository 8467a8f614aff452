"""The recipe's way into the embedded cloud: a profile with role and External ID in a directory of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3haul.demo import seed
from s3haul.demo.server import DemoServer

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
    for name in [name for name in os.environ if name.startswith("AWS_")]:
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
