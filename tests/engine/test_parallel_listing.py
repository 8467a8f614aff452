"""A listing that is read by several at a time is the same as one that is read page after page."""

import asyncio
import random

import pytest

from contract.memory import MemoryStore, refused, stored
from engine.harness import DONE, manifest, run_once, states, tree
from engine.listings import KeyStore, calls, listed
from s3haul.disk import Destination
from s3haul.engine.parallel_listing import CurrentLister, ParallelListing
from s3haul.engine.shadowing import LONGEST_KEY, Shadows
from s3haul.errors import ListingIncompleteError, SourceError
from s3haul.events import Warned
from s3haul.models import UnusableEntry

MANY = [f"k{number:05}" for number in range(3000)]
TURNS = 200  # of the event loop


@pytest.mark.parametrize("seed", range(40))
async def test_any_keyspace_is_listed_exactly(seed):
    dice = random.Random(seed)
    alphabet = dice.choice(["ab", "0123456789abcdef", "a/-.é", "\x01\u07ff\ud7ff\ue000\uffff\U00010000z"])
    keys = {"".join(dice.choices(alphabet, k=dice.randint(1, 12))) for _ in range(dice.choice([5, 300, 900]))}
    store = KeyStore(keys, page_size=dice.choice([1, 7, 40]), seed=seed)
    found, _ = await listed(store, limit=dice.choice([2, 5, 32]))
    assert sorted(found) == store.keys


async def test_a_long_listing_is_read_by_as_many_as_may_and_wastes_few_requests():
    store = KeyStore(MANY, turns=60)
    found, _ = await listed(store, limit=16)
    assert sorted(found) == MANY
    assert store.most == 16
    assert len(store.asked) < 1.2 * 300


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (10, 1), (20, 2)])
async def test_a_short_listing_costs_no_request_more(count, requests):
    store = KeyStore(MANY[:count])
    found, _ = await listed(store)
    assert (found, len(store.asked)) == (MANY[:count], requests)


async def test_with_a_limit_of_one_keys_come_in_order_and_nothing_is_tried():
    store = KeyStore(MANY)
    found, _ = await listed(store, limit=1)
    assert found == MANY
    assert store.most == 1
    assert not any(start_after for _, _, start_after in store.asked)


async def test_every_request_has_the_prefix_of_the_source():
    store = KeyStore([f"p/{key}" for key in MANY] + ["a", "q"])
    found, _ = await listed(store, ["p/"])
    assert sorted(found) == [f"p/{key}" for key in MANY]
    assert {prefix for prefix, _, _ in store.asked} == {"p/"}
    assert all(after.startswith("p/") for _, _, after in store.asked if after)


async def test_a_next_page_is_asked_for_while_one_is_worked_on():
    store = KeyStore(MANY[:100])
    ahead = []

    async def each(_batch):
        for _ in range(20):
            await asyncio.sleep(0)
        ahead.append(len(store.asked))

    await listed(store, limit=1, each=each)
    assert ahead[0] > 1


async def test_no_more_readers_begin_where_pages_are_not_waited_for():
    store = KeyStore(MANY)

    async def each(_batch):
        for _ in range(100):
            await asyncio.sleep(0)

    found, _ = await listed(store, each=each)
    assert sorted(found) == MANY
    assert store.most <= 3


# --- servers that do otherwise ---


class Ignores(KeyStore):
    """Knows tokens alone."""

    def page(self, prefix, token, start_after):
        return super().page(prefix, token, "")


class AtALoss(KeyStore):
    """Finds nothing behind what is no key."""

    def page(self, prefix, token, start_after):
        page = super().page(prefix, token, start_after)
        return page._replace(entries=(), key_count=0, truncated=False, token=None) if start_after else page


@pytest.mark.parametrize("kind", [Ignores, AtALoss])
async def test_if_start_after_has_no_effect_one_reader_lists_all(kind):
    store = kind(MANY)
    found, _ = await listed(store)
    assert found == MANY
    assert store.most <= 2


async def test_keys_out_of_order_end_the_listing_also_on_a_late_page():
    class Shuffled(KeyStore):
        def page(self, prefix, token, start_after):
            page = super().page(prefix, token, start_after)
            late = len(self.asked) > 100
            return page._replace(entries=page.entries[::-1]) if late else page

    with pytest.raises(ListingIncompleteError, match="ascending"):
        await listed(Shuffled(MANY))


async def test_an_error_ends_all_readers():
    class Fails(KeyStore):
        def page(self, prefix, token, start_after):
            if len(self.asked) > 100:
                raise refused(404, "NoSuchBucket", "gone")
            return super().page(prefix, token, start_after)

    store = Fails(MANY)
    with pytest.raises(SourceError):
        await listed(store)
    assert store.now == 0


