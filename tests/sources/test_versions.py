"""One version of an object, and the bucket as it was at a moment."""

import time

import pytest

from s3haul.core.listing_validator import MAX_PAGES_WITHOUT_NEWS, version_at
from s3haul.demo import seed
from s3haul.engine.context import read_context
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.engine.version_source import AllVersionsLister
from s3haul.errors import ListingIncompleteError
from s3haul.models import KeyVersions, ObjectRef, UnusableEntry, VersionEntry, VersionPage
from s3haul.options import SourceOptions, TransferOptions
from s3haul.s3.documents import read as document
from s3haul.s3.list_pages import version_page
from sources.world import SOURCE, tree

HOUR = 3600.0
BOTH = pytest.mark.parametrize("transport", ["curl", "sdk"])


@pytest.fixture
def history(world):
    """Objects that were written, overwritten and deleted; the clock is the present."""
    world.keep_versions()
    now = world.server.cloud.clock()
    for key in ("data/a b.txt", "data/é\n.txt", "data/a b.txt/below"):
        for age in (5, 3, 1):
            world.put(key, f"{key} {age} hours old".encode(), last_modified=now - age * HOUR)
    world.put("data/deleted", b"deleted", last_modified=now - 4 * HOUR)
    world.server.cloud.mark_deleted(seed.BUCKET, "data/deleted")
    world.put("data/young", b"young", last_modified=now - HOUR)
    for key in list(world.bucket.objects):
        if key.endswith(".bin"):
            world.bucket.delete(key)
    return world


def iso(world, age):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(world.server.cloud.clock() - age * HOUR))


@pytest.mark.parametrize(("transport", "size"), [("curl", "1"), ("curl", "1000"), ("sdk", "2")])
def test_the_bucket_of_a_moment_is_what_was_current_then(history, transport, size):
    flags = ("--at", "2h", "--page-size", size, "--transport", transport)
    ran = history.cp(*flags)
    assert ran.code == 0, ran.text
    assert tree(history.dest) == {
        "data/~s3haul~@a b.txt": b"data/a b.txt 3 hours old",
        "data/é\n.txt": "data/é\n.txt 3 hours old".encode(),
        "data/a b.txt/below": b"data/a b.txt/below 3 hours old",
        "data/deleted": b"deleted",
    }
    assert history.server.count("ListObjectsV2") == 0
    assert history.cp(*flags).summary["unchanged"]["objects"] == 4
    assert all(line["version_id"] not in {None, "null"} for line in history.manifest().values())


def test_another_moment_into_the_same_destination_brings_just_the_difference(history):
    assert history.cp("--at", "2h").code == 0
    ran = history.cp("--at", iso(history, 4.5))
    assert ran.code == 0, ran.text
    assert tree(history.dest)["data/é\n.txt"] == "data/é\n.txt 5 hours old".encode()
    assert "data/deleted" not in history.manifest(), "it came later"
    assert history.cp("--at", iso(history, 6)).summary["selected"]["objects"] == 0


def test_a_dry_run_of_a_time_lists_only_versions(history):
    ran = history.cp("--at", "2h", "--dryrun")
    assert (ran.code, ran.summary["objects"]) == (0, 4)
    assert history.server.count("HeadObject") == history.server.count("GetObject") == 0


@pytest.mark.parametrize("flags", [("--at", "2h"), ("--all-versions",)])
def test_versions_without_the_right_to_list_them_name_that_right(world, flags):
    ran = world.cp(*flags)
    assert (ran.code, "[S3H-S3-25]" in ran.err) == (4, True), ran.text
    assert "may not list the versions of the bucket (s3:ListBucketVersions)" in ran.err
    assert "(s3:ListBucket)" not in ran.err


def test_a_version_without_the_right_to_read_it_names_that_right_and_the_statement(world):
    world.bucket.versioned = True
    version = world.put("data/x").version_id
    where = {"source": f"{SOURCE}/data/x", "dest": world.place / "x"}
    ran = world.cp("--version-id", version, **where)
    assert (ran.code, "[S3H-S3-04]" in ran.err) == (4, True), ran.text
    assert "s3:GetObjectVersion if a version is requested" in ran.err
    assert "allow s3:GetObjectVersion" in ran.err
    role = world.server.cloud.roles[seed.ROLE_ARN]
    for statement in role.policies[0]["Statement"]:
        if statement["Action"] == "s3:GetObject":
            statement["Action"] = "s3:GetObjectAcl"
    statement = world.cp("--version-id", version, **where).err.partition("Statement: ")[2]
    assert "s3:GetObjectVersion" in statement


@BOTH
def test_one_version_of_an_object_is_copied(history, transport):
    old, _, newest = history.bucket.objects["data/é\n.txt"]
    where = {"source": f"{SOURCE}/data/é\n.txt", "dest": history.place / "x"}
    ran = history.cp("--version-id", old.version_id, "--transport", transport, **where)
    assert ran.code == 0, ran.text
    assert (history.place / "x").read_text() == "data/é\n.txt 5 hours old"
    assert history.cp("--version-id", newest.version_id, **where).code == 0
    assert (history.place / "x").read_text() == "data/é\n.txt 1 hours old"
    ran = history.cp("--version-id", "none", **where)
    assert (ran.code, "There is no version 'none'" in ran.err) == (6, True)


