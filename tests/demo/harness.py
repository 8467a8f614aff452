"""Clients for the embedded cloud's own tests: boto3 as a user has it, and raw HTTP signed by botocore."""

import http.client
import ssl
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from s3haul.demo import seed
from s3haul.demo.server import DemoServer

USER_B = Credentials(seed.USER_B_KEY_ID, seed.USER_B_SECRET)
OWNER_A = Credentials(seed.OWNER_KEY_ID, seed.OWNER_SECRET)
_SESSION = botocore.session.Session()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def code(self) -> str:
        return self.text.partition("<Code>")[2].partition("</Code>")[0]

    @property
    def message(self) -> str:
        return self.text.partition("<Message>")[2].partition("</Message>")[0]


@dataclass
class Clients:
    """Makes clients of one server and closes them."""

    server: DemoServer
    region: str = seed.REGION
    opened: list[Any] = field(default_factory=list)

    @property
    def netloc(self) -> str:
        return self.server.endpoint_url.partition("//")[2]

    def boto(self, service: str, credentials: Credentials, region: str | None = None, **config: Any) -> Any:
        client = _SESSION.create_client(
            service,
            region_name=region or self.region,
            endpoint_url=self.server.endpoint_url,
            verify=self.server.ca_path,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                read_timeout=10,
                parameter_validation=False,
                **config,
            ),
        )
        self.opened.append(client)
        return client

    def s3(self, credentials: Credentials | None = None, **config: Any) -> Any:
        return self.boto("s3", credentials or self.role(), **config)

    def sts(self, credentials: Credentials = USER_B) -> Any:
        return self.boto("sts", credentials)

    def role(self, policy: dict[str, Any] | None = None) -> Credentials:
        """A session of the export role, started in the cloud itself."""
        session = self.server.cloud.start_session(
            self.server.cloud.roles[seed.ROLE_ARN], "tester", 3600, policy=policy
        )
        return Credentials(session.access_key_id, session.secret, session.token)

    def connection(self, timeout: float = 10) -> http.client.HTTPConnection:
        if self.server.ca_path is None:
            made = http.client.HTTPConnection(self.netloc, timeout=timeout)
        else:
            context = ssl.create_default_context(cafile=self.server.ca_path)
            made = http.client.HTTPSConnection(self.netloc, context=context, timeout=timeout)
        self.opened.append(made)
        return made

    def signed(
        self,
        method: str,
        target: str,
        *,
        credentials: Credentials | None = None,
        headers: dict[str, str] | None = None,
        region: str | None = None,
    ) -> dict[str, str]:
        """The headers of a request, signed by botocore. `target` is path and query as sent."""
        request = AWSRequest(method, self.server.endpoint_url + target, headers=headers or {})
        request.headers["Host"] = self.netloc
        signer = S3SigV4Auth(credentials or self.role(), "s3", region or self.region)
        signer.add_auth(request)
        return dict(request.headers)

    def raw(
        self,
        method: str,
        target: str,
        *,
        credentials: Credentials | None = None,
        headers: dict[str, str] | None = None,
        region: str | None = None,
    ) -> Answer:
        """One signed request over a fresh connection, answered as it came."""
        signed = self.signed(method, target, credentials=credentials, headers=headers, region=region)
        return self.send(method, target, signed)

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        connection = self.connection()
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        got = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return got

    def close(self) -> None:
        for client in self.opened:
            client.close()
