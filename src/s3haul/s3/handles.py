"""libcurl handles with every option that matters set explicitly. Nothing is sent here.

Left alone, libcurl obeys proxy variables, looks for certificate authorities where it was built, and speaks a dozen
other protocols. What is set here holds for every request of s3haul that does not go through the SDK.
"""

from dataclasses import dataclass, field

import pycurl

from s3haul.s3.limits import CONNECT_TIMEOUT
from s3haul.store.protocol import OnTiming, RequestTiming

IDLE_SECONDS = (
    30  # an idle connection is not used again after that; servers close theirs at about the same age
)
RECEIVE_BUFFER = 256 << 10  # bytes; libcurl hands over 16 KiB at a time, whatever this is

_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS of curl.h, which pycurl does not name


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How servers are reached. `authorities` is a PEM file, `proxy` a URL, which may hold a password, or "".

    A connection that brings less than `minimum_rate` bytes/s for `stall_timeout` seconds has stalled.
    """

    authorities: str
    proxy: str = field(default="", repr=False)
    connect_timeout: float = CONNECT_TIMEOUT
    stall_timeout: float = 60.0
    minimum_rate: int = 1024
    maximum_rate: int = 0  # of one connection; 0 is no limit
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
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.HTTP09_ALLOWED, 0),
        (pycurl.PATH_AS_IS, 1),  # a key may hold "/../"
        (pycurl.FOLLOWLOCATION, 0),  # the signature and the session token do not follow
        (pycurl.NETRC, pycurl.NETRC_IGNORED),
        (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
        (pycurl.SSL_VERIFYPEER, 1),
        (pycurl.SSL_VERIFYHOST, 2),
        (pycurl.CAINFO, network.authorities),
        (pycurl.PROXY, network.proxy),  # "" also keeps libcurl from asking the environment
        (pycurl.NOPROXY, ""),
        (pycurl.PROXY_CAINFO, network.authorities),
        (pycurl.PROXY_SSL_VERIFYPEER, 1),
        (pycurl.PROXY_SSL_VERIFYHOST, 2),
        (pycurl.HEADEROPT, pycurl.HEADER_SEPARATE),  # signed headers are not for the proxy
        (_SUPPRESS_CONNECT_HEADERS, 1),
        (pycurl.CONNECTTIMEOUT_MS, int(network.connect_timeout * 1000)),
        (pycurl.LOW_SPEED_LIMIT, max(1, network.minimum_rate)),
        (pycurl.LOW_SPEED_TIME, max(1, round(network.stall_timeout))),
        (pycurl.MAX_RECV_SPEED_LARGE, network.maximum_rate),
        (pycurl.MAXAGE_CONN, IDLE_SECONDS),
        (pycurl.TCP_KEEPALIVE, 1),
        (pycurl.BUFFERSIZE, RECEIVE_BUFFER),
    ):
        handle.setopt(option, value)
    return handle
