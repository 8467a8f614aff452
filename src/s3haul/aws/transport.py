"""Chooses the transport for a bucket, and finds the address for the curl transport. Opens no connection.

Host, path style and signing region come from botocore's endpoint rules, so that both transports send the same requests
to the same server.
"""

import importlib.util
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from s3haul.aws.carrier import proxy_for
from s3haul.errors import UsageError
from s3haul.s3.endpoint import Endpoint, parse

TRANSPORTS = ("auto", "curl", "sdk")


class Unserved(NamedTuple):
    """The curl transport does not support this bucket. `reason` completes "because ..."."""

    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The transport of a run, and why. `endpoint` is for the curl transport; None for the SDK."""

    transport: str
    reason: str
    endpoint: Endpoint | None = None
    proxy: str = field(default="", repr=False)  # URL, for the curl transport


def choose(client: Any, bucket: str, asked: str) -> Choice:
    """The transport for `bucket`; `asked` is "auto", "curl" or "sdk".

    Raises `UsageError` for another word or an invalid proxy, or if `asked` is "curl" and curl does not support the
    bucket.
    """
    if asked not in TRANSPORTS:
        raise UsageError(f"no such transport: {asked!r}", hint=f"one of {', '.join(TRANSPORTS)}")
    found = locate(client, bucket)  # for the SDK too: the rules refuse invalid bucket names
    proxy = proxy_for(client.meta.endpoint_url)
    if proxy.startswith("socks") and (asked == "sdk" or not isinstance(found, Endpoint)):
        raise UsageError("the sdk transport cannot go through a SOCKS proxy", hint="use an HTTP proxy")
    if asked == "sdk":
        return Choice("sdk", "it was requested")
    if isinstance(found, Endpoint):
        reason = "it supports this bucket" if asked == "auto" else "it was requested"
        return Choice("curl", reason, found, proxy_for(found.origin))
    if asked == "curl":
        hint = "leave out --transport, or use --transport sdk"
        raise UsageError(f"the curl transport does not support this bucket: {found.reason}", hint=hint)
    return Choice("sdk", found.reason)


def locate(client: Any, bucket: str) -> Endpoint | Unserved:
    """The address of `bucket` for a client of botocore. Raises what botocore raises for invalid bucket names."""
    model = client.meta.service_model.operation_model("ListObjectsV2")
    # Private, so it depends on the pinned release. The client itself calls it for every request.
    resolve = client._resolve_endpoint_ruleset  # noqa: SLF001
    url, _, properties = resolve(model, {"Bucket": bucket}, {})
    schemes = properties.get("authSchemes") or [{"name": "sigv4", "signingName": "s3"}]
    unserved = _signature(schemes[0]) or _missing_library()
    if unserved:
        return Unserved(unserved)
    region = schemes[0].get("signingRegion") or client.meta.region_name
    return parse(url, region)


def _signature(scheme: dict[str, Any]) -> str:
    name, service = scheme.get("name"), scheme.get("signingName", "s3")
    if name == "sigv4a":
        return "a multi-region access point needs Signature Version 4A"
    if name == "sigv4-s3express":
        return "a directory bucket needs session credentials of its own"
    if name != "sigv4" or service != "s3":
        return f"requests are signed as {name} for {service}"
    return ""


def _missing_library() -> str:
    return "" if importlib.util.find_spec("pycurl") else "pycurl is not installed"
