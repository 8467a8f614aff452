"""What goes wrong, as values: numbers, dates, words and documents that parsers have stumbled over. Pure."""

import random
import re

NUMBERS = (
    b"", b" ", b"0", b"-0", b"-1", b"+1", b"00010", b"1e3", b"0x10", b"1_0", b"1 2", b"1,1", b"10, 10", b"0.5", b"nan", b"inf",
    b"4294967296", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"9" * 30, b"9" * 5000,
    "\u0661\u0662".encode(), "\u00b2".encode(), b"\xff", b"1\0",
)  # fmt: skip

DATES = (
    b"", b"x", b"Mon, 01 Jan 0001 00:00:00 GMT", b"Mon, 01 Jan 0001 00:00:00 +2359", b"Mon, 01 Jan 0000 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 GMT", b"Fri, 31 Dec 9999 23:59:59 -2359", b"Fri, 31 Dec 9999 23:59:60 GMT",
    b"Mon, 01 Jan 2024 00:00:00 +9999", b"Mon, 01 Jan 2024 00:00:00 -99999999999999", b"Mon, 01 Jan 0001 00:00:00 -0000",
    b"Mon, 01 Jan 99999999999 00:00:00 GMT", b"Mon, 99 Jan 2024 00:00:00 GMT", b"Mon, 01 Foo 2024 00:00:00 GMT",
    b"Mon, 01 Jan 2024 24:00:00 GMT", b"Mon, 01 Jan 2024 99:99:99 GMT", "Mon, 0\u0661 Jan 2024 00:00:00 GMT".encode(),
    b"Mon, 01 Jan 2024 00:00:00", b"2024-01-01T00:00:00Z", b"9" * 400, b"-1", b"1e400", b"nan", b"\xff\xfe", b"," * 3000,
    b"Mon, 01 Jan " + b"9" * 5000 + b" 00:00:00 GMT", b"Mon, 01 Jan 2024 00:00:00 (((" + b"(" * 5000,
)  # fmt: skip

WORDS = (
    b"", b" ", b'"', b'""', b'"x"', b"x", b'W/"x"', b"chunked", b"gzip", b"identity", b"close", b"keep-alive, upgrade",
    b"aws:kms", b"aws:kms:dsse", b"AES256", b"true", b"TRUE", b"null", b"../../etc/passwd", b"http://127.0.0.1:1/", b"//x",
    b"a" * 3000, b"\xc3\x28", "\u202e\U0001f600".encode(), b"%00%0a", b"\x1b[2J", b'ongoing-request="false"',
)  # fmt: skip

CHECKSUMS = (
    b"", b"=", b"====", b"AAAA", b"AAAAAA==", b"AAAAAAAAAAA=", b"AAAAAAAAAAA", b"AAAAAAAAAAA=-1", b"AAAAAA==-2", b"AAAAAA==-0",
    b"AAAAAA==-99999999999", b"AAAAAA==--1", b"AAAAAA==-", "AAAAAA==-\u0661".encode(), b"AAAAAAAAAAA= ", b"AAAA\0AAAAAAA=",
    b"A" * 43 + b"=", b"A" * 27 + b"=", b"A" * 5000, b"\xff" * 12, b"!!!!!!!!", b"00000000",
)  # fmt: skip

STATUS_LINES = (
    b"", b" ", b"\0", b"HTTP", b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 20", b"HTTP/1.1 2000 OK", b"HTTP/1.1 -200 OK",
    b"HTTP/1.1 200", b"HTTP/1.1  200  OK", b"HTTP/1.1\t200 OK", b"HTTP/1.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/2 200",
    b"HTTP/3 200", b"HTTP/9.9 200 OK", b"HTTP/1.11 200 OK", b"http/1.1 200 OK", b" HTTP/1.1 200 OK", b"HTTP/1.1 000 x",
    b"HTTP/1.1 099 x", b"HTTP/1.1 200 \xff\0\x80", b"ICY 200 OK", b"RTSP/1.0 200 OK", b"<html>", b"\x16\x03\x01\x02\x00",
    b"HTTP/1.1 20\0 OK", "HTTP/1.1 \u0662\u0660\u0660 OK".encode(), b"HTTP/1.1 200 " + b"x" * 200_000, b"HTTP/1.1 1e2 x",
    b"HTTP/1.1 199 x\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\nHTTP/1.1 200 OK",
)  # fmt: skip

BYTES = (
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\xff",
    b"\x80\0",
    b"\t",
    b" ",
    b"\x7f",
    b":",
    b"\x0b",
)

