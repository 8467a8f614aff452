"""Finds where a bucket is: its region, its address, and the transport that can read it.

Host, path style and signing region come from botocore's endpoint rules, so that both transports send the same requests
to the same server. HeadBucket, to find the region, is sent by the store of a run.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from s3haul.aws.endpoints import proxy_for
from s3haul.aws.faults import unreachable
from s3haul.aws.sdk_settings import INVALID
from s3haul.aws.settings import Settings
from s3haul.errors import FaultKind, SourceError, StoreError, UsageError
from s3haul.policies.names import Arn
from s3haul.s3.endpoint import Endpoint, parse
from s3haul.store.protocol import BucketStore
from s3haul.store.retrying import retry_briefly

_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)

ATTEMPTS = 3  # of HeadBucket
TRANSPORTS = ("auto", "curl", "sdk")


async def bucket_region(store: BucketStore, settings: Settings, bucket: str) -> str:
    """The region that S3 names in a header of the response to HeadBucket, also with status 301, 400 and 403; else the
    expected one. Most other servers do not send the header.

    Raises `SourceError` if the bucket does not exist, and `S3HaulError` if S3 is unreachable.
    """
    found = await _head_bucket(store, settings, bucket)
    if not bucket.startswith("arn:") and _REGION.fullmatch(found):
        return found
    return expected_region(settings, bucket)


def expected_region(settings: Settings, bucket: str) -> str:
    """The region in the ARN of an access point, else the configured one. Raises `UsageError` if they may not differ."""
    arn, configured = Arn.parse(bucket), settings.region.value or ""
    if arn is None or not arn.region:
        return configured
    if arn.region != configured and not settings.use_arn_region:
        raise UsageError(
            f"the access point is in {arn.region}, not in {configured}, and use_arn_region is false",
            hint=f"name its region, or change one of these: {', '.join(settings.given)}",
            id=INVALID,
        )
    return arn.region


async def _head_bucket(store: BucketStore, settings: Settings, bucket: str) -> str:
    """The region that the server names, or "".

    Most refusals are ignored: the role may lack permission for HeadBucket only. If it lacks more, the listing fails with
    a better message."""
    try:
        return await retry_briefly(store.bucket_region, ATTEMPTS)
    except StoreError as error:
        fault, cause = error.fault, error.__cause__ or error
    if fault.region or fault.code == "PermanentRedirect":
        return fault.region
    if fault.kind is not FaultKind.HTTP:
        raise unreachable("S3", fault, cause, settings.given) from None
    if fault.status == 404 and fault.code:  # else it may be the page of a proxy; the listing will find out
        hint = "check the name; --endpoint-url and the profile's endpoint decide where it is looked for"
        what = "access point" if bucket.startswith("arn:") else "bucket"
        raise SourceError(
            f"the {what} {bucket!r} does not exist", hint=hint, seen=fault.message, id="S3H-S3-01"
        )
    return ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The transport of a run, and why. `endpoint` is for the curl transport; None for the SDK."""

    transport: str
    reason: str
    endpoint: Endpoint | None = None
    proxy: str = field(default="", repr=False)  # URL, for the curl transport


def choose(client: Any, bucket: str, requested: str) -> Choice:
    """The transport for `bucket`; `requested` is "auto", "curl" or "sdk".

    Raises `UsageError` for another word or an invalid proxy, or if `requested` is "curl" and curl does not support the
    bucket.
    """
    if requested not in TRANSPORTS:
        raise UsageError(f"no such transport: {requested!r}", hint=f"one of {', '.join(TRANSPORTS)}")
    found = locate(client, bucket)  # for the SDK too: the rules refuse invalid bucket names
    proxy = proxy_for(client.meta.endpoint_url)
    if proxy.startswith("socks") and (requested == "sdk" or not isinstance(found, Endpoint)):
        raise UsageError("the sdk transport cannot go through a SOCKS proxy", hint="use an HTTP proxy")
    if requested == "sdk":
        return Choice("sdk", "it was requested")
    if isinstance(found, Endpoint):
        reason = "it supports this bucket" if requested == "auto" else "it was requested"
        return Choice("curl", reason, found, proxy_for(found.origin))
    if requested == "curl":
        hint = "leave out --transport, or use --transport sdk"
        raise UsageError(f"the curl transport does not support this bucket: {found}", hint=hint)
    return Choice("sdk", found)


def locate(client: Any, bucket: str) -> Endpoint | str:
    """The address of `bucket` for a client of botocore, or why the curl transport does not support it.

    Raises what botocore raises for invalid bucket names.
    """
    model = client.meta.service_model.operation_model("ListObjectsV2")
    # Private, so it depends on the pinned release. The client itself calls it for every request.
    resolve = client._resolve_endpoint_ruleset  # noqa: SLF001
    url, _, properties = resolve(model, {"Bucket": bucket}, {})
    scheme = (properties.get("authSchemes") or [{"name": "sigv4", "signingName": "s3"}])[0]
    name, service = scheme.get("name"), scheme.get("signingName", "s3")
    if name == "sigv4a":
        return "a multi-region access point needs Signature Version 4A"
    if name != "sigv4" or service != "s3":
        return f"requests are signed as {name} for {service}"
    try:
        import pycurl  # noqa: F401, PLC0415 - there are machines for which it cannot be built
    except ImportError as error:
        return f"pycurl cannot be loaded: {error}"
    return parse(url, scheme.get("signingRegion") or client.meta.region_name)