async def test_a_temporary_error_is_retried():
    class Fails(KeyStore):
        def page(self, prefix, token, start_after):
            if len(self.asked) % 7 == 3 and self.asked[-1] not in self.asked[:-1]:
                raise refused(503, "SlowDown", "slow down")
            return super().page(prefix, token, start_after)

    found, _ = await listed(Fails(MANY))
    assert sorted(found) == MANY


async def test_entries_without_a_usable_key_are_reported_once_by_their_range():
    odd = [UnusableEntry(f"k{number:05}\udcff", "why") for number in range(0, 3000, 7)]

    class Odd(KeyStore):
        def page(self, prefix, token, start_after):
            page = super().page(prefix, token, start_after)
            raw = [entry.key.encode() for entry in page.entries]
            first = (token or start_after).encode()
            mine = tuple(
                one
                for one in odd
                if first < one.key.encode("utf-8", "surrogateescape")
                and (not page.truncated or one.key.encode("utf-8", "surrogateescape") < raw[-1])
            )
            return page._replace(unusable=mine, key_count=len(raw) + len(mine))

    told = []

    async def each(page):
        told.extend(page.unusable)

    found, _ = await listed(Odd(MANY), each=each)
    assert sorted(found) == MANY
    assert sorted(told) == sorted(odd)


async def test_repeated_keys_are_reported_once():
    class Twice(KeyStore):
        def page(self, prefix, token, start_after):
            page = super().page(prefix, token, start_after)
            return page._replace(entries=(*page.entries, *page.entries[-1:]), key_count=None)

    events = []
    ctx = calls(Twice(MANY), emit=events.append)
    listing = ParallelListing(ctx, CurrentLister(ctx), [""], 8)
    found = [ref.key async for page in listing.pages() for ref in page.refs]
    assert sorted(found) == MANY
    assert sum(isinstance(event, Warned) for event in events) == 1


# --- prefixes ---


async def test_several_prefixes_are_listed_and_nothing_else():
    store = KeyStore([*MANY, "a1", "a2", "b", "z"])
    found, listing = await listed(store, ["a", "k001", "y"], prefix="")
    assert sorted(found) == ["a1", "a2", *(f"k001{number:02}" for number in range(100))]
    assert listing.prefixes == ("a", "k001", "y")
    assert {prefix for prefix, _, _ in store.asked} == {"a", "k001", "y"}


async def test_if_only_the_whole_prefix_may_be_listed_it_is_listed():
    class Strict(KeyStore):
        async def list_page(self, prefix, *, token=None, start_after=""):
            if prefix != "k":
                raise refused(403, "AccessDenied", "not with this prefix")
            return await super().list_page(prefix, token=token, start_after=start_after)

    found, listing = await listed(Strict(MANY), ["k1", "k2"], prefix="k")
    assert (sorted(found), listing.prefixes) == (MANY, ("k",))


# --- runs ---


class FarStore(MemoryStore):
    """Pages take longer than what is done with them, so that they are waited for."""

    def __init__(self, objects, **more):
        super().__init__(objects, fault=self._far, **more)
        self._now = self.most = 0
        self.fails_at = 0  # so many list requests
        self.slow = ""  # the page with this key takes longer still

    async def _far(self, call):
        if call.operation == "list":
            if call.n == self.fails_at:
                raise refused(404, "NoSuchBucket", "gone")
            self._now += 1
            self.most = max(self.most, self._now)
            slow = any(entry.key == self.slow for entry in call.answer.entries)
            for _ in range(10 * TURNS if slow else TURNS):
                await asyncio.sleep(0)
            self._now -= 1


def objects(*keys):
    return {key: stored(key.encode()) for key in keys}


def family():
    """A key that is a directory of keys which other ranges bring."""
    return [
        "p",
        *(f"p-{number:03}" for number in range(200)),
        *(f"p/{number:03}" for number in range(60)),
        "q",
    ]


async def test_a_key_that_is_a_directory_is_placed_beside_it_wherever_its_range_ends(tmp_path):
    keys = family()
    store = FarStore(objects(*keys), page_size=5)
    done = await run_once(store, tmp_path, list_concurrency=8)
    assert store.most > 2
    assert (done.stats.exit_code, done.stats.done) == (0, len(keys))
    assert {key: line["path"] for key, line in manifest(tmp_path).items()} == {
        key: "~s3haul~@p" if key == "p" else key for key in keys
    }
    again = await run_once(store, tmp_path, list_concurrency=8)
    assert (again.stats.already, again.stats.exit_code) == (len(keys), 0)


