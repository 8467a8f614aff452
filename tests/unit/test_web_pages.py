"""A web page comes from a proxy or portal; an error in XML comes from the service,
whatever its content type."""

import pytest

from s3haul.core.retry import Move, RetryLimits, RetryState, decide
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.errors import FaultKind
from s3haul.s3.documents import interception

HTML = {"content-type": "text/html; charset=utf-8"}
PAGE = b"<html><head><title>Blocked &amp; <b>logged</b></title></head><body>no</body></html>"


@pytest.mark.parametrize("status", [200, 400, 403, 404])
@pytest.mark.parametrize("headers", [HTML, {}, {"content-type": "application/xml"}])
def test_a_web_page_is_recognised_by_its_content(status, headers):
    fault = interception(status, headers, PAGE)
    assert fault is not None
    assert fault.kind is FaultKind.INTERCEPTED
    assert f"HTTP {status}" in fault.message
    assert "'Blocked & logged'" in fault.message


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (403, HTML, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
        (403, HTML, b"<Error><Code>AccessDenied</Code></Error>"),
        (403, HTML, b'{"message": "no"}'),
        (403, HTML, b""),
        (200, {}, b"<ListBucketResult/>"),
        (503, HTML, PAGE),
        (500, HTML, PAGE),
        (429, HTML, PAGE),
    ],
)
def test_errors_of_services_and_load_balancers_are_not_web_pages(status, headers, body):
    assert interception(status, headers, body) is None


def test_a_refusal_in_plain_text_is_not_from_the_service():
    fault = interception(403, {"content-type": "text/plain"}, b"Blocked by\npolicy 7")
    assert fault is not None
    assert "'Blocked by policy 7'" in fault.message
    assert interception(404, {"content-type": "text/plain"}, b"404 page not found") is None


@pytest.mark.parametrize("status", [407, 511])
def test_a_request_for_network_login_is_from_an_intermediary_whatever_its_body(status):
    assert interception(status, {}, b"") is not None


def test_the_message_contains_the_heading_of_the_page_and_the_server_name():
    fault = interception(
        403, HTML | {"server": "Zscaler"}, b"<!DOCTYPE html><h1 class=x>Web page\nblocked</h1>"
    )
    assert "'Web page blocked'" in fault.message
    assert "'Zscaler'" in fault.message


def test_it_is_a_network_error_for_every_kind_of_request_and_is_not_retried():
    fault = interception(403, HTML, PAGE)
    assert {diagnosis_id(fault, asked) for asked in RequestKind} == {"S3H-NET-09"}
    assert decide(fault, RetryState(1, 0.0), RetryLimits(9, 900.0), 0.5).move is Move.FAIL
