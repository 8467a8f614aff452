"""The audit of shards: whatever one entry suffers on its way is found, and what is whole is counted."""

import gzip
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.cluster.audit import DamagedAuditError, Kind, Totals, audit_shard, read_audit
from s3haul.cluster.plan import Shard
from s3haul.core.keypath import safe_path
from s3haul.journal.manifest import manifest_entry, outcome_of
from s3haul.models import Checksum, ObjectRef, Outcome, State, UnusableEntry, Verdict

KEYS = st.sets(st.text(alphabet="ab-/", min_size=1, max_size=5), min_size=1, max_size=12)


def path_of(ref: ObjectRef, shadowed: bool) -> str:
    return str(safe_path(ref.key, shadowed=shadowed))


def shard_of(keys) -> Shard:
    shadowed = {key for key in keys if any(other.startswith(key + "/") for other in keys)}
    refs = [ObjectRef(key, len(key), f'"{key}"', 1000.0) for key in sorted(keys)]
    return Shard(7, refs, shadowed)


def whole(shard: Shard) -> list[dict]:
    outcomes = [
        Outcome(ref, State.DONE, path_of(ref, ref.key in shard.shadowed), verdict=Verdict.VERIFIED)
        for ref in shard.refs
    ]
    outcomes += [
        Outcome(ObjectRef(each.key, 0, "", 0.0), State.FAILED, reason="unusable-entry")
        for each in shard.unusable
    ]
    return [manifest_entry(outcome) for outcome in outcomes]


def totals_of(shard: Shard, entries) -> Totals:
    totals = Totals()
    audit_shard(shard, entries, path_of, totals)
    return totals


@given(KEYS)
def test_a_complete_shard_passes_the_audit_and_is_counted(keys):
    shard = shard_of(keys)
    shard.unusable.append(UnusableEntry("z\udcff", "no UTF-8"))
    totals = totals_of(shard, whole(shard))
    assert totals.clean
    assert totals.states == {"done": len(keys), "failed": 1}
    assert (totals.objects, totals.bytes) == (len(keys) + 1, sum(map(len, keys)))
    assert totals.reasons == {"unusable-entry": 1}
    assert totals.exit_code == 1


def test_directories_have_no_verdict_and_are_counted_beside_them():
    shard = shard_of(["a", "b"])
    file, directory = whole(shard)
    totals = totals_of(shard, [file, {**directory, "verdict": None}])
    assert totals.states["done"] == sum(totals.verdicts.values()) + totals.directories == 2


CHANGES = {
    Kind.MISSING: lambda entries, at: entries[:at] + entries[at + 1 :],
    Kind.TWICE: lambda entries, at: [*entries[: at + 1], *entries[at:]],
    Kind.UNPLANNED: lambda entries, _at: [*entries, {**entries[0], "key": "zz"}],
    Kind.NO_STATE: lambda entries, at: [*entries[:at], {**entries[at], "state": "lost"}, *entries[at + 1 :]],
    Kind.PATH: lambda entries, at: [*entries[:at], {**entries[at], "path": "x/../y"}, *entries[at + 1 :]],
}


@pytest.mark.parametrize("kind", CHANGES)
@given(KEYS, st.data())
def test_whatever_happens_to_one_entry_is_found(kind, keys, data):
    shard = shard_of(keys)
    entries = whole(shard)
    changed = CHANGES[kind](entries, data.draw(st.integers(0, len(entries) - 1)))
    totals = totals_of(shard, changed)
    assert totals.problems == {kind: 1}
    assert totals.exit_code == 70
    assert totals.examples[0].shard == 7


@given(KEYS.filter(lambda keys: len(keys) > 1))
def test_keys_out_of_order_are_found(keys):
    totals = totals_of(shard_of(keys), whole(shard_of(keys))[::-1])
    assert set(totals.problems) == {Kind.ORDER}


def test_an_object_that_changed_since_the_plan_is_reported_and_is_not_a_problem():
    shard = shard_of("ab")
    entries = whole(shard)
    entries[1] |= {"etag": '"new"', "size": 9}
    totals = totals_of(shard, entries)
    assert (totals.clean, totals.newer, totals.bytes) == (True, 1, 10)


def test_an_audit_that_does_not_match_the_marker_is_refused():
    data = gzip.compress(b'{"key": "a"}\n')
    sha256 = hashlib.sha256(data).hexdigest()
    assert read_audit(data, sha256) == [{"key": "a"}]
    no_gzip = b"text"
    for bad, claimed in (
        (data + b"x", sha256),
        (data[:-4], sha256),
        (no_gzip, hashlib.sha256(no_gzip).hexdigest()),
    ):
        with pytest.raises(DamagedAuditError):
            read_audit(bad, claimed)


def test_a_line_of_the_manifest_reads_back_as_the_outcome_that_it_was():
    ref = ObjectRef("a/é\n", 12, '"e-2"', 1_700_000_000.25, "GLACIER_IR")
    full = Outcome(
        ref,
        State.DONE,
        path="a/é",
        verdict=Verdict.VERIFIED,
        checksum=Checksum("SHA256", "COMPOSITE", "abc-2"),
        part_sizes=(5, 5, 2),
        computed="x",
        sse="aws:kms",
        kms_key_id="arn:aws:kms:k",
        version_id="v",
        content_type="text/plain",
        user_metadata='{"name": "value"}',
    )
    bare = Outcome(ref._replace(last_modified=0.0), State.FAILED, reason="not-found", detail="said")
    for outcome in (full, bare):
        entry = json.loads(json.dumps(manifest_entry(outcome)))
        assert outcome_of(entry) == outcome
        assert manifest_entry(outcome_of(entry)) == manifest_entry(outcome)
