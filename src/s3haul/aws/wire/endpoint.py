"""Where the requests of the wire transport go, and whether it can serve a bucket at all.

botocore's endpoint rules decide about host, path style and signing region, so that both transports ask
the same server in the same way. It connects to nobody.
"""

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from s3haul.errors import UsageError

TRANSPORTS = ("auto", "wire", "sdk")

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One bucket's address. `authority` is the Host header, `base` the path of the bucket ("" or "/bucket")."""

    secure: bool
    host: str
    port: int
    authority: str
    base: str
    region: str


@dataclass(frozen=True, slots=True)
class Unserved:
    """The wire transport cannot serve this; `reason` completes "because …"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The transport of a run, and why; `endpoint` is that of the wire transport, None for the sdk."""

    transport: str
    reason: str
    endpoint: Endpoint | None = None


async def choose(client: Any, bucket: str, asked: str) -> Choice:
    """The transport for `bucket` where "auto", "wire" or "sdk" was asked for.

    Raises `UsageError` for another word, and where wire is asked for and cannot serve.
    """
    if asked not in TRANSPORTS:
        raise UsageError(f"no such transport: {asked!r}", hint=f"one of {', '.join(TRANSPORTS)}")
    if asked == "sdk":
        return Choice("sdk", "it was asked for")
    found = await locate(client, bucket)
    if isinstance(found, Endpoint):
        return Choice("wire", "it can serve this bucket" if asked == "auto" else "it was asked for", found)
    if asked == "wire":
        hint = "leave the choice to s3haul, or ask for the sdk transport"
        raise UsageError(f"the wire transport cannot serve this bucket: {found.reason}", hint=hint)
    return Choice("sdk", found.reason)


async def locate(client: Any, bucket: str) -> Endpoint | Unserved:
    """The address of `bucket` for a client of aiobotocore. Raises what botocore raises for odd names."""
    model = client.meta.service_model.operation_model("ListObjectsV2")
    # Private, and so bound to the pinned release; it is what the client itself calls for every request.
    resolve = client._resolve_endpoint_ruleset  # noqa: SLF001
    url, _, properties = await resolve(model, {"Bucket": bucket}, {})
    schemes = properties.get("authSchemes") or [{"name": "sigv4", "signingName": "s3"}]
    unserved = _signature(schemes[0]) or _proxy(client, url)
    if unserved:
        return Unserved(unserved)
    region = schemes[0].get("signingRegion") or client.meta.region_name
    return parse(url, region)


def parse(url: str, region: str) -> Endpoint:
    """An endpoint URL that already names the bucket in its host or path."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    usual = _PORTS[parts.scheme]
    port = parts.port or usual
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(
        secure=parts.scheme == "https",
        host=host,
        port=port,
        authority=shown if port == usual else f"{shown}:{port}",
        base=parts.path.rstrip("/"),
        region=region,
    )


def _signature(scheme: dict[str, Any]) -> str:
    name, service = scheme.get("name"), scheme.get("signingName", "s3")
    if name == "sigv4a":
        return "a multi-region access point needs Signature Version 4A"
    if name == "sigv4-s3express":
        return "a directory bucket needs session credentials of its own"
    if name != "sigv4" or service != "s3":
        return f"requests are signed as {name} for {service}"
    return ""


def _proxy(client: Any, url: str) -> str:
    proxies = client.meta.config.proxies or get_environ_proxies(url)
    through = ProxyConfiguration(proxies=proxies).proxy_url_for(url)
    return "a proxy is configured for this endpoint" if through else ""


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Certificates and names are verified, against the same authorities as the sdk transport's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(get_cert_path(ca_bundle or True))
    return context