async def test_a_file_moves_aside_before_the_keys_below_it_come_from_another_range(tmp_path):
    below = [key for key in family() if key.startswith("p/")]
    store = FarStore(objects(*(key for key in family() if key not in below)), page_size=5)
    await run_once(store, tmp_path, list_concurrency=8)
    store.objects |= objects(*below)
    store.slow = "p-019"  # of the range that "p" is in
    again = await run_once(store, tmp_path, list_concurrency=8)
    assert again.stats.failed == {}
    assert set(tree(tmp_path)) == {"~s3haul~@p", *family()} - {"p"}
    assert store.count("get", "p") == 1


async def test_keys_that_are_gone_leave_the_manifest_in_every_range(tmp_path):
    dice = random.Random(7)
    keys = ["".join(dice.choices("abc-/", k=6)) + "x" for _ in range(400)]
    store = FarStore(objects(*keys), page_size=7)
    await run_once(store, tmp_path, list_concurrency=8)
    for key in dice.sample(sorted(store.objects), 250):
        del store.objects[key]
    done = await run_once(store, tmp_path, list_concurrency=8)
    assert set(states(tmp_path)) == set(store.objects)
    assert done.stats.already == len(store.objects)
    assert store.most > 2
    store.objects.clear()
    await run_once(store, tmp_path, list_concurrency=8)
    assert states(tmp_path) == {}


async def test_keys_that_are_gone_leave_the_manifest_without_a_request(tmp_path):
    staying = [f"k{number:03}" for number in range(200)]
    store = FarStore(objects(*staying, "~", "é", "日", "😀"), page_size=10)
    await run_once(store, tmp_path)
    store.objects = objects(*staying)
    before = store.count("list")
    await run_once(store, tmp_path, list_concurrency=3)
    assert set(states(tmp_path)) == set(staying)
    assert store.count("list") - before < 40


async def test_filters_list_only_prefixes_that_can_match(tmp_path):
    store = MemoryStore(objects("a", "x1", "x1/y", "x2.tmp", "z"))
    await run_once(store, tmp_path)
    del store.objects["x1"], store.objects["z"]
    store.objects |= objects("x3", "b")
    only_x = ((False, "*"), (True, "x*"), (False, "*.tmp"))
    before = len(store.calls)
    done = await run_once(store, tmp_path, filters=only_x)
    assert {call.key for call in store.calls[before:] if call.operation == "list"} == {"x"}
    assert (done.stats.selected, done.stats.filtered) == (2, 1)
    assert set(states(tmp_path)) == {"a", "x1/y", "x2.tmp", "x3", "z"}


async def test_where_the_disk_folds_names_keys_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(Destination, "folds_names", True)
    store = FarStore(objects(*(f"k{number:03}" for number in range(100))), page_size=10)
    await run_once(store, tmp_path)
    assert (store.most, store.count("list")) == (1, 10)


@pytest.mark.parametrize("at", [1, 2, 3, 5, 8, 13, 21])
async def test_a_run_that_ends_at_any_page_is_resumed_exactly(tmp_path, at):
    keys = [f"k{number:04}" for number in range(300)]

    store = FarStore(objects(*keys), page_size=10)
    store.fails_at = at
    with pytest.raises(SourceError):
        await run_once(store, tmp_path, list_concurrency=8)
    store.fails_at = 0
    done = await run_once(store, tmp_path, list_concurrency=8)
    assert states(tmp_path) == dict.fromkeys(keys, DONE)
    assert done.stats.already + done.stats.done == len(keys)
    assert all(store.count("get", key) <= 2 for key in keys)


@pytest.mark.parametrize("length", [1, 1018, 1019, 1021, 1022, 1023, 1024])
async def test_a_key_of_any_length_is_asked_about(length):
    class Limited(KeyStore):
        def page(self, prefix, token, start_after):
            assert len((token or start_after).encode()) <= LONGEST_KEY
            return super().page(prefix, token, start_after)

    key = "k" * length
    around = [key, f"{key}-", *(f"{key}.{number:02}" for number in range(30) if length < 1000), f"{key}0"]
    below = [f"{key}/"] if length < LONGEST_KEY else []
    shadows = Shadows(CurrentLister(calls(Limited([*around, *below, f"{key[:-1]}z"], page_size=3))), key=str)
    assert await shadows.has_keys_below(key, "") == bool(below)
    assert not await shadows.has_keys_below(f"{key[:-1]}z", "")


@pytest.mark.parametrize("count", range(1, 30, 4))
async def test_a_listing_that_is_given_up_leaves_nothing_running(count):
    store = KeyStore(MANY, turns=20)
    ctx = calls(store)
    pages = ParallelListing(ctx, CurrentLister(ctx), [""], 16).pages()
    for _ in range(count):
        await anext(pages)
    await pages.aclose()
    assert store.now == 0
