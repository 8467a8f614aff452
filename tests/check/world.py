"""Two accounts in which one thing is wrong: the embedded cloud, the user's configuration, the command line.

Commands run in this process; nothing of the tester's own AWS configuration reaches them.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.demo_access import only_this_aws
from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.model import Policy, Role, User
from s3haul.demo.server import DemoServer

BUCKET_ARN = f"arn:aws:s3:::{seed.BUCKET}"
URL = f"s3://{seed.BUCKET}"
MFA = f"arn:aws:iam::{seed.ACCOUNT_B}:mfa/user-b"
SHOWN_ID = re.compile(r"\[(S3H-[A-Z0-9]+-\d{2})\]")

CONFIG = """\
[profile user-b]
region = {region}
aws_access_key_id = {key}
aws_secret_access_key = {secret}
{token}
[profile owner]
region = {region}
aws_access_key_id = {owner_key}
aws_secret_access_key = {owner_secret}
endpoint_url = {endpoint}
ca_bundle = {ca}

[profile export]
role_arn = {role}
{source}
{external_id}
{more}
region = {region}
endpoint_url = {endpoint}
ca_bundle = {ca}
"""


def new_cloud() -> Cloud:
    """The standard cloud with four plain objects and four under a Bucket Key."""
    cloud = seed.standard_cloud()
    for number in range(4):
        cloud.put(seed.BUCKET, f"data/{number}.bin", b"x" * (10 + number))
        cloud.put(seed.BUCKET, f"logs/{number}.log", b"y" * (10 + number), bucket_key=True)
    return cloud


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def shown(self) -> set[str]:
        """The ids in brackets: the rows that the command names."""
        return set(SHOWN_ID.findall(self.text))


@dataclass
class World:
    """What a scenario may change before the commands run."""

    server: DemoServer
    home: Path
    capsys: Any
    url: str = URL
    flags: list[str] = field(default_factory=lambda: ["--profile", "export"])
    environment: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def cloud(self) -> Cloud:
        return self.server.cloud

    @property
    def role(self) -> Role:
        return self.cloud.roles[seed.ROLE_ARN]

    @property
    def user(self) -> User:
        return self.cloud.users[seed.USER_B_KEY_ID]

    @property
    def statements(self) -> list[dict[str, Any]]:
        """The role's statements: list, read, decrypt."""
        return self.role.policies[0]["Statement"]

    @property
    def decrypt(self) -> dict[str, Any]:
        return self.statements[2]

    def configure(self, **values: str) -> None:
        self.values |= values

    def check(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON report of `s3haul check`; a refusal before it starts has no report."""
        ran = self.run("check", self.url, *self.flags, "--json", *arguments)
        return ran.code, json.loads(ran.out) if ran.out else {"findings": [], "said": ran.text}

    def copy(self, *arguments: str) -> Ran:
        return self.run("cp", self.url, str(self.home / "data"), *self.flags, *arguments)

    def run(self, *arguments: str) -> Ran:
        self._write()
        before = sys.argv
        sys.argv = ["s3haul", *arguments]  # where the order of filters is read
        try:
            with only_this_aws(**self._variables()):
                code = run(arguments)
        finally:
            sys.argv = before
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.err, captured.err
        assert seed.EXTERNAL_ID not in captured.out + captured.err
        return Ran(code, captured.out, captured.err)

    def _variables(self) -> dict[str, str]:
        files = {
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "none"),
        }
        return files | self.environment

    def _write(self) -> None:
        values = {
            "region": seed.REGION,
            "key": seed.USER_B_KEY_ID,
            "secret": seed.USER_B_SECRET,
            "token": "",
            "owner_key": seed.OWNER_KEY_ID,
            "owner_secret": seed.OWNER_SECRET,
            "role": seed.ROLE_ARN,
            "source": "source_profile = user-b",
            "external_id": f"external_id = {seed.EXTERNAL_ID}",
            "more": "",
            "endpoint": self.server.endpoint_url,
            "ca": self.server.ca_path or "",
        }
        text = CONFIG.format(**values | self.values)
        kept = [line for line in text.splitlines(keepends=True) if line.strip() != "ca_bundle ="]
        (self.home / "config").write_text("".join(kept))


def found(report: dict[str, Any], *levels: str) -> set[str]:
    """The ids of the findings, of these levels or of all that matter."""
    wanted = levels or ("error", "warning")
    return {one["id"] for one in report["findings"] if one["level"] in wanted}


def allow(action: str | list[str] = "*", resource: str = "*", **more: Any) -> Policy:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str, resource: str = "*", **more: Any) -> Policy:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


Setup = Callable[[World], None]
