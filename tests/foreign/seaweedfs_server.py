"""SeaweedFS: the server that really encrypts SSE-KMS objects at rest and keeps every kind of checksum.

It is wrong about odd keys (see `test_the_servers_themselves`) and ignores External IDs.
"""

import base64
import json
import secrets
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from foreign.clients import Credentials
from foreign.installed import installed
from foreign.process import ServerDiedError, ServerProcess, free_ports, request
from foreign.servers import SEAWEEDFS, ForeignServer, allow, plain_environment

STARTS = 3
MOST_BUCKETS = 500  # each takes a volume, and the default depends on the free space of the disk


class SeaweedFS(ForeignServer):
    """`weed mini` with the local KMS: keys live in its memory, objects encrypted in its data files.

    `owner` and `reader` have static keys. The role ignores any External ID. `plain_endpoint` is http.
    """

    name = "seaweedfs"
    kms_key_id = "export-key"
    role_arn = "arn:aws:iam::222222222222:role/Reader"
    owner = Credentials("OWNERKEY", "owner-secret")
    reader = Credentials("READERKEY", "reader-secret")

    _PORTS = (
        "s3.port.https", "s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port",
        "volume.port.grpc", "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc",
    )  # fmt: skip

    def _start(self, stack: ExitStack) -> int:
        weed = installed(self.name, SEAWEEDFS) / "weed"
        (self.directory / "s3.json").write_text(json.dumps(self._identities()))
        (self.directory / "iam.json").write_text(json.dumps(self._roles()))
        for start in range(STARTS):
            self._data = self.directory / f"data-{start}"
            self._data.mkdir()
            try:
                return self._try_to_start(weed, stack)
            except ServerDiedError:
                if start == STARTS - 1:
                    raise
        raise AssertionError

    def _try_to_start(self, weed: Path, stack: ExitStack) -> int:
        """One start. Fails with `ServerDiedError` where somebody took one of the ports first."""
        ports = dict(zip(self._PORTS, free_ports(len(self._PORTS)), strict=True))
        stack.callback(_remove_sockets, ports.values())
        options = {
            "dir": self._data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.telemetry": "false",
            "admin.ui": "false",
            "webdav": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self.directory / "s3.sock",
            "s3.cert.file": self.certificate,
            "s3.key.file": self.certificate,
            "s3.config": self.directory / "s3.json",
            "s3.iam.config": self.directory / "iam.json",
            "volume.max": MOST_BUCKETS,
            "volume.preStopSeconds": 0,
        } | ports
        command = [str(weed), "-logtostderr=true", "mini", *(f"-{k}={v}" for k, v in options.items())]
        # Otherwise the first object of each bucket makes seven volumes.
        environment = plain_environment(self.directory) | {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
        self.process = stack.enter_context(
            ServerProcess(command, environment=environment, directory=self.directory)
        )
        port = ports["s3.port.https"]
        self.process.wait_until(lambda: request(port, self.ca_bundle, "/healthz") == 200)
        self.plain_endpoint = f"http://127.0.0.1:{ports['s3.port']}"
        return port

    def _prepare(self) -> None:
        """All that it needs is in its configuration files."""

    @property
    def _put(self) -> dict[str, str]:
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_id}

    def _identities(self) -> dict[str, Any]:
        everything = ["Admin", "Read", "Write", "List", "Tagging"]
        local_kms = {"type": "local", "enableOnDemandCreate": True}
        return {
            "identities": [
                _identity("owner", self.owner, everything),
                _identity("reader", self.reader, ["Read", "List"]),
            ],
            "kms": {"default_provider": "local", "providers": {"local": local_kms}},
        }

    def _roles(self) -> dict[str, Any]:
        trust = json.loads(allow(["sts:AssumeRole"], Principal={"AWS": "*"}))
        reads = json.loads(
            allow(
                ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetObject", "s3:GetObjectVersion"],
                Resource=["arn:aws:s3:::*"],
            )
        )
        role = {
            "roleName": "Reader",
            "roleArn": self.role_arn,
            "trustPolicy": trust,
            "attachedPolicies": ["Reads"],
        }
        return {
            "sts": {
                "tokenDuration": "1h",
                "maxSessionLength": "12h",
                "issuer": "seaweedfs-sts",
                "signingKey": base64.b64encode(secrets.token_bytes(32)).decode(),
            },
            "policy": {"defaultEffect": "Deny"},
            "roles": [role],
            "policies": [{"name": "Reads", "document": reads}],
        }

    def assume(self, duration: int = 3600) -> Credentials:
        """A session of the role for the reader, of at least 900 s. It may list and read."""
        return self._assume(self.reader, duration)

    def holds_at_rest(self, needle: bytes) -> bool:
        """Whether `needle` stands as it is in one of the data files."""
        files = (path for path in self._data.rglob("*") if path.is_file())
        return any(needle in path.read_bytes() for path in files)

    def assert_encrypted_at_rest(self, needle: bytes) -> None:
        """Stores `needle` with SSE-KMS and looks for it in the data files, then the same without."""
        bucket = self.fresh_bucket()
        self.seed({"encrypted.bin": needle}, bucket=bucket)
        s3 = self.client("s3")
        assert s3.get_object(Bucket=bucket, Key="encrypted.bin")["Body"].read() == needle
        assert not self.holds_at_rest(needle)
        s3.put_object(Bucket=bucket, Key="plain.bin", Body=needle)
        assert self.holds_at_rest(needle), "the search does not find what is stored in the clear"


def _identity(name: str, keys: Credentials, actions: list[str]) -> dict[str, Any]:
    credentials = {"accessKey": keys.access_key, "secretKey": keys.secret_key}
    return {"name": name, "credentials": [credentials], "actions": actions}


def _remove_sockets(ports: Iterable[int]) -> None:
    """Unix sockets that it makes in /tmp, whatever TMPDIR says, and leaves there when it is killed."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink(missing_ok=True)
