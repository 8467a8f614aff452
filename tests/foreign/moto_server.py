"""moto: the server that most projects test with, and the third opinion on the wire format.

It closes the connection after each answer, checks no checksum that is stored, encrypts nothing, and ignores
`partNumber`. Requests are authorized once `_prepare` has made the principals.
"""

import re
from contextlib import ExitStack
from typing import Any

from foreign.clients import Credentials
from foreign.installed import installed
from foreign.process import ServerProcess, request
from foreign.servers import MOTO, ForeignServer, allow, plain_environment


class Moto(ForeignServer):
    """One account. `caller` may do nothing but assume the role, which wants the External ID."""

    name = "moto"
    external_id = "haul-91d2bb"
    owner = Credentials("before-authorization", "any")

    def _start(self, stack: ExitStack) -> int:
        program = installed(self.name, MOTO) / "moto_server"
        command = [str(program), "-H", "127.0.0.1", "-p", "0"]
        command += ["-c", str(self.certificate), "-k", str(self.certificate)]
        self.process = stack.enter_context(
            ServerProcess(command, environment=plain_environment(self.directory), directory=self.directory)
        )
        said = self.process.wait_until(
            lambda: re.search(r"Running on https://127\.0\.0\.1:(\d+)", self.process.log())
        )
        return int(said[1])

    def _prepare(self) -> None:
        iam = self.client("iam")
        self.kms_key_arn = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        trust = allow(
            "sts:AssumeRole",
            Principal={"AWS": "*"},
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
                "kms:*",
            ],
            Resource="*",
        )
        iam.put_role_policy(RoleName="exporter", PolicyName="reads", PolicyDocument=reads)
        self.caller = self._user("hauler", allow("sts:AssumeRole", Resource="*"))
        owner = self._user("owner", allow("*", Resource="*"))
        assert request(self._port, self.ca_bundle, "/moto-api/reset-auth", "POST", b"0") == 200
        self.owner = owner

    def _user(self, name: str, policy: str) -> Credentials:
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=policy)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(made["AccessKeyId"], made["SecretAccessKey"])

    @property
    def _put(self) -> dict[str, str]:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_arn}

    def seed_checksummed(
        self, key: str, body: bytes, algorithm: str, *, bucket: str | None = None, **put_args: Any
    ) -> None:
        """It keeps a checksum only where its algorithm is named too, as the SDKs do."""
        super().seed_checksummed(key, body, algorithm, bucket=bucket, ChecksumAlgorithm=algorithm, **put_args)

    def assume(self, duration: int = 3600, **arguments: Any) -> Credentials:
        """A session of the role for the caller, with the External ID unless `arguments` name another."""
        return self._assume(self.caller, duration, **{"ExternalId": self.external_id} | arguments)
