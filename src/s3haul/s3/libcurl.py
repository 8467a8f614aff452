"""Creates libcurl handles, with every relevant option set explicitly,
and maps libcurl's error codes. Sends nothing.

By default libcurl reads the proxy variables of the environment, uses the certificate authorities of the
machine that built it, and supports a dozen other protocols. The options here apply to every request but those
of the sdk transport.
"""

from dataclasses import dataclass, field

import pycurl

from s3haul.errors import Fault, FaultKind
from s3haul.s3.endpoint import CONNECT_TIMEOUT
from s3haul.s3.faults import NO_ADDRESS, out_of_descriptors
from s3haul.store.protocol import OnTiming

# A connection that was idle for longer is not reused. Servers close idle connections after about this time,
# and a request that meets the close fails.
IDLE_SECONDS = 30
RECEIVE_BUFFER = 256 << 10  # bytes; libcurl still delivers 16 KiB at a time

_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS of curl.h, which pycurl does not name
_TOO_LARGE = 100  # CURLE_TOO_LARGE, which pycurl does not name
_PROXY = 97  # CURLE_PROXY
_UNRECOVERABLE_POLL = 99  # CURLE_UNRECOVERABLE_POLL
_CLIENT_CERTIFICATE = 98  # CURLE_SSL_CLIENTCERT
_NO_THREAD = "S3H-DST-11"  # the row of the diagnosis table
# libcurl resolves names in threads. One that cannot be started is reported as a name that does not
# resolve, in these words.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Network options. `authorities` is the path of a PEM file; `proxy` is a URL,
    maybe with a password, or "".

    A transfer has stalled if it receives less than `minimum_rate` bytes/s for `stall_timeout` seconds.
    """

    authorities: str
    proxy: str = field(default="", repr=False)
    connect_timeout: float = CONNECT_TIMEOUT
    stall_timeout: float = 60.0
    minimum_rate: int = 1024
    on_timing: OnTiming | None = None


def new_handle(network: Network) -> pycurl.Curl:
    """A handle for requests to S3 and STS; the caller sets URL, headers and callbacks."""
    handle = pycurl.Curl()
    for option, value in (
        # libcurl may use SIGALRM for timeouts otherwise, which is not safe with threads.
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.HTTP09_ALLOWED, 0),
        (pycurl.PATH_AS_IS, 1),  # a key may contain "/../", which libcurl would resolve
        (pycurl.FOLLOWLOCATION, 0),  # signature and session token must not be sent to another host
        (pycurl.NETRC, pycurl.NETRC_IGNORED),
        (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
        (pycurl.SSL_VERIFYPEER, 1),
        (pycurl.SSL_VERIFYHOST, 2),
        (pycurl.CAINFO, network.authorities),
        (pycurl.PROXY, network.proxy),  # "" also makes libcurl ignore the environment
        (pycurl.NOPROXY, ""),
        (pycurl.PROXY_CAINFO, network.authorities),
        (pycurl.PROXY_SSL_VERIFYPEER, 1),
        (pycurl.PROXY_SSL_VERIFYHOST, 2),
        (pycurl.HEADEROPT, pycurl.HEADER_SEPARATE),  # do not send our headers to the proxy in CONNECT
        (_SUPPRESS_CONNECT_HEADERS, 1),
        (pycurl.CONNECTTIMEOUT_MS, int(network.connect_timeout * 1000)),
        (pycurl.LOW_SPEED_LIMIT, max(1, network.minimum_rate)),
        (pycurl.LOW_SPEED_TIME, max(1, round(network.stall_timeout))),
        # `store.rate_limited` counts bytes: with a limit of its own,
        # libcurl stops watching connections that it reuses.
        (pycurl.MAX_RECV_SPEED_LARGE, 0),
        (pycurl.MAXAGE_CONN, IDLE_SECONDS),
        (pycurl.TCP_KEEPALIVE, 1),
        (pycurl.BUFFERSIZE, RECEIVE_BUFFER),
    ):
        handle.setopt(option, value)
    return handle


def curl_fault(code: int, message: str, *, connected: bool) -> Fault:
    """The fault of a transfer that libcurl ended with `code`.
    `connected` says whether the connection was ready."""
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
    """A handshake that OpenSSL refused has an OpenSSL error in its text;
    one that was cut off is a lost connection."""
    refused = "error:" in text and "unexpected eof" not in text
    return FaultKind.TLS if refused else FaultKind.CONNECT
