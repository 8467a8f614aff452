"""Every fault of an object's answer, seen from the wire."""

import http.client
import socket
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.server import DemoServer

BODY = bytes(range(256)) * 40
KEY = f"/{seed.BUCKET}/k"
CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}


@pytest.fixture(autouse=True)
def stored(cloud: Cloud) -> None:
    cloud.put(seed.BUCKET, "k", BODY)


def opened(clients: Clients, timeout: float = 10) -> http.client.HTTPResponse:
    """A GET whose body is not yet read."""
    connection = clients.connection(timeout)
    connection.request("GET", KEY, headers=clients.signed("GET", KEY))
    response = connection.getresponse()
    clients.opened.append(response)
    return response


def read_until_broken(response: http.client.HTTPResponse) -> tuple[bytes, Exception | None]:
    got = b""
    try:
        while piece := response.read1(65_536):
            got += piece
    except (OSError, http.client.HTTPException) as error:
        return got, error
    return got, None


@pytest.mark.parametrize("tls", [False, True])
def test_a_reset_cuts_the_body_after_the_given_bytes(cloud: Cloud, tls: bool) -> None:
    cloud.put(seed.BUCKET, "k", BODY, sse="AES256")
    with DemoServer(cloud, tls=tls) as server:
        clients = Clients(server)
        server.faults.add("reset", after=5000)
        got, error = read_until_broken(opened(clients))
        clients.close()
        assert server.calls[-1].sent == 5000
    assert got == BODY[:5000]
    # Python's blocking TLS socket shows a reset as an end of file.
    assert tls or isinstance(error, ConnectionResetError)


def test_a_short_body_has_the_right_length_header_and_an_orderly_end(
    server: DemoServer, clients: Clients
) -> None:
    server.faults.add("short", after=5000)
    response = opened(clients)
    assert response.headers["Content-Length"] == str(len(BODY))
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    assert caught.value.partial == BODY[:5000]


def test_a_close_comes_before_any_header(server: DemoServer, clients: Clients) -> None:
    server.faults.add("close")
    with pytest.raises(http.client.RemoteDisconnected):
        opened(clients)


def test_a_stall_sends_nothing_more_until_the_client_leaves(server: DemoServer, clients: Clients) -> None:
    server.faults.add("stall", after=100)
    got, error = read_until_broken(opened(clients, timeout=0.3))
    assert got == BODY[:100]
    assert isinstance(error, TimeoutError)


def test_a_trickle_comes_slowly_but_whole(cloud: Cloud, server: DemoServer, clients: Clients) -> None:
    cloud.put(seed.BUCKET, "k", BODY[:100])
    server.faults.add("trickle", rate=2000)
    response = opened(clients)
    pieces = []
    while piece := response.read1(65_536):
        pieces.append(piece)
    assert b"".join(pieces) == BODY[:100]
    assert server.calls[-1].sent == 100


def test_a_delay_holds_back_the_first_byte(server: DemoServer, clients: Clients) -> None:
    server.faults.add("delay", seconds=60, exactly=1)
    server.faults.add("delay", seconds=0.01, exactly=2)
    with pytest.raises(TimeoutError):
        opened(clients, timeout=0.3)
    assert opened(clients).read() == BODY


def test_a_server_with_stalled_clients_stops(cloud: Cloud) -> None:
    with DemoServer(cloud) as server:
        clients = Clients(server)
        server.faults.add("stall", after=1)
        server.faults.add("delay", seconds=60, operation="HeadObject")
        response = opened(clients)
        connection = clients.connection()
        connection.request("HEAD", KEY, headers=clients.signed("HEAD", KEY))
        assert response.read1(1) == BODY[:1]
    clients.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(clients.netloc.rpartition(":")[2])))


@pytest.mark.parametrize(
    ("effect", "given", "body"),
    [
        ("flip", {"offset": 300}, BODY[:300] + bytes([BODY[300] ^ 0xFF]) + BODY[301:]),
        ("shorten", {"count": 50}, BODY[:-50]),
        ("empty-200", {}, b""),
        ("no-content-length", {}, BODY),
    ],
)
def test_a_changed_body_goes_out_as_if_it_were_right(
    server: DemoServer, clients: Clients, effect: str, given: dict[str, Any], body: bytes
) -> None:
    server.faults.add(effect, **given)
    answer = clients.raw("GET", KEY)
    assert (answer.status, answer.body) == (200, body)
    expected = None if effect == "no-content-length" else str(len(body))
    assert answer.headers.get("content-length") == expected


def test_extra_bytes_follow_the_object(server: DemoServer, clients: Clients) -> None:
    server.faults.add("extra", count=5)
    answer = clients.raw("GET", KEY)
    assert (answer.body[:-5], len(answer.body)) == (BODY, len(BODY) + 5)


def test_an_early_end_of_a_body_without_a_length_cannot_be_detected(
    server: DemoServer, clients: Clients
) -> None:
    server.faults.add("no-content-length")
    server.faults.add("short", after=77)
    assert clients.raw("GET", KEY).body == BODY[:77]


