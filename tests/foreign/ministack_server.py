"""ministack: the server that judges who may do what.

Accounts, AssumeRole with an External ID, sessions that expire, every odd key. It does not encrypt, and it
has no FULL_OBJECT checksums for multipart uploads.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from foreign.clients import Credentials
from foreign.installed import installed
from foreign.process import ServerProcess, request
from foreign.servers import MINISTACK, ForeignServer, allow, plain_environment

LAUNCHER = Path(__file__).with_name("ministack_launcher.py")


class MiniStack(ForeignServer):
    """Account A owns bucket, key and role; `caller` is a user of account B who may assume the role.

    An access key that is an account's number is that account's root, whose secret is not checked.
    """

    name = "ministack"
    account_a = "111111111111"
    account_b = "222222222222"
    external_id = "haul-7f3c1e"

    def _start(self, stack: ExitStack) -> int:
        python = installed(self.name, MINISTACK) / "python"
        self._root_secret = secrets.token_hex(20)
        self.owner = Credentials(self.account_a, self._root_secret)
        environment = {
            **plain_environment(self.directory),
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": self._root_secret,
            "BIND_HOST": "127.0.0.1",
            "DOCKER_HOST": "unix:///nonexistent.sock",
            "GATEWAY_PORT": "0",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_SSL_CERT": str(self.certificate),
            "MINISTACK_SSL_KEY": str(self.certificate),
            "SERVICES": "s3,sts,iam,kms",
            "SFTP_ENABLED": "0",
            "USE_SSL": "1",
        }
        # -P: the directory of the launcher must not shadow modules.
        command = [str(python), "-P", str(LAUNCHER)]
        self.process = stack.enter_context(
            ServerProcess(command, environment=environment, directory=self.directory)
        )
        said = self.process.wait_until(
            lambda: re.search(r"Running on https://127\.0\.0\.1:(\d+)", self.process.log())
        )
        port = int(said[1])
        self.process.wait_until(lambda: request(port, self.ca_bundle, "/_ministack/health") == 200)
        return port

    def _prepare(self) -> None:
        self.kms_key_arn = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.kms_key_arn}
        self.client("s3").put_bucket_encryption(
            Bucket=self.bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]},
        )
        self._make_role()
        self.caller = self._make_caller()

    @property
    def _put(self) -> dict[str, str]:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_arn}

    def _make_role(self) -> None:
        iam = self.client("iam")
        trust = allow(
            "sts:AssumeRole",
            Principal={"AWS": f"arn:aws:iam::{self.account_b}:root"},
            Condition={"StringEquals": {"sts:ExternalId": self.external_id}},
        )
        role = iam.create_role(RoleName="exporter", AssumeRolePolicyDocument=trust)["Role"]
        self.role_arn = role["Arn"]
        reads = allow(
            [
                "s3:ListBucket",
                "s3:ListBucketVersions",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:GetObjectAttributes",
                "kms:Decrypt",
            ],
            Resource="*",
        )
        iam.put_role_policy(RoleName="exporter", PolicyName="reads", PolicyDocument=reads)

    def _make_caller(self) -> Credentials:
        iam = self.client("iam", Credentials(self.account_b, self._root_secret))
        iam.create_user(UserName="hauler")
        assumes = allow("sts:AssumeRole", Resource=self.role_arn)
        iam.put_user_policy(UserName="hauler", PolicyName="assumes", PolicyDocument=assumes)
        made = iam.create_access_key(UserName="hauler")["AccessKey"]
        return Credentials(made["AccessKeyId"], made["SecretAccessKey"])

    def assume(self, duration: int = 3600, **arguments: Any) -> Credentials:
        """A session of the role for the caller, with the External ID unless `arguments` say otherwise.

        `duration` may be a few seconds. `keys` assumes as somebody else.
        """
        keys = arguments.pop("keys", self.caller)
        given = {"ExternalId": self.external_id} | arguments
        return self._assume(keys, duration, **{k: v for k, v in given.items() if v is not None})

    def expire_sessions(self) -> None:
        """Ends every session that exists now: from here on its requests are refused as ExpiredToken."""
        assert request(self._port, self.ca_bundle, "/_launcher/expire", "POST") == 204

    @contextmanager
    def sessions_of(self, seconds: int) -> Iterator[None]:
        """Meanwhile every session lasts `seconds`, whatever the client asks, and the answer says so."""
        assert request(self._port, self.ca_bundle, f"/_launcher/sessions/{seconds}", "POST") == 204
        try:
            yield
        finally:
            assert request(self._port, self.ca_bundle, "/_launcher/sessions/0", "POST") == 204
