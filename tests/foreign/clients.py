"""Plain botocore clients that seed the foreign servers and look at them: no code of ours takes part.

They depend on nothing outside: no AWS variable, no configuration file, no proxy.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from contract.stored import digest, text

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one principal signs with."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Clients:
    """Makes clients for one endpoint, keeps them, and closes them all."""

    def __init__(self, endpoint: str, ca_bundle: Path) -> None:
        self._endpoint = endpoint
        self._ca_bundle = ca_bundle
        self._made: dict[tuple[str, Credentials], Any] = {}

    def get(self, service: str, keys: Credentials) -> Any:
        """A client that sends what it is told: own checksums only, short sessions too."""
        if (service, keys) not in self._made:
            self._made[service, keys] = self._make(service, keys)
        return self._made[service, keys]

    def close(self) -> None:
        for client in self._made.values():
            client.close()
        self._made.clear()

    def _make(self, service: str, keys: Credentials) -> Any:
        variables = {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
        config = Config(
            proxies={},
            parameter_validation=False,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
        )
        return botocore.session.Session(session_vars=variables).create_client(
            service,
            region_name=REGION,
            endpoint_url=self._endpoint,
            verify=str(self._ca_bundle),
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=config,
        )


def checksum_of(algorithm: str, body: bytes) -> dict[str, str]:
    """The argument of PutObject or UploadPart that states the checksum of `body`."""
    return {f"Checksum{algorithm}": text(digest(algorithm, body))}
