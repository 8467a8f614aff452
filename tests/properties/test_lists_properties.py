"""Lists: what another writer wrote is read back; what nobody would write ends in one kind of error."""

import csv
import gzip
import io
import json
import re
from contextlib import suppress
from urllib.parse import quote, quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from s3haul.errors import SourceError
from s3haul.models import ObjectRef
from s3haul.options import ListForm, ObjectList
from s3haul.sources.inventory import parse
from s3haul.sources.inventory_rows import rows as inventory_rows
from s3haul.sources.lists import ListFile, plan_end, plan_head, plan_line
from s3haul.sources.rows import ObjectRow, SortedRows, Unread

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
SIZES = st.integers(0, 5 * 10**13)
ETAGS = st.from_regex(r'"[0-9a-f]{32}(-[1-9][0-9]{0,3})?"', fullmatch=True)
CLASSES = st.sampled_from(["STANDARD", "GLACIER", "STANDARD_IA"])
REFS = st.builds(
    ObjectRef,
    key=KEYS,
    size=SIZES,
    etag=ETAGS,
    last_modified=st.floats(1, 4e9).map(lambda seconds: round(seconds, 3)),
    storage_class=CLASSES,
    version_id=st.none() | st.from_regex(re.compile(r"[\w.-]{1,40}", re.ASCII), fullmatch=True),
    checksum_type=st.sampled_from(["", "FULL_OBJECT", "COMPOSITE"]),
)


def read(data, form, *, prefix="", encoded=None):
    objects = ObjectList(location="list", form=form, encoded=encoded)
    return ListFile(objects, "b", prefix).read(io.BytesIO(data))


@given(st.lists(KEYS), st.sampled_from([quote, quote_plus]))
def test_encoded_keys_come_back_from_lines_and_from_csv(keys, encode):
    text = "".join(f"{encode(key)}\n" for key in keys).encode()
    assert [row.key for row in read(text, ListForm.KEYS, encoded=True)] == keys
    out = io.StringIO(newline="")
    csv.writer(out).writerows(("b", encode(key), "v") for key in keys)
    found = list(read(out.getvalue().encode(), ListForm.CSV))
    assert found == [ObjectRow(key, "v") for key in keys]


@given(st.lists(KEYS.filter(lambda key: not set(key) & set("\r\n\ufeff"))))
def test_raw_keys_come_back_from_lines(keys):
    text = "".join(f"{key}\n" for key in keys).encode()
    assert [row.key for row in read(text, ListForm.KEYS)] == keys


@settings(max_examples=40)
@given(st.lists(REFS))
def test_a_plan_comes_back_as_it_was_written(refs):
    text = "\n".join([plan_head("b", "p/"), *map(plan_line, refs), plan_end(len(refs))]).encode()
    found = list(read(text, ListForm.PLAN, prefix="p/"))
    wanted = [(*ref[:5], ref.version_id or "", ref.checksum_type) for ref in refs]
    assert [
        (row.key, row.size, row.etag, row.last_modified, row.storage_class, row.version_id, row.checksum_type)
        for row in found
    ] == wanted


@given(st.lists(st.tuples(KEYS, st.sampled_from(["", "v1", "v2"]), SIZES)), st.integers(1, 5))
def test_rows_come_back_in_the_order_of_utf8_each_key_and_version_once(found, page):
    rows = SortedRows()
    rows.extend(ObjectRow(*each) for each in found)
    pages = list(rows.pages(page))
    rows.close()
    assert all(len(each) == page for each in pages[:-1])
    last = {(key, version): size for key, version, size in found}
    wanted = sorted(last, key=lambda each: (each[0].encode(), each[1]))
    assert [(row.key, row.version_id, row.size) for each in pages for row in each] == [
        (*each, last[each]) for each in wanted
    ]


WORDS = st.sampled_from(
    [
        b"b",
        b",",
        b'"',
        b"\n",
        b"\r",
        b"%FF",
        b"%2F",
        b"{",
        b"}",
        b'{"key": "a"',
        b'"size":',
        b"-1",
        b"null",
        b"\x00",
        b"[",
        b"1e999",
        b'"last_modified": ' + b"9" * 400,
    ]
)
JUNK = st.lists(WORDS | st.binary(max_size=6), max_size=30).map(b"".join)


@given(JUNK)
def test_junk_is_read_or_refused_and_nothing_else(junk):
    for form in set(ListForm) - {ListForm.INVENTORY}:
        for encoded in (True, False):
            with suppress(SourceError):
                for row in read(junk, form, encoded=encoded):
                    assert 1 <= len(row.key.encode()) <= 1024


@given(
    JUNK
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["sourceBucket", "fileFormat", "fileSchema", "files", "key", "size", "MD5checksum"]
                ),
                inner,
            )
        ),
    ).map(lambda said: json.dumps(said).encode())
)
def test_junk_is_no_manifest_of_an_inventory(junk):
    try:
        parse(junk, "b")
    except ValueError:
        return
    assert json.loads(junk)["sourceBucket"] == "b"


@given(JUNK)
def test_junk_behind_gzip_is_read_or_refused(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "1.csv.gz"
    path.write_bytes(gzip.compress(junk))
    with suppress(ValueError):
        for row in inventory_rows(path, "CSV", ("bucket", "key", "size"), "b", Unread()):
            assert row.key
