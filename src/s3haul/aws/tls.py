"""The TLS settings of every connection: names and certificates are verified, nothing older than TLS 1.2.

One context serves all connections that trust the same file: to parse the usual hundred and more authorities
takes as long as hundreds of requests.
"""

import os
import ssl
import threading
from functools import lru_cache

_once = threading.Lock()


def tls_context(authorities: str) -> ssl.SSLContext:
    """The context that trusts this PEM file as it is now; not to be changed. Raises `OSError`."""
    with _once:
        return _context(authorities, os.stat(authorities).st_mtime_ns)  # noqa: PTH116 - may be any path-like


@lru_cache(maxsize=4)
def _context(authorities: str, changed: int) -> ssl.SSLContext:  # noqa: ARG001 - a new file is a new context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_verify_locations(authorities)
    return context
