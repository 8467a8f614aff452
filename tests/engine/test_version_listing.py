"""A listing of versions that is read by several at a time brings every version of every key once."""

import bisect
import random
from contextlib import aclosing

import pytest

from engine.listings import KeyStore, calls
from s3haul.core.key_ranges import Coverage, Interval
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.engine.shadowing import Shadows
from s3haul.engine.version_source import AllVersionsLister, ListerAt
from s3haul.models import NUL, ObjectRef, VersionEntry, VersionPage

ALPHABETS = ("ab", "0123456789abcdef", "a/-.é", "\x01\u07ff\ud7ff\ue000\uffff\U00010000z")
MOMENT = 50.0


class VersionKeyStore(KeyStore):
    """Knows ListObjectVersions. `inclusive`: a marker without a version means the key
    itself too, as in old Ceph."""

    def __init__(self, entries, *, inclusive=False, **more):
        super().__init__({entry.ref.key for entry in entries}, **more)
        self.entries = sorted(entries, key=lambda entry: (entry.ref.key, -entry.ref.last_modified))
        self._inclusive = inclusive
        self.markers = []

    async def list_versions(self, prefix, *, marker=None):
        self.markers.append(marker)
        self.now += 1
        self.most = max(self.most, self.now)
        await self._turns()
        found = [each for each in self.entries if each.ref.key.startswith(prefix)]
        keys = [each.ref.key for each in found]
        if marker is not None:
            key, version = marker
            at = bisect.bisect_left(keys, key)
            if version is not None:
                ids = [(each.ref.key, each.ref.version_id) for each in found]
                at = ids.index(marker) + 1
            elif not self._inclusive:
                at = bisect.bisect_right(keys, key)
            found = found[at:]
        some, more = found[: self.page_size], len(found) > self.page_size
        await self._turns()
        self.now -= 1
        last = some[-1].ref if more else None
        return VersionPage(
            tuple(some), more, last.key if last else None, last.version_id if last else None, not keys
        )


def history(dice, prefix=""):
    """Versions and delete markers of some keys, most of which have few and one has many."""
    alphabet = dice.choice(ALPHABETS)
    keys = {
        prefix + "".join(dice.choices(alphabet, k=dice.randint(1, 12)))
        for _ in range(dice.choice([1, 40, 400]))
    }
    many = dice.choice(sorted(keys))
    return [
        VersionEntry(
            ObjectRef(key, 1, '"e"', dice.uniform(0, 100), version_id=f"v{number}"),
            latest=False,
            deleted=dice.random() < 0.2,
        )
        for key in sorted(keys)
        for number in range(dice.randint(60, 90) if key == many else dice.randint(1, 4))
    ]


async def listed(store, kind, *more, limit, prefix=""):
    """All objects, and whether what is said of intervals holds: every key in one, and nothing else."""
    ctx = calls(store, prefix)
    listing, coverage, found = ParallelListing(ctx, kind(ctx, *more), [prefix], limit), Coverage(), []
    async with aclosing(listing.pages()) as pages:
        async for page in pages:
            first, end = page.interval
            assert all(first <= ref.key and (end is None or ref.key < end) for ref in page.refs)
            for interval in (page.interval, *page.empty):
                coverage.add(Interval(*interval))
            found += page.refs
    assert coverage.is_exactly([prefix])
    return found


@pytest.mark.parametrize("seed", range(40))
async def test_every_version_of_any_keyspace_is_listed_once(seed):
    dice = random.Random(seed)
    prefix = dice.choice(["", "p/"])
    entries = history(dice, prefix)
    store = VersionKeyStore(entries, page_size=dice.choice([1, 7, 40]), seed=seed, inclusive=seed % 4 == 0)
    found = await listed(store, AllVersionsLister, limit=dice.choice([2, 5, 32]), prefix=prefix)
    wanted = [f"{each.ref.key}{NUL}{each.ref.version_id}" for each in entries if not each.deleted]
    assert sorted(ref.key for ref in found) == sorted(wanted)


@pytest.mark.parametrize("seed", range(40))
async def test_the_objects_of_a_moment_are_listed_once(seed):
    dice = random.Random(seed)
    entries = history(dice)
    store = VersionKeyStore(entries, page_size=dice.choice([1, 7, 40]), seed=seed)
    found = await listed(store, ListerAt, MOMENT, limit=dice.choice([2, 5, 32]))
    last = {}
    for entry in sorted(entries, key=lambda entry: entry.ref.last_modified):
        if entry.ref.last_modified <= MOMENT:
            last[entry.ref.key] = entry
    wanted = sorted(entry.ref for entry in last.values() if not entry.deleted)
    assert sorted(found) == wanted


async def test_a_long_listing_of_versions_is_read_by_as_many_as_may_and_wastes_few_requests():
    entries = [
        VersionEntry(
            ObjectRef(f"k{key:05}", 1, '"e"', float(version), version_id=f"v{version}"), False, False
        )
        for key in range(1000)
        for version in range(3)
    ]
    store = VersionKeyStore(entries, page_size=20, turns=60)
    assert len(await listed(store, AllVersionsLister, limit=16)) == 3000
    assert store.most == 16
    assert len(store.markers) < 1.4 * 150


async def test_a_key_that_was_deleted_at_the_moment_is_not_below_another():
    def of(key, *, deleted):
        return VersionEntry(ObjectRef(key, 1, '"e"', 1.0, version_id="v"), latest=True, deleted=deleted)

    entries = [
        of("a", deleted=False),
        of("a/x", deleted=True),
        of("b", deleted=False),
        of("b/x", deleted=True),
    ]
    entries += [of("b/y", deleted=False), of("c", deleted=False)]
    for page_size in (1, 2, 10):
        store = VersionKeyStore(entries, page_size=page_size)
        shadows = Shadows(ListerAt(calls(store), MOMENT), key=str)
        assert [await shadows.has_keys_below(key, "") for key in "abc"] == [False, True, False]
