"""The keys of the listing benchmark: sorted sequences of any length, computed as they are asked for."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

HOT = 0.9  # of the keys of `hot` lie under one prefix
_SPACE = 1 << 64
# Controls, accents, Cyrillic, Japanese, Chinese, Korean, private use, beyond the first plane.
_UNICODE = "\x01\x1f aZ09-_/~éßабвгдежзий日本語漢字中文数据한국어\ue000\uf8ff\ufffd😀🚀𠀀𠀁\U000e0001"


@dataclass(frozen=True, slots=True)
class Keys:
    """`count` keys in the order of UTF-8; `one` makes the key at a place, `sent` as a listing sends it: URL-encoded."""

    count: int
    one: Callable[[int], str]
    sent: Callable[[int], str]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> str:
        return self.one(place)

    def after(self, key: str) -> int:
        """The place of the first key behind `key`."""
        return bisect_right(self, key)

    def span(self, prefix: str) -> tuple[int, int]:
        """The places of the keys that begin with `prefix`, which is empty or ends in ASCII."""
        if not prefix:
            return 0, self.count
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return bisect_left(self, prefix), bisect_left(self, end)

    def encoded(self, first: int, end: int) -> list[str]:
        return list(map(self.sent, range(first, end)))


def plain(count: int, one: Callable[[int], str]) -> Keys:
    """Keys that no encoding changes."""
    return Keys(count, one, one)


def sequential(count: int) -> Keys:
    return plain(count, "obj-{:012d}".format)


def hexadecimal(count: int) -> Keys:
    """32 digits each, spread evenly, with some noise."""
    step = _SPACE // count

    def one(place: int) -> str:
        noise = place * 0x9E3779B97F4A7C15 % _SPACE
        return f"{place * step + noise % step:016x}{noise:016x}"

    return plain(count, one)


def prefixes(count: int) -> Keys:
    """Ten keys in each."""
    return plain(count, lambda place: f"p{place // 10:06d}/{place % 10:06d}.json")


def hot(count: int) -> Keys:
    """Most below one prefix, the rest below a thousand others before it."""
    few = round(count * (1 - HOT))
    each = max(1, few // 1000)

    def one(place: int) -> str:
        if place < few:
            return f"a{place // each:04d}/{place % each:06d}"
        return f"logs/2026/{place - few:012d}"

    return plain(count, one)


def unicode_keys(count: int) -> Keys:
    dice = random.Random(17)
    keys: set[str] = set()
    while len(keys) < count:
        keys.update("".join(dice.choices(_UNICODE, k=dice.randint(3, 20))) for _ in range(count - len(keys)))
    ordered: Sequence[str] = sorted(keys)
    return Keys(count, ordered.__getitem__, [quote(key) for key in ordered].__getitem__)


KEYSPACES: dict[str, Callable[[int], Keys]] = {
    "sequential": sequential,
    "hex": hexadecimal,
    "hot": hot,
    "prefixes": prefixes,
    "unicode": unicode_keys,
}


def keys_of(bucket: str) -> Keys:
    """The keys of a bucket by its name, such as `hex-1000000`."""
    kind, _, count = bucket.partition("-")
    return KEYSPACES[kind](int(count))
