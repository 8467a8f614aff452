"""S3's XML documents, valid and invalid ones, without pages of the listing."""

import gzip

import pytest

from s3haul.s3 import documents

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><x>&b;</x>'


def zipped(data):
    """Without the time, which would be in the name of the test."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    "body",
    [
        BOMB.encode(),
        BOMB.encode("utf-16"),
        BOMB.encode("utf-16-le"),
        b'<?xml version="1.0" encoding="utf-16"?>' + BOMB.encode(),
        b'<?xml version="1.0" encoding="cp037"?>' + BOMB.encode("cp037"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<x>&undefined;</x>",
        b"<x>\xff</x>",
        b"<x>&#0;</x>",
        b"<x><y></x>",
        b"<x/><x/>",
        b"<x",
        b"",
    ],
)
def test_a_dangerous_or_invalid_document_is_refused(body):
    with pytest.raises(ValueError, match=r"."):
        documents.read(body)


def test_the_parts_of_an_object_are_read_with_their_digests():
    text = """<GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>e</ETag>
    <Checksum><ChecksumSHA256>whole=</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType></Checksum>
    <ObjectParts><TotalPartsCount>2</TotalPartsCount><IsTruncated>true</IsTruncated>
    <NextPartNumberMarker>1</NextPartNumberMarker>
    <Part><PartNumber>1</PartNumber><Size>10</Size><ChecksumSHA256>one=</ChecksumSHA256></Part></ObjectParts>
    <ObjectSize>22</ObjectSize></GetObjectAttributesResponse>"""
    assert documents.attributes(documents.read(text.encode())) == {
        "ObjectSize": 22,
        "Checksum": {"ChecksumSHA256": "whole=", "ChecksumType": "COMPOSITE"},
        "ObjectParts": {
            "IsTruncated": True,
            "NextPartNumberMarker": 1,
            "Parts": [{"PartNumber": 1, "Size": 10, "ChecksumSHA256": "one="}],
        },
    }


FIELDS = "<Code>AccessDenied</Code><Message>no&lt;</Message><Region/>"
ERROR = f"<Error>{FIELDS}</Error>"


@pytest.mark.parametrize(
    "body",
    [
        ERROR.encode(),
        f'\n<?xml version="1.0"?><Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{FIELDS}</Error>'.encode(),
        ERROR.replace("<", "<s3:").replace("<s3:/", "</s3:").encode(),
        f'<ErrorResponse xmlns="x"><Error><Type>Sender</Type>{FIELDS}</Error></ErrorResponse>'.encode(),
        ERROR.replace(">A", ">\n  A").replace("</", " </").encode(),
        ERROR.replace("</Error>", "<Key>a&#x1;b\x01</Key></Error>").encode(),
        ERROR.replace("</Error>", "<Key>caf\xe9</Key></Error>").encode("latin-1"),
        zipped(ERROR.encode()),
        f"\ufeff{ERROR}".encode(),
        f"<Error>{FIELDS}<Code>Second</Code>".encode(),
    ],
)
def test_the_fields_of_an_error_document_are_read_in_every_form(body):
    assert documents.error(body) == {"Code": "AccessDenied", "Message": "no<"}


@pytest.mark.parametrize("body", [b"", b"<Error/>", b"<html>Code</html>", zipped(ERROR.encode())[:-9]])
def test_without_an_error_document_the_status_is_the_code(body):
    assert documents.error_fields(403, {}, body) == {"Code": "403", "Message": "Forbidden"}


def test_a_message_of_any_length_is_limited():
    assert len(documents.error(f"<Message>{'x' * 60_000}</Message>".encode())["Message"]) == 4096


@pytest.mark.parametrize("document", [b"<x/>", b"\r\n <x/>", zipped(b"\n<x/>")])
def test_a_document_is_read_without_gzip_and_without_blanks(document):
    assert documents.plain(document) == b"<x/>"


@pytest.mark.parametrize(
    "body",
    [
        zipped(b"<x/>")[:-1],
        zipped(b"<x/>")[:2] + b"<x/>",
        zipped(b" " * (documents.LONGEST_PAGE + 1)),
    ],
)
def test_gzip_that_is_broken_or_too_long_is_refused(body):
    with pytest.raises(ValueError, match="gzip"):
        documents.plain(body)
