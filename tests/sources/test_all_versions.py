"""All versions: each a file of its own, under a name that no other key and version can have."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.core.keypath import apart, joined, key_of, safe_path, stored_path, words
from s3haul.demo import seed
from s3haul.models import NUL
from sources.world import SOURCE, tree

LARGE = 40 << 20


@pytest.fixture
def history(world):
    world.keep_versions()
    for key in list(world.bucket.objects):
        world.bucket.delete(key)
    for key in ("a.csv", "a.csv/b", "dir/", "é\n.txt"):
        for text in ("one", "two", "three"):
            world.put(key, f"{key} {text}".encode())
    world.server.cloud.mark_deleted(seed.BUCKET, "a.csv")
    return world


def named(world) -> dict[str, bytes]:
    """The tree that a copy of all versions must be."""
    return {
        str(safe_path(f"{key}{NUL}{each.version_id}", versioned=True)): each.content.read(0, each.size)
        for key, versions in world.bucket.objects.items()
        for each in versions
        if not each.delete_marker
    }


@pytest.mark.parametrize(("transport", "size"), [("curl", "1"), ("curl", "1000"), ("sdk", "4")])
def test_every_version_is_a_file(history, transport, size):
    flags = ("--all-versions", "--page-size", size, "--transport", transport)
    ran = history.cp(*flags)
    assert ran.code == 0, ran.text
    assert tree(history.dest) == named(history)
    assert len(named(history)) == 12
    assert history.cp(*flags).summary["unchanged"]["objects"] == 12
    assert history.cp(*flags, "--dryrun").summary["unchanged"] == 12
    assert history.run("verify", str(history.dest)).code == 0


def test_the_manifest_contains_key_and_version(history):
    assert history.cp("--all-versions").code == 0
    lines = history.run("manifest", str(history.dest), "--format", "csv").out.splitlines()
    assert sum(line.startswith("a.csv,") for line in lines) == 3
    ids = {each.version_id for each in history.bucket.objects["a.csv"] if not each.delete_marker}
    assert {line.split(",")[1] for line in lines if line.startswith("a.csv,")} == ids
    column = lines[0].split(",").index("path")
    path = next(line.split(",")[column] for line in lines if line.startswith("a.csv,"))
    assert path.startswith("~s3haul~:")
    assert path.endswith(":a.csv")


def test_the_next_run_fetches_only_the_new_version(history):
    assert history.cp("--all-versions").code == 0
    history.put("a.csv", b"four")
    removed = history.bucket.objects["dir/"].pop(0)
    ran = history.cp("--all-versions")
    assert (ran.summary["unchanged"]["objects"], ran.summary["done"]["objects"]) == (11, 1)
    rows = history.run("manifest", str(history.dest)).out
    assert removed.version_id not in rows


def test_damaged_versions_are_fetched_again_by_the_command_of_the_run(history):
    assert history.cp("--all-versions").code == 0
    rotten = list(history.dest.glob("~s3haul~:*:a.csv"))[:2]
    for file in rotten:
        file.write_bytes(b"!" * file.stat().st_size)
    ran = history.run("verify", str(history.dest))
    assert (ran.code, "  s3haul " in ran.out) == (1, False)
    assert "The s3haul cp command that copied them fetches the damaged files again." in ran.out
    assert json.loads(history.run("verify", str(history.dest), "--json").out)["repair"] is None
    assert history.cp("--all-versions").summary["done"]["objects"] == 2
    assert history.run("verify", str(history.dest)).code == 0


def test_filters_see_the_key_without_its_version(history):
    ran = history.cp("--all-versions", "--exclude", "*", "--include", "*.csv", "--regex", r"csv$")
    assert ran.code == 0, ran.text
    assert ran.summary["done"]["objects"] == 3


def test_a_version_that_is_archived_or_large_is_treated_as_any_object(history):
    body = bytes(range(256)) * (LARGE // 256)
    large = history.put("large", body, checksum="CRC32C", part_sizes=(LARGE // 2, LARGE // 2))
    history.put("large", b"now small")
    cold = history.put("cold", b"cold", storage_class="GLACIER")
    ran = history.cp("--all-versions", "--exclude", "*", "--include", "large", "--include", "cold")
    assert ran.code == 3, ran.text
    found = tree(history.dest)
    assert found[f"~s3haul~:{large.version_id}:large"] == body
    assert ran.summary["skipped"][0]["examples"] == ["cold"]
    assert history.run("restore", str(history.dest)).out.strip() == f"{seed.BUCKET},cold,{cold.version_id}"


def test_a_dry_run_shows_key_and_name(history):
    shown = history.run(
        "cp", SOURCE, str(history.dest), "--profile", "export", "--all-versions", "--dryrun"
    ).out
    version = history.bucket.objects["a.csv"][0].version_id
    assert f"(dryrun) download: {SOURCE}/a.csv to {history.dest}/~s3haul~:{version}:a.csv" in shown


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("--all-versions", "--at", "1h"), SOURCE),
        (("--all-versions",), f"{SOURCE}/key"),
        (("--all-versions", "--reconcile"), SOURCE),
        (("--all-versions", "--files-from", "-"), SOURCE),
        (("--all-versions", "--dryrun", "--save-plan", "plan"), SOURCE),
    ],
)
def test_all_versions_refuses_flags_that_contradict_it(world, words, source):
    assert world.cp(*words, source=source).code == 2


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
VERSIONS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=NUL), min_size=1, max_size=400)


@given(TEXTS, VERSIONS)
def test_the_name_of_a_version_contains_its_key_and_its_id(key, version):
    whole = f"{key}{NUL}{version}"
    path = safe_path(whole, versioned=True)
    assert key_of(path) == whole
    assert stored_path(str(path)) == path
    assert all(len(part.encode()) <= 255 for part in path.parts)
    spelled = joined([apart(word) for word in words(path)], directory=False)
    assert key_of(spelled) == whole


@given(TEXTS, VERSIONS, TEXTS)
def test_no_plain_key_has_the_name_of_a_version(key, version, other):
    path = safe_path(f"{key}{NUL}{version}", versioned=True)
    for shadowed in (False, True):
        assert safe_path(other, shadowed=shadowed) != path
        assert safe_path(str(path), shadowed=shadowed) != path