@BOTH
@pytest.mark.parametrize("sizes", [(5000, 5000), (4000, 6000), (10_000,)])
def test_the_parts_of_a_version_are_verified_and_not_those_of_the_newest(history, transport, sizes):
    """Without s3:GetObjectAttributes, HEAD requests tell the parts."""
    world, now = history, history.server.cloud.clock()
    composite = {"checksum": "SHA256", "checksum_type": "COMPOSITE"}
    world.put("data/parts", b"a" * 10_000, last_modified=now - 5 * HOUR, part_sizes=(5000, 5000), **composite)
    world.put("data/parts", b"b" * 10_000, last_modified=now - HOUR, part_sizes=sizes, **composite)
    ran = world.cp("--at", "2h", "--transport", transport)
    assert ran.code == 0, ran.text
    assert tree(world.dest)["data/parts"] == b"a" * 10_000
    line = world.manifest()["data/parts"]
    assert (line["verdict"], line["checksum"]["type"]) == ("verified", "COMPOSITE")


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("--at", "2h"), f"{SOURCE}/key"),
        (("--at", "in a while"), SOURCE),
        (("--at", "2999-01-01"), SOURCE),
        (("--version-id", "x"), SOURCE),
        (("--version-id", ""), f"{SOURCE}/key"),
        (("--at", "2h", "--files-from", "-"), SOURCE),
    ],
)
def test_contradictory_version_flags_are_refused(world, words, source):
    assert world.cp(*words, source=source).code == 2
    assert not world.server.calls


def entry(key, version="v", modified=1.0, *, deleted=False, latest=True):
    return VersionEntry(ObjectRef(key, 1, '"e"', modified, version_id=version), latest, deleted)


def page(*entries, following=None, empty=False, unusable=()):
    key, version = following or (None, None)
    return VersionPage(entries, following is not None, key, version, empty, unusable)


class Answers:
    """Gives these pages, one after another."""

    def __init__(self, pages):
        self._pages = iter(pages)

    async def list_versions(self, prefix, *, marker=None):
        return next(self._pages)


async def listed(pages):
    ctx = read_context(Answers(pages), SourceOptions(bucket="b"), TransferOptions(), lambda _event: None)
    listing = ParallelListing(ctx, AllVersionsLister(ctx), [""], 1)
    return [ref async for page in listing.pages() for ref in page.refs]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([page(empty=True)], "no listing in it"),
        ([page(entry("b"), entry("a"))], "not in ascending order"),
        ([page(entry("a"), entry("b"), entry("a", "2"))], "not in ascending order"),
        ([page(entry("b"), entry("c"), following=("c", "v")), page(entry("a"))], "not in ascending order"),
        ([page(following=("a", "v")), page(following=("a", "v"))], "marker repeats"),
        ([VersionPage((), True, None, None)], "not where"),
        ([page(following=("a", str(n))) for n in range(MAX_PAGES_WITHOUT_NEWS + 1)], "brought nothing new"),
    ],
)
async def test_an_incomplete_listing_of_versions_is_refused(pages, said):
    with pytest.raises(ListingIncompleteError, match=said):
        await listed(pages)


async def test_a_version_that_is_listed_again_counts_once():
    pages = [
        page(entry("a", "1"), entry("a", "2"), following=("a", "2")),
        page(entry("a", "2"), entry("a", "3")),
    ]
    assert [ref.version_id for ref in await listed(pages)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("moment", "version"), [(0.5, None), (1.0, "1"), (2.5, "2"), (3.0, None), (9.0, "4")]
)
def test_the_version_of_a_moment_is_the_newest_that_was_there(moment, version):
    entries = (
        entry("a", "4", 4.0),
        entry("a", "3", 3.0, deleted=True),
        entry("a", "2", 2.0),
        entry("a", "1"),
    )
    found = version_at(KeyVersions("a", entries), moment)
    assert (found and found.version_id) == version


def test_a_page_keeps_the_order_of_versions_and_delete_markers_and_reports_unusable_entries():
    body = b"""<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>
      <IsTruncated>true</IsTruncated><NextKeyMarker>a+b%2Fc</NextKeyMarker><NextVersionIdMarker>9</NextVersionIdMarker>
      <DeleteMarker><Key>a</Key><VersionId>2</VersionId><IsLatest>true</IsLatest></DeleteMarker>
      <Version><Key>a</Key><VersionId>1</VersionId><Size>7</Size><ETag>"e"</ETag></Version>
      <Version><Key>%FF</Key><VersionId>1</VersionId><Size>7</Size></Version></ListVersionsResult>"""
    found = version_page(document(body))
    assert [(each.ref.version_id, each.latest, each.deleted) for each in found.entries] == [
        ("2", True, True),
        ("1", False, False),
    ]
    assert (found.truncated, found.next_key, found.next_version) == (True, "a b/c", "9")
    assert [type(each) for each in found.unusable] == [UnusableEntry]
    with pytest.raises(ValueError, match="without an id"):
        version_page(document(body.replace(b"<VersionId>2</VersionId>", b"")))
