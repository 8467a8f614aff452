"""The TLS settings of the SDK transport: host names and certificates are verified; TLS 1.2 or newer.

All connections that trust the same file share one context, because parsing the usual 100 to 150 certificate
authorities takes as long as hundreds of requests.
"""

import os
import ssl
import threading
from functools import lru_cache

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
