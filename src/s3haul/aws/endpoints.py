"""Where requests may go, and which certificates are trusted: endpoints, proxies, certificate authorities.

Requests are encrypted or go to this machine, never to instance metadata. Nothing is sent here.
"""

import ipaddress
import os
import re
import socket
import ssl
import threading
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from s3haul.aws.sdk_settings import INVALID
from s3haul.errors import UsageError
from s3haul.policies.names import format_advice

_METADATA_V4 = ipaddress.ip_network("169.254.0.0/16")
_METADATA_V6 = ipaddress.ip_address("fd00:ec2::254")
_PROXY_SCHEMES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
_SOCKS = re.compile(r"socks(4|4a|5|5h)://")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")


def check_endpoint(url: str | None, *, allow_plain_http: bool, where: str = "") -> None:
    """Raise `UsageError` for an endpoint that would send data unencrypted, or to instance metadata.

    `where` says where the endpoint is configured.
    """
    if url is None:
        return
    source = f" ({where})" if where else ""
    parts = _parts(url)
    if parts is None:
        shown = repr(url.rpartition("@")[2])  # the text before it may be a password
        raise UsageError(
            f"the endpoint {shown}{source} is not the URL of a server",
            hint=format_advice(url) or "write https://HOST or https://HOST:PORT",
        )
    host = parts.hostname or ""
    address = _address(host)
    if address is not None and (address == _METADATA_V6 or address in _METADATA_V4):
        raise UsageError(f"the endpoint {url!r}{source} is an instance metadata address")
    loopback = host == "localhost" if address is None else address.is_loopback
    if parts.scheme == "http" and not loopback and not allow_plain_http:
        raise UsageError(
            f"the endpoint {url!r}{source} would send everything unencrypted",
            hint="use https://, or allow plain http explicitly; SSE-KMS objects are served over TLS only",
            id="S3H-NET-03",
        )


def check_proxy(url: str, where: str) -> None:
    """Raise `UsageError` for an invalid proxy URL. It may contain a password, so the message does not show it."""
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and parts.scheme in _PROXY_SCHEMES
    except ValueError:
        valid = False
    if not valid or _NOT_IN_A_URL.search(url):
        hint = "write http://HOST:PORT, https://… or socks5h://…; list hosts that need no proxy in NO_PROXY"
        raise UsageError(f"the value of {where} is not a proxy URL", hint=hint, id=INVALID)


def _parts(url: str) -> SplitResult | None:
    """The parsed URL; None if it names no server, or has more than scheme, host, port and path."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        return None
    more = parts.username or parts.password or parts.query or parts.fragment
    valid = parts.scheme in {"http", "https"} and host and port != 0 and not more
    return parts if valid and not _NOT_IN_A_URL.search(url) else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address in `host`, in any form that the resolver accepts (`0x7f.1`); None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


_once = threading.Lock()


def tls_context(authorities: str) -> ssl.SSLContext:
    """The context that trusts this PEM file. Do not change it: it is shared. Raises `OSError`."""
    with _once:
        return _context(authorities, os.stat(authorities).st_mtime_ns)  # noqa: PTH116 - may be any path-like


@lru_cache(maxsize=4)
def _context(authorities: str, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - a changed file needs a new context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(authorities)
    return context


def authorities(ca_bundle: str | None) -> str:
    """The PEM file of the certificate authorities to trust."""
    path: str = get_cert_path(ca_bundle or True)
    return path


def proxy_for(url: str) -> str:
    """The URL of the proxy for this address, from the environment, or "". Raises `UsageError`."""
    proxies = get_environ_proxies(url)
    scheme = url.partition(":")[0]
    named = proxies.get(scheme, "")
    usual = ProxyConfiguration(proxies=proxies).proxy_url_for(url) or ""
    # botocore parses socks5://… wrongly: it takes the scheme for the host.
    found: str = named if _SOCKS.match(named) else usual
    if found:
        check_proxy(named if "://" in named else found, f"{scheme.upper()}_PROXY")
    return found
