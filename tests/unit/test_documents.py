"""S3's XML documents, valid and invalid ones, without pages of the listing."""

import pytest

from s3haul.s3 import documents

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><x>&b;</x>'


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


def test_the_fields_of_an_error_document_are_read():
    text = (
        "<Error><Code>PermanentRedirect</Code><Message/><Region>eu-west-1</Region><HostId>h</HostId></Error>"
    )
    assert documents.error(documents.read(text.encode())) == {
        "Code": "PermanentRedirect",
        "Region": "eu-west-1",
    }