_TAG = re.compile(rb"</?\w+/?>")
_TEXTS = re.compile(rb">([^<>]+)<")
_INSIDE = (
    b"&amp;", b"&", b"&#0;", b"&#xD800;", b"&#1114112;", b"&x;", b"<", b">", b"]]>", b"<![CDATA[x]]>", b"<!-- - -->", b"<?x ?>",
    b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"%zz", b"%00", b"%ff%fe", b"+", b"<x xmlns:a='b' a:c='d'/>", b"<Key/>",
    b"<Contents/>", b"<IsTruncated>true</IsTruncated>", b"\xe2\x80\xae", b"a" * 70_000, b"<a>" * 20_000,
)  # fmt: skip
_BEFORE = (
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"<?xml version='1.0' encoding='utf-16'?>", b"<?xml version='9'?>", b"\xff\xfe", b" ",
    b"<?xml version='1.0' encoding='nonsense'?>", b"\0", b"<a/>", b"<!--" + b"x" * 5000 + b"-->",
)  # fmt: skip


def spoiled_document(dice: random.Random, text: bytes) -> bytes:
    """XML with a few things wrong."""
    for _ in range(dice.randint(0, 3)):
        text = dice.choice(
            (_without_tag, _twice_tag, _other_text, _inside, _inside, _before, _short, _other_name)
        )(dice, text)
    return text


def _without_tag(dice: random.Random, text: bytes) -> bytes:
    start, end = _place(dice, _TAG, text)
    return text[:start] + text[end:]


def _twice_tag(dice: random.Random, text: bytes) -> bytes:
    start, end = _place(dice, _TAG, text)
    return text[:end] + text[start:end] * dice.choice((1, 1, 30_000)) + text[end:]


def _other_text(dice: random.Random, text: bytes) -> bytes:
    start, end = _place(dice, _TEXTS, text)
    value = dice.choice((*NUMBERS, *WORDS, *DATES, *CHECKSUMS))
    return text[: start + 1] + value + text[end - 1 :] if end > start else value


def _inside(dice: random.Random, text: bytes) -> bytes:
    place = dice.randint(0, len(text))
    return text[:place] + dice.choice(_INSIDE) + text[place:]


def _before(dice: random.Random, text: bytes) -> bytes:
    return dice.choice(_BEFORE) + text


def _short(dice: random.Random, text: bytes) -> bytes:
    return text[: dice.randint(0, len(text))]


def _other_name(dice: random.Random, text: bytes) -> bytes:
    start, end = _place(dice, _TAG, text)
    return text.replace(
        text[start:end], dice.choice((b"<Error>", b"<x:y>", b"<Size>", b"<Part>", b"<Checksum>"))
    )


def _place(dice: random.Random, pattern: re.Pattern[bytes], text: bytes) -> tuple[int, int]:
    found = [match.span() for match in pattern.finditer(text[:100_000])]
    return dice.choice(found) if found else (0, 0)


def listing(dice: random.Random) -> bytes:
    """A sound page of a listing."""
    count = dice.choice((0, 1, 3, 40))
    entries = b"".join(
        b"<Contents><Key>%s</Key><LastModified>2024-01-0%dT00:00:00.000Z</LastModified><ETag>&quot;%d&quot;</ETag>"
        b"<ChecksumType>FULL_OBJECT</ChecksumType><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>"
        % (b"k/%04d" % number, 1 + number % 9, number, dice.randrange(10**9))
        for number in range(count)
    )
    more = dice.random() < 0.3
    token = b"<NextContinuationToken>t</NextContinuationToken>" if more else b""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Name>b</Name><Prefix></Prefix><EncodingType>url</EncodingType><KeyCount>%d</KeyCount><IsTruncated>%s</IsTruncated>"
        % (count, b"true" if more else b"false")
        + token
        + entries
        + b"</ListBucketResult>"
    )


def attributes(dice: random.Random) -> bytes:
    """A sound answer to GetObjectAttributes."""
    count = dice.choice((1, 2, 5))
    parts = b"".join(
        b"<Part><PartNumber>%d</PartNumber><Size>%d</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
        % (number, 350)
        for number in range(1, count + 1)
    )
    return (
        b"<GetObjectAttributesResponse><Checksum><ChecksumCRC32>AAAAAA==-%d</ChecksumCRC32></Checksum>"
        b"<ObjectParts><IsTruncated>%s</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker>"
        % (count, dice.choice((b"true", b"false")), count)
        + parts
        + b"</ObjectParts><ObjectSize>%d</ObjectSize></GetObjectAttributesResponse>" % (350 * count)
    )
