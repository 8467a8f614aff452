"""Maps error codes of libcurl to `errors.Fault`. Error responses of the service are mapped in `faults`.

Codes: libcurl-errors(3). A code that is not in the table counts as a broken connection, which is retried.
"""

import pycurl

from s3haul.errors import Fault, FaultKind
from s3haul.s3.faults import NO_ADDRESS, out_of_descriptors

_TOO_LARGE = 100  # CURLE_TOO_LARGE, which pycurl does not name
_PROXY = 97  # CURLE_PROXY
_UNRECOVERABLE_POLL = 99  # CURLE_UNRECOVERABLE_POLL
_CLIENT_CERTIFICATE = 98  # CURLE_SSL_CLIENTCERT
_NO_THREAD = "S3H-DST-11"  # the row of the diagnosis table
# libcurl resolves names in threads. One that cannot be started is told as a name that does not resolve, in these words.
_NO_RESOLVER = "thread failed to start"
_RESOLVE = frozenset({pycurl.E_COULDNT_RESOLVE_PROXY, pycurl.E_COULDNT_RESOLVE_HOST})

KINDS: dict[int, FaultKind] = {
    **dict.fromkeys(
        (pycurl.E_COULDNT_RESOLVE_PROXY, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_CONNECT, _PROXY),
        FaultKind.CONNECT,
    ),
    **dict.fromkeys(
        (
            pycurl.E_SSL_ENGINE_NOTFOUND,
            pycurl.E_SSL_ENGINE_SETFAILED,
            pycurl.E_SSL_ENGINE_INITFAILED,
            pycurl.E_SSL_CERTPROBLEM,
            pycurl.E_SSL_CIPHER,
            pycurl.E_PEER_FAILED_VERIFICATION,
            pycurl.E_SSL_CACERT_BADFILE,
            pycurl.E_SSL_CRL_BADFILE,
            pycurl.E_SSL_ISSUER_ERROR,
            pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
            pycurl.E_SSL_INVALIDCERTSTATUS,
            _CLIENT_CERTIFICATE,
        ),
        FaultKind.TLS,
    ),
    **dict.fromkeys(
        (
            pycurl.E_PARTIAL_FILE,
            pycurl.E_GOT_NOTHING,
            pycurl.E_SEND_ERROR,
            pycurl.E_RECV_ERROR,
            pycurl.E_SSL_SHUTDOWN_FAILED,
            pycurl.E_AGAIN,
        ),
        FaultKind.BROKEN,
    ),
    **dict.fromkeys(
        (
            pycurl.E_UNSUPPORTED_PROTOCOL,
            pycurl.E_URL_MALFORMAT,
            getattr(pycurl, "E_WEIRD_SERVER_REPLY", pycurl.E_FTP_WEIRD_SERVER_REPLY),
            pycurl.E_BAD_CONTENT_ENCODING,
            pycurl.E_FILESIZE_EXCEEDED,
            _TOO_LARGE,
        ),
        FaultKind.PROTOCOL,
    ),
    **dict.fromkeys((pycurl.E_FAILED_INIT, pycurl.E_OUT_OF_MEMORY, _UNRECOVERABLE_POLL), FaultKind.LOCAL),
}


def curl_fault(code: int, message: str, *, connected: bool) -> Fault:
    """The fault of a transfer that libcurl ended with `code`. `connected` tells whether the connection was ready."""
    text = message or f"libcurl error {code}"
    # libcurl has one code for a connection that cannot be opened in time and for a body that stalls.
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Fault(FaultKind.STALL if connected else FaultKind.CONNECT, text)
    if code == pycurl.E_SSL_CONNECT_ERROR:
        return Fault(_handshake(text), text)
    if _NO_RESOLVER in text:
        return Fault(FaultKind.LOCAL, text, code=_NO_THREAD)
    kind = KINDS.get(code, FaultKind.BROKEN)
    if kind is FaultKind.CONNECT and out_of_descriptors():
        # If no socket can be created, libcurl and the resolver report that the host cannot be reached.
        kind = FaultKind.LOCAL
    return Fault(kind, text, code=NO_ADDRESS if code in _RESOLVE else "")


def _handshake(text: str) -> FaultKind:
    """A handshake that OpenSSL refused has an OpenSSL error in its text; one that was cut off is a lost connection."""
    refused = "error:" in text and "unexpected eof" not in text
    return FaultKind.TLS if refused else FaultKind.CONNECT
