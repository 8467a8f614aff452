"""Every error code of libcurl is mapped to a fault with a kind that `core.retry` handles."""

import pycurl
import pytest

from s3haul.diagnose.reasons import reading_of, run_error
from s3haul.errors import FaultKind
from s3haul.s3.libcurl import KINDS, curl_fault

CODES = sorted(
    {
        value
        for name, value in vars(pycurl).items()
        if name.startswith("E_") and not name.startswith("E_MULTI") and isinstance(value, int) and value > 0
    }
)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("connected", [True, False])
def test_every_code_of_libcurl_is_a_fault_with_a_message(code, connected):
    fault = curl_fault(code, "", connected=connected)
    assert fault.kind in FaultKind
    assert fault.message


@pytest.mark.parametrize(
    ("code", "message", "connected", "kind"),
    [
        (pycurl.E_COULDNT_RESOLVE_HOST, "Could not resolve host: x", False, FaultKind.CONNECT),
        (pycurl.E_COULDNT_CONNECT, "refused", False, FaultKind.CONNECT),
        (pycurl.E_OPERATION_TIMEDOUT, "Connection timed out", False, FaultKind.CONNECT),
        (pycurl.E_OPERATION_TIMEDOUT, "Operation too slow", True, FaultKind.STALL),
        (pycurl.E_PEER_FAILED_VERIFICATION, "certificate", False, FaultKind.TLS),
        (
            pycurl.E_SSL_CONNECT_ERROR,
            "TLS connect error: error:0A00010B:wrong version number",
            False,
            FaultKind.TLS,
        ),
        (pycurl.E_SSL_CONNECT_ERROR, "error:0A000126:unexpected eof while reading", False, FaultKind.CONNECT),
        (pycurl.E_SSL_CONNECT_ERROR, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL", False, FaultKind.CONNECT),
        (pycurl.E_PARTIAL_FILE, "end of response", True, FaultKind.BROKEN),
        (pycurl.E_RECV_ERROR, "reset by peer", True, FaultKind.BROKEN),
        (pycurl.E_FILESIZE_EXCEEDED, "too large", True, FaultKind.PROTOCOL),
        (pycurl.E_OUT_OF_MEMORY, "", False, FaultKind.LOCAL),
    ],
)
def test_the_kind_of_fault_shows_the_layer_that_failed(code, message, connected, kind):
    assert curl_fault(code, message, connected=connected).kind is kind


def test_a_resolver_thread_that_cannot_be_started_is_a_limit_of_this_machine():
    fault = curl_fault(pycurl.E_COULDNT_RESOLVE_HOST, "getaddrinfo() thread failed to start", connected=False)
    error = run_error(fault, reading_of("s3://b/"))
    assert (fault.kind, error.exit_code, error.id) == (FaultKind.LOCAL, 5, "S3H-DST-11")


def test_the_table_has_no_code_twice_and_none_that_our_callbacks_cause():
    assert pycurl.E_WRITE_ERROR not in KINDS
    assert pycurl.E_OPERATION_TIMEDOUT not in KINDS
