"""Every fault of a listing, seen by a client that walks the pages trustingly."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.server import DemoServer

LIST = f"/{seed.BUCKET}?list-type=2&max-keys=3"


def pages(clients: Clients, limit: int = 6) -> list[dict[str, Any]]:
    """The pages as a trusting client would walk them, at most `limit`."""
    found, token = [], ""
    for _ in range(limit):
        target = LIST + (f"&continuation-token={token}" if token else "")
        root = ET.fromstring(clients.raw("GET", target).text)
        space = {"s3": root.tag.partition("}")[0][1:]}
        given = root.findtext("s3:NextContinuationToken", "", space)
        found.append(
            {
                "keys": [e.text for e in root.findall("s3:Contents/s3:Key", space)],
                "count": int(root.findtext("s3:KeyCount", "", space)),
                "truncated": root.findtext("s3:IsTruncated", "", space) == "true",
                "token": given,
            }
        )
        token = given.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
        if not found[-1]["truncated"] or not given:
            break
    return found


@pytest.fixture
def many(cloud: Cloud) -> None:
    for number in range(8):
        cloud.put(seed.BUCKET, f"{number}", b"x")


def test_an_undisturbed_listing_is_whole(many: None, clients: Clients) -> None:
    assert [page["keys"] for page in pages(clients)] == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"]]


def test_a_truncated_page_can_lack_its_token(many: None, server: DemoServer, clients: Clients) -> None:
    server.faults.add("truncated-without-token", exactly=2)
    first, second = pages(clients)
    assert (first["truncated"], bool(first["token"])) == (True, True)
    assert (second["keys"], second["truncated"], second["token"]) == (["3", "4", "5"], True, "")


def test_the_last_page_can_claim_more_without_a_token(
    many: None, server: DemoServer, clients: Clients
) -> None:
    server.faults.add("truncated-without-token", exactly=3)
    assert pages(clients)[2] == {"keys": ["6", "7"], "count": 2, "truncated": True, "token": ""}


def test_a_token_can_be_repeated_for_ever(many: None, server: DemoServer, clients: Clients) -> None:
    server.faults.add("repeated-token", since=2)
    walked = pages(clients)
    assert len(walked) == 6
    assert [page["keys"] for page in walked[1:]] == [["3", "4", "5"]] * 5
    assert len({page["token"] for page in walked}) == 1


def test_a_key_count_can_be_wrong(many: None, server: DemoServer, clients: Clients) -> None:
    server.faults.add("wrong-key-count", first=1)
    assert (pages(clients)[0]["count"], pages(clients)[0]["count"]) == (4, 3)


def test_keys_can_be_out_of_order(many: None, server: DemoServer, clients: Clients) -> None:
    server.faults.add("out-of-order", exactly=2)
    assert [page["keys"] for page in pages(clients)] == [["0", "1", "2"], ["5", "4", "3"], ["6", "7"]]


def test_a_key_can_come_twice_in_a_page_or_over_two(many: None, server: DemoServer, clients: Clients) -> None:
    rule = server.faults.add("duplicate-key", first=1)
    assert pages(clients)[0] == {"keys": ["0", "0", "1", "2"], "count": 4, "truncated": True} | {
        "token": pages(clients)[0]["token"]
    }
    server.faults.remove(rule)
    server.faults.add("duplicate-key-across-pages", exactly=1)
    assert [page["keys"] for page in pages(clients)] == [["0", "1", "2"], ["2", "3", "4"], ["5", "6", "7"]]


def test_list_xml_can_break_off(many: None, server: DemoServer, clients: Clients) -> None:
    server.faults.add("truncated-xml", operation="ListObjectsV2")
    answer = clients.raw("GET", LIST)
    assert answer.status == 200
    with pytest.raises(ET.ParseError):
        ET.fromstring(answer.text)


def test_a_list_answer_can_be_empty(many: None, server: DemoServer, clients: Clients) -> None:
    server.faults.add("empty-200", operation="ListObjectsV2")
    answer = clients.raw("GET", LIST)
    assert (answer.status, answer.body) == (200, b"")
