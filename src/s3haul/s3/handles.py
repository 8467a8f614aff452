"""Creates libcurl handles, with every relevant option set explicitly. Sends nothing.

By default libcurl reads the proxy variables of the environment, uses the certificate authorities of the machine that
built it, and supports a dozen other protocols. The options here apply to every request that does not use the SDK.
"""

from dataclasses import dataclass, field

import pycurl

from s3haul.s3.endpoint import CONNECT_TIMEOUT
from s3haul.store.protocol import OnTiming, RequestTiming

# A connection that was idle for longer is not reused. Servers close idle connections after about this time, and a
# request that meets the close fails.
IDLE_SECONDS = 30
RECEIVE_BUFFER = 256 << 10  # bytes; libcurl still delivers 16 KiB at a time

_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS of curl.h, which pycurl does not name


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Network options. `authorities` is the path of a PEM file; `proxy` is a URL, maybe with a password, or "".

    A transfer has stalled if it receives less than `minimum_rate` bytes/s for `stall_timeout` seconds.
    """

    authorities: str
    proxy: str = field(default="", repr=False)
    connect_timeout: float = CONNECT_TIMEOUT
    stall_timeout: float = 60.0
    minimum_rate: int = 1024
    on_timing: OnTiming | None = None


def timing_of(handle: pycurl.Curl) -> RequestTiming:
    """Of the request that the handle has just ended."""
    sent = handle.getinfo(pycurl.PRETRANSFER_TIME)
    connected = sent if handle.getinfo(pycurl.NUM_CONNECTS) else None
    first = max(0.0, handle.getinfo(pycurl.STARTTRANSFER_TIME) - sent)
    total, status = handle.getinfo(pycurl.TOTAL_TIME), handle.getinfo(pycurl.RESPONSE_CODE)
    return RequestTiming(connected, first, total, status)


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
        # `store.limited` counts bytes: with a limit of its own, libcurl stops watching connections that it reuses.
        (pycurl.MAX_RECV_SPEED_LARGE, 0),
        (pycurl.MAXAGE_CONN, IDLE_SECONDS),
        (pycurl.TCP_KEEPALIVE, 1),
        (pycurl.BUFFERSIZE, RECEIVE_BUFFER),
    ):
        handle.setopt(option, value)
    return handle
