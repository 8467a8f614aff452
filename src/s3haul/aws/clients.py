"""Creates botocore's clients: with Signature Version 4, our credentials, our HTTP client, and quiet loggers.

They are used for STS and IAM, and to find the address of a bucket; not for objects. Nothing is sent here.
The clients block, so they are called in a thread (`http_client.call`). What all sessions share is created once, because
it is most of the cost of a client.
"""

import copy
import functools
import gzip
import json
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore import UNSIGNED
from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, SigV4Auth
from botocore.config import Config
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session

from s3haul import __version__
from s3haul.aws.chain import BaseKind
from s3haul.aws.config_file import nest_s3_section
from s3haul.aws.endpoints import authorities
from s3haul.aws.faults import settings_errors
from s3haul.aws.http_client import http_client, request_handler
from s3haul.aws.settings import Settings
from s3haul.policies.buckets import is_multi_region
from s3haul.s3.endpoint import CONNECT_TIMEOUT, Credentials


class _Files(JSONFileLoader):  # type: ignore[misc]
    """Loads botocore's files into plain dicts, in half the time that botocore needs for OrderedDicts."""

    def load_file(self, file_path: str) -> Any:
        for suffix, open_file in ((".json", open), (".json.gz", gzip.open)):
            if os.path.isfile(file_path + suffix):  # noqa: PTH113 - botocore's paths are text
                with open_file(file_path + suffix, "rb") as file:
                    return json.load(file)
        return None


class _Models(Loader):  # type: ignore[misc]
    """Finds botocore's service models without listing each of 400 directories."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the parent's signature
        return [name for path in self.search_paths if os.path.isdir(path) for name in os.listdir(path)]  # noqa: PTH112, PTH208 - names only


@functools.cache
def service_models() -> _Models:
    """The parsed models. Cached: parsing them for each renewal would block the event loop."""
    return _Models(file_loader=_Files())


@functools.cache
def event_handlers() -> HierarchicalEmitter:
    """botocore's built-in event handlers. Every session gets a copy."""
    handlers = HierarchicalEmitter()
    Session(event_hooks=handlers)
    return handlers


ATTEMPTS = 3

_CHATTY = ("boto3", "botocore", "aioboto3", "aiobotocore", "aiohttp", "urllib3")


def quiet_loggers() -> None:
    """At level DEBUG the SDK logs secrets and signed headers. Its warnings repeat, with tracebacks, what we report."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def core_session(profile: str | None, ca_bundle: str | None) -> Session:
    """A botocore session. All its clients, also those of its credential providers, use our HTTP client."""
    hooks = copy.copy(event_handlers())
    session = Session(profile=profile, event_hooks=hooks, include_builtin_handlers=False)
    session.register_component("data_loader", service_models())
    # With the mode "auto" botocore would ask instance metadata for the region, for each client.
    session.set_default_client_config(Config(connect_timeout=CONNECT_TIMEOUT, defaults_mode="legacy"))
    session.register("before-send", request_handler(http_client(authorities(ca_bundle))))
    return nest_s3_section(session)


def sts_client(settings: Settings, keys: Credentials, clock: Callable[[], float] = time.time) -> Any:
    """A client of the regional STS endpoint. It signs with `keys` and the time of `clock`."""
    client = _client("sts", settings, keys, settings.region.value, settings.sts_endpoint_url.value)
    client.meta.events.register("before-sign.sts", partial(_date, clock))
    client.meta.events.register("choose-signer.sts", lambda **_: _DATED)
    return client


def _date(clock: Callable[[], float], request: Any, **_: Any) -> None:
    request.context[_DATED] = clock()


class _DatedAuth(SigV4Auth):  # type: ignore[misc]
    """Signature Version 4 with the time that `_date` put into the request. botocore always uses the machine's clock."""

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = time.strftime(SIGV4_TIMESTAMP, time.gmtime(request.context[_DATED]))
        super()._modify_request_before_signing(request)


_DATED = "s3haul-v4"
AUTH_TYPE_MAPS[_DATED] = _DatedAuth


def iam_client(settings: Settings, keys: Credentials) -> Any:
    """A client of IAM: at AWS, or at the endpoint that is configured for all services."""
    endpoint = settings.sts_endpoint_url.value
    shared = endpoint if endpoint == settings.endpoint_url.value else None
    return _client("iam", settings, keys, settings.region.value, shared)


def s3_client(settings: Settings, keys: Credentials, *, bucket: str, region: str | None) -> Any:
    """A client of the bucket's region."""
    options = s3_options(settings, bucket)
    return _client("s3", settings, keys, region, settings.endpoint_url.value, **options)


def s3_options(settings: Settings, bucket: str) -> dict[str, Any]:
    """The S3 settings of a client's configuration, for both transports."""
    s3: dict[str, Any] = {}
    if settings.us_east_1_regional:
        s3["us_east_1_regional_endpoint"] = "regional"
    plain = settings.endpoint_url.value or "." in bucket
    if settings.addressing_style == "auto" and plain and not bucket.startswith("arn:"):
        s3["addressing_style"] = "path"
    options: dict[str, Any] = {"s3": s3}
    if settings.base.kind is BaseKind.ANONYMOUS:
        options["signature_version"] = UNSIGNED
    elif not is_multi_region(bucket):  # the rules choose version 4A there; a setting would override that
        options["signature_version"] = "s3v4"
    return options


def _client(
    service: str,
    settings: Settings,
    keys: Credentials,
    region: str | None,
    endpoint: str | None,
    **options: Any,
) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra=f"s3haul/{__version__}",
        **options,
    )
    ca_bundle = settings.ca_bundle.value
    with settings_errors(settings.given):
        return core_session(settings.profile.value, ca_bundle).create_client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            verify=ca_bundle,
            config=config,
        )