def test_a_flip_in_a_large_body_hits_the_byte_and_no_other(
    cloud: Cloud, server: DemoServer, clients: Clients
) -> None:
    body = BODY * 100
    cloud.put(seed.BUCKET, "k", body)
    server.faults.add("flip", offset=700_000)
    got = clients.raw("GET", KEY).body
    assert [index for index in range(len(body)) if got[index] != body[index]] == [700_000]


def test_a_wrong_checksum_header_differs_from_the_right_one(server: DemoServer, clients: Clients) -> None:
    right = clients.raw("GET", KEY, headers=CHECKSUM).headers
    server.faults.add("wrong-checksum", exactly=1)
    server.faults.add("no-checksum", exactly=2)
    wrong = clients.raw("GET", KEY, headers=CHECKSUM).headers
    name = "x-amz-checksum-crc64nvme"
    assert len(wrong[name]) == len(right[name])
    assert wrong[name] != right[name]
    assert wrong["x-amz-checksum-type"] == "FULL_OBJECT"
    assert name not in clients.raw("GET", KEY, headers=CHECKSUM).headers


def test_a_wrong_etag_and_a_bare_204(server: DemoServer, clients: Clients) -> None:
    server.faults.add("wrong-etag", exactly=1)
    server.faults.add("bare-204", exactly=2)
    assert clients.raw("GET", KEY).headers["etag"] == '"00000000000000000000000000000000"'
    answer = clients.raw("GET", KEY)
    assert (answer.status, answer.body) == (204, b"")
    assert "etag" not in answer.headers


def test_a_range_can_be_answered_wrongly(server: DemoServer, clients: Clients) -> None:
    ask = {"Range": "bytes=10-19", "X-Amz-Checksum-Mode": "ENABLED"}
    server.faults.add("wrong-content-range", exactly=1)
    server.faults.add("ignore-range", exactly=2)
    moved = clients.raw("GET", KEY, headers=ask)
    assert (moved.status, moved.headers["content-range"]) == (206, f"bytes 11-20/{len(BODY)}")
    assert moved.body == BODY[10:20]
    whole = clients.raw("GET", KEY, headers=ask)
    assert (whole.status, whole.body) == (200, BODY)
    assert "x-amz-checksum-crc64nvme" in whole.headers


def test_two_content_lengths_are_sent(server: DemoServer, clients: Clients) -> None:
    server.faults.add("duplicate-content-length")
    assert opened(clients).headers.get_all("Content-Length") == [str(len(BODY)), str(len(BODY) + 1)]


ERRORS = [
    (500, "InternalError", "We encountered an internal error. Please try again."),
    (503, "SlowDown", "Please reduce your request rate."),
    (503, "SlowDown", "Please reduce your request rate for operations involving AWS KMS."),
    (403, "AccessDenied", "Access Denied"),
    (400, "ExpiredToken", "The provided token has expired."),
]


@pytest.mark.parametrize(("status", "code", "message"), ERRORS)
def test_an_error_is_answered_with_its_status_code_and_headers(
    server: DemoServer, clients: Clients, status: int, code: str, message: str
) -> None:
    headers = {"x-amz-retry-after": "5"}
    server.faults.add("error", status=status, code=code, message=message, headers=headers)
    answer = clients.raw("GET", KEY)
    assert (answer.status, answer.code, answer.message) == (status, code, message)
    assert answer.headers["x-amz-retry-after"] == "5"
    head = clients.raw("HEAD", KEY)
    assert (head.status, head.body) == (status, b"")


def test_sts_can_be_down(server: DemoServer, clients: Clients) -> None:
    server.faults.add("error", operation="AssumeRole", first=1, status=503, code="ServiceUnavailable")
    ask = {"RoleArn": seed.ROLE_ARN, "RoleSessionName": "tester", "ExternalId": seed.EXTERNAL_ID}
    with pytest.raises(ClientError) as caught:
        clients.sts().assume_role(**ask)
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert clients.sts().assume_role(**ask)["Credentials"]


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_names_the_given_place(server: DemoServer, clients: Clients, status: int) -> None:
    server.faults.add("redirect", status=status, location="https://127.0.0.1:1/x", region="eu-west-1")
    answer = clients.raw("GET", KEY)
    assert (answer.status, answer.headers["location"]) == (status, "https://127.0.0.1:1/x")
    assert answer.headers["x-amz-bucket-region"] == "eu-west-1"


def test_an_object_can_change_or_vanish_between_two_calls(server: DemoServer, clients: Clients) -> None:
    server.faults.add("change", operation="GetObject", exactly=2)
    server.faults.add("delete", operation="GetObject", exactly=4)
    etag = clients.raw("GET", KEY).headers["etag"]
    assert clients.raw("GET", KEY, headers={"If-Match": etag}).status == 412
    changed = clients.raw("GET", KEY)
    assert (len(changed.body), changed.body != BODY) == (len(BODY), True)
    assert clients.raw("GET", KEY).status == 404


def test_sessions_can_expire_in_mid_run(server: DemoServer, clients: Clients) -> None:
    role = clients.role()
    server.faults.add("expire-sessions", exactly=2)
    codes = [clients.raw("GET", KEY, credentials=role).code for _ in range(3)]
    assert codes == ["", "ExpiredToken", "ExpiredToken"]
    assert clients.raw("GET", KEY).status == 200
