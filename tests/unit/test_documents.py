"""S3's XML, sound and unsound."""

import pytest

from s3haul.s3 import documents

LIST = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix>
<NextContinuationToken>a+b/c==</NextContinuationToken><KeyCount>3</KeyCount><MaxKeys>1000</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<Contents><Key>a%20b%2Bc+d%0A%F0%9F%98%80</Key><LastModified>2024-01-01T00:00:01.500Z</LastModified>
<ETag>&quot;e&quot;</ETag><ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>
<Size>5497558138880</Size><Owner><ID>x</ID></Owner><StorageClass>GLACIER</StorageClass>
<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>
<RestoreExpiryDate>2034-01-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus></Contents>
<Contents><Key>b</Key><Size>0</Size>
<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus></Contents>
<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes></ListBucketResult>"""


def test_every_field_of_a_page_is_read():
    page = documents.list_page(documents.read(LIST.encode()))
    assert (page.truncated, page.token, page.key_count, page.empty_answer) == (True, "a+b/c==", 3, False)
    first, second = page.entries
    assert first == (
        "a b+c d\n\U0001f600",
        5497558138880,
        '"e"',
        1704067201.5,
        "GLACIER",
        None,
        "COMPOSITE",
        True,
    )
    assert second == ("b", 0, "", 0.0, "STANDARD", None, "", False)


def test_keys_are_decoded_only_where_the_page_says_that_they_are_encoded():
    plain = LIST.replace("<EncodingType>url</EncodingType>", "")
    page = documents.list_page(documents.read(plain.encode()))
    assert page.entries[0].key == "a%20b%2Bc+d%0A%F0%9F%98%80"


def test_a_page_without_a_namespace_is_read_too():
    bare = LIST.replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', "")
    assert len(documents.list_page(documents.read(bare.encode())).entries) == 2


@pytest.mark.parametrize(
    "text", ["<html><body/></html>", "<ListBucketResult/>", "<Other><Key>k</Key></Other>"]
)
def test_a_document_without_a_listing_in_it_is_an_empty_answer(text):
    assert documents.list_page(documents.read(text.encode())).empty_answer


@pytest.mark.parametrize(
    "row",
    [
        "<Key>k</Key><Size>-1</Size>",
        "<Key>k</Key><Size>1_0</Size>",
        "<Key>k</Key><Size></Size>",
        "<Key>k</Key><Size>\u0665</Size>",
        "<Key>k</Key><LastModified>soon</LastModified>",
        "<Size>1</Size>",
    ],
)
def test_an_entry_that_does_not_parse_is_refused(row):
    text = f"<ListBucketResult><Contents>{row}</Contents></ListBucketResult>"
    with pytest.raises(ValueError, match=r"."):
        documents.list_page(documents.read(text.encode()))


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
def test_a_document_that_could_mean_harm_or_nothing_is_refused(body):
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


def test_an_error_names_what_it_names():
    text = (
        "<Error><Code>PermanentRedirect</Code><Message/><Region>eu-west-1</Region><HostId>h</HostId></Error>"
    )
    assert documents.error(documents.read(text.encode())) == {
        "Code": "PermanentRedirect",
        "Region": "eu-west-1",
    }
