"""A certificate authority made on the fly, and the server's TLS context. `trustme` does the work."""

import ssl
from pathlib import Path

import trustme


def make_certificate(directory: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server context for the names (host names or addresses) and the CA's PEM file in `directory`."""
    authority = trustme.CA()
    path = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*names).configure_cert(context)
    return context, path
