"""Pages of the listing: all fields, the variants of servers, and equal results of pattern and parser."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3haul.models import ListPage, ObjectRef, UnusableEntry
from s3haul.s3 import documents, list_pages

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


def page_of(text: str) -> ListPage:
    return list_pages.list_page(list_pages.read(text.encode()))


def by_parser(text: str) -> ListPage:
    return list_pages.list_page(list_pages.PageDocument(documents.read(text.encode()).root))


def outcome(read, text):
    try:
        return read(text)
    except ValueError:
        return ValueError


def listing(contents: str, frame: str = "<EncodingType>url</EncodingType>") -> str:
    return f"<ListBucketResult><Name>b</Name>{frame}{contents}</ListBucketResult>"


def entry(key="k", size="1", modified="2026-01-02T03:04:05.000Z", etag="&quot;e&quot;"):
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def test_every_field_of_a_page_is_read():
    page = page_of(LIST)
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
    page = page_of(plain)
    assert page.entries[0].key == "a%20b%2Bc+d%0A%F0%9F%98%80"


def test_a_page_without_a_namespace_is_read_too():
    bare = LIST.replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', "")
    assert len(page_of(bare).entries) == 2


@pytest.mark.parametrize(
    "text", ["<html><body/></html>", "<ListBucketResult/>", "<Other><Key>k</Key></Other>"]
)
def test_a_document_without_a_listing_is_an_empty_response(text):
    assert page_of(text).empty_answer


# --- strict if keys could be wrong, tolerant otherwise ---


@pytest.mark.parametrize(
    ("frame", "truncated"),
    [
        ("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>", True),
        ("<IsTruncated>True</IsTruncated><NextContinuationToken>t</NextContinuationToken>", True),
        ("<IsTruncated>1</IsTruncated><NextContinuationToken>t</NextContinuationToken>", True),
        ("<NextContinuationToken>t</NextContinuationToken>", True),
        ("<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>", True),
        ("<IsTruncated>1</IsTruncated>", True),
        ("<IsTruncated>perhaps</IsTruncated>", True),
        ("<IsTruncated>false</IsTruncated>", False),
        ("<IsTruncated>False</IsTruncated><NextContinuationToken/>", False),
        ("<IsTruncated>0</IsTruncated>", False),
        ("<IsTruncated/>", False),
        ("", False),
    ],
)
def test_a_page_is_the_last_one_only_without_a_token_and_with_a_flag_that_says_so(frame, truncated):
    for contents in (entry(), ""):
        assert page_of(listing(contents, frame)).truncated is truncated


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T03:04:05.000Z", 1767323045.0),
        ("2026-01-02T03:04:05.001Z", 1767323045.001),
        ("2026-01-02T03:04:05", 1767323045.0),
        ("2026-01-02T04:04:05+01:00", 1767323045.0),
        ("Fri, 02 Jan 2026 03:04:05 GMT", 1767323045.0),
        ("1767323045", 1767323045.0),
        ("", 0.0),
        ("soon", 0.0),
        ("2026-13-02T03:04:05.000Z", 0.0),
        ("9" * 400, 0.0),
    ],
)
def test_an_invalid_date_only_loses_the_date(text, seconds):
    (ref,) = page_of(listing(entry(modified=text))).entries
    assert ref == ObjectRef("k", 1, '"e"', seconds)


@pytest.mark.parametrize("size", ["", "-1", "1_0", "\u0665", "1e3", "9223372036854775808", "9" * 400])
def test_an_invalid_size_makes_only_its_entry_unusable(size):
    page = page_of(listing(entry("a") + entry("b", size) + entry("c")))
    assert [ref.key for ref in page.entries] == ["a", "c"]
    (unusable,) = page.unusable
    assert unusable.key == "b"
    assert unusable.detail.isascii()
    assert "size" in unusable.detail


def test_keys_that_are_not_utf8_stay_different_and_show_their_bytes():
    page = page_of(listing(entry("ok") + entry("z%FE") + entry("z%FF") + entry("z%EF%BF%BD")))
    assert [ref.key for ref in page.entries] == ["ok", "z\ufffd"]
    assert page.unusable == (
        UnusableEntry("z\udcfe", "its key is not valid UTF-8: b'z\\xfe'"),
        UnusableEntry("z\udcff", "its key is not valid UTF-8: b'z\\xff'"),
    )


@pytest.mark.parametrize("form", ["Tue, 14 Nov 2023 22:13:20 GMT", "1700000000", "", "yesterday"])
def test_a_time_in_another_format_is_parsed_or_only_the_time_is_lost(form):
    page = page_of(listing(entry(modified=form)))
    assert [ref.key for ref in page.entries] == ["k"]
    assert page.unusable == ()


def test_an_entry_without_a_key_makes_the_page_unreadable():
    with pytest.raises(ValueError, match="without a key"):
        page_of(listing("<Contents><Size>1</Size></Contents>"))


# --- the pattern and the parser ---

RESTORED = (
    "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
    "<RestoreExpiryDate>2034</RestoreExpiryDate></RestoreStatus>"
)
DATE = "<LastModified>2026-01-02T03:04:05.678Z</LastModified>"
PLAIN = {
    "AWS": f"<Contents><Key>a/b%20c</Key>{DATE}<ETag>&quot;e&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>7</Size>"
    f"<StorageClass>GLACIER</StorageClass>{RESTORED}</Contents>",
    "MinIO": f"<Contents><Key>a</Key>{DATE}<ETag>&#34;e&#34;</ETag><Size>7</Size>"
    "<Owner><ID></ID><DisplayName></DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>",
    "Ceph": f"<Contents><Key>a</Key>{DATE}<ETag>&quot;e&quot;</ETag>"
    "<Size>7</Size><StorageClass>STANDARD</StorageClass><Owner><ID>o</ID><DisplayName>o</DisplayName></Owner>"
    "<Type>Normal</Type></Contents>",
    "the embedded cloud": f'<Contents><Key>a</Key>{DATE}<ETag>"e"</ETag><Size>7</Size></Contents>',
}


@pytest.mark.parametrize("server", PLAIN)
def test_the_common_servers_pages_are_read_by_the_pattern(server):
    text = listing(PLAIN[server] * 3)
    assert len(list_pages.read(text.encode()).columns.keys) == 3
    assert page_of(text) == by_parser(text)


@pytest.mark.parametrize(
    "text",
    [
        listing("<Wrapper>" + entry() + "</Wrapper>"),
        listing("<!-- " + entry() + " -->"),
        listing("<![CDATA[" + entry() + "]]>"),
        listing(entry() + "<!-- <Contents> -->" + entry()),
        listing(entry() + "<Wrapper/>" + entry("l")),
        listing(entry("a]]&gt;b")),
        listing(entry("a]]>b")),
        listing(entry("&lt;")),
        listing(entry("\t")),
        listing(entry("\x7f")),
        listing(entry("é")),
        listing(entry(modified="2026-02-30T03:04:05.000Z")),
        listing(entry(modified="2026-02-03T03:04:05") + entry("l")),
        listing(entry(modified="2026-02-03T03:04:05+01:00") + entry("l")),
        listing(entry().replace("<Contents>", "<Contents><Contents/>")),
        listing(entry().replace("<Contents>", '<Contents xmlns="other">')),
        '<s:ListBucketResult xmlns:s="space"><Name>b</Name>' + entry() + "</s:ListBucketResult>",
        '<ListBucketResult xmlns="space"><Name>b</Name>' + entry() + "</ListBucketResult>",
        listing(entry(etag="&quot;a&amp;b&quot;")),
        listing(entry(etag="a\rb")),
        listing(entry(modified="a>b")),
        listing(entry().replace("<StorageClass>", f"{RESTORED}<StorageClass>")),
        listing("</Contents><Contents>"),
        listing(entry() + "x"),
        listing(entry()) + "x",
        listing(entry()) + "<!-- </Contents> -->",
        "<Contents></Contents>",
        entry(),
    ],
)
def test_text_that_only_looks_like_an_entry_is_left_to_the_parser(text):
    assert outcome(page_of, text) == outcome(by_parser, text)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ELEMENTS = {
    "Key": TEXT | st.sampled_from(["a%20b", "a+b", "%FF", "%C3%A9", "a/b.json", "", "%", "%4"]),
    "LastModified": st.sampled_from(
        ["2026-01-02T03:04:05.000Z", "2026-02-30T03:04:05.250Z", "2026-01-02T24:00:00.000Z", "", "7", "soon"]
    )
    | st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
    "ETag": st.sampled_from(['"e"', "e", '""e""', ""]),
    "ChecksumAlgorithm": st.sampled_from(["CRC32", "", "?"]),
    "ChecksumType": st.sampled_from(["FULL_OBJECT", "COMPOSITE", ""]),
    "Size": st.integers(0, 2**64).map(str) | st.sampled_from(["", "-1", "007", "x"]),
    "StorageClass": st.sampled_from(["STANDARD", "GLACIER", "", "a b"]),
    "Other": TEXT,
}
SHAPE = [name for name in ELEMENTS if name != "Other"]


@st.composite
def entries(draw):
    names = SHAPE if draw(st.booleans()) else draw(st.lists(st.sampled_from(list(ELEMENTS)), max_size=8))
    quote = draw(st.sampled_from(['"', "&quot;", "&#34;"]))
    parts = []
    for name in names:
        text = draw(ELEMENTS[name]).replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")
        parts.append(f"<{name}>{text.replace(chr(34), quote)}</{name}>")
    parts.append(draw(st.sampled_from(["", RESTORED, "<RestoreStatus/>", "<Owner><ID>o</ID></Owner>"])))
    return "<Contents>" + "".join(parts) + "</Contents>"


@settings(max_examples=300)
@given(
    st.lists(entries() | st.just(entry()), max_size=4),
    st.sampled_from(["", "<EncodingType>url</EncodingType>", "<IsTruncated>true</IsTruncated>\n"]),
    st.sampled_from(["", "\n", "<CommonPrefixes/>"]),
)
def test_pattern_and_parser_read_the_same_of_every_page(contents, frame, between):
    text = listing(between.join(contents), frame)
    assert outcome(page_of, text) == outcome(by_parser, text)


@settings(max_examples=300)
@given(st.data())
def test_pattern_and_parser_agree_on_a_page_with_any_character_changed(data):
    text = listing(PLAIN["AWS"] + PLAIN["MinIO"])
    start = data.draw(st.integers(0, len(text)))
    end = start + data.draw(st.integers(0, 2))
    text = text[:start] + data.draw(st.text('<>/&;"a1\r\n ]é%+', max_size=2)) + text[end:]
    assert outcome(page_of, text) == outcome(by_parser, text)


@given(
    st.lists(
        st.one_of(
            st.text(alphabet="%+0fFeE9 ab\\xuN", max_size=12),
            st.text(max_size=6).map(lambda text: quote(text, errors="surrogatepass")),
            st.binary(max_size=6).map(quote),
        ),
        max_size=5,
    )
)
def test_keys_are_decoded_together_as_they_are_one_by_one(texts):
    keys, wrong = list_pages.decoded_keys(texts)
    pairs = [(key, wrong.get(at, "")) for at, key in enumerate(keys)]
    assert pairs == [list_pages.decoded_key(text) for text in texts]
