"""Where to cut a range of keys in two, when nothing is known of it but the pages read so far. Pure.

Keys are texts of any Unicode, in the order of their code points (that of UTF-8, and S3's). A split point is a
text, mostly no key. The characters that were seen, where keys differ, are the digits of a number system:
so the middle between two keys is a number, and so is how many pages may lie between them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

LONGEST = 1000  # bytes of a split point; a key has at most 1,024
MOST_CHARACTERS = 400  # of an alphabet: more of them only cost time
SAMPLES = 16  # keys of a page that are looked at
DEEPER = 8  # positions; a page that varies so far behind the limits of its range says nothing of the range
_DIGITS, _FINE_DIGITS = 8, 12
_ENOUGH_DIGITS = 3
_SPARSE = 6  # characters seen between two code points, with fewer of which their middle is the better guess

# First code points of scripts, or what lies between them.
_LADDER = (
    *(0x30, 0x41, 0x61, 0x7B, 0x80, 0x400, 0x800, 0x3040, 0x4E00, 0x7000, 0xAC00, 0xE000, 0xFF00),
    *(0x10000, 0x1F300, 0x20000, 0x30000, 0xE0000),
)


class Alphabet:
    """The characters of one listing's keys, and what is computed with them."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._sorted: list[str] = []

    def learn(self, keys: Sequence[str]) -> None:
        """Keys of one page, in order."""
        if not keys or len(self._seen) > MOST_CHARACTERS:
            return
        at = common_length(keys[0], keys[-1])
        step = max(1, len(keys) // SAMPLES)
        new = set("".join([key[at:] for key in keys[::step]])) - self._seen
        if new:
            self._seen |= new
            self._sorted = sorted(self._seen)

    def middle(self, low: str, high: str) -> str | None:
        """A split point with low < point < high, near the middle of what may lie between; None where there is
        none."""
        at = common_length(low, high)
        left, right = low[at : at + 1], high[at]
        seen_between = bisect_left(self._sorted, right) - bisect_right(self._sorted, left)
        code = ord(left) if left else 0x1F
        if ord(right) >= 0x80 and seen_between < _SPARSE and ord(right) - code > DEEPER:
            tail = chr(_sendable((code + ord(right)) // 2))
        else:
            below, above = self._number(low, at, _DIGITS), self._number(high, at, _DIGITS)
            tail = self._text((below + above) // 2, _DIGITS)
        # The shorter, the less likely it is a key, for which a request must find out whether
        # it is a directory too.
        for length in range(_ENOUGH_DIGITS, _DIGITS + 1):
            point = high[:at] + tail[:length]
            if low < point < high:
                return point if len(point.encode()) <= LONGEST else None
        return None

    def pages_between(self, first: str, last: str, low: str, high: str) -> float | None:
        """How many pages lie between two keys, if all are as dense as the one from `first` to `last`; None
        where that page is too narrow to say."""
        page, whole = common_length(first, last), common_length(low, high)
        if page - whole >= DEEPER:
            return None
        at = min(page, whole)
        size = self._number(last, at, _FINE_DIGITS) - self._number(first, at, _FINE_DIGITS)
        rest = self._number(high, at, _FINE_DIGITS) - self._number(low, at, _FINE_DIGITS)
        return rest / max(size, 1)

    def siblings(self, first: str, last: str, prefix: str) -> list[str]:
        """Split points behind a page, for a range whose end is unknown or far: at each position, from the one
        that changes within the page up to the first, some characters that may come next; and the ladder."""
        points = {prefix + chr(code) for code in _LADDER}
        for at in range(min(common_length(first, last), len(last) - 1), len(prefix) - 1, -1):
            later = self._sorted[bisect_right(self._sorted, last[at]) :]
            if later:
                count = len(later)
                some = {later[0], later[count // 3], later[2 * count // 3], later[-1]}
                points |= {last[:at] + character for character in some}
        return sorted(point for point in points if point > last and len(point.encode()) <= LONGEST)

    def _number(self, text: str, at: int, digits: int) -> int:
        """The characters from `at` on as a number of so many digits; 0 is the end of the text. One that was
        not seen is taken for the place just before the next one that was: it may be the end of a range whose
        keys lie below."""
        alphabet, base, number, count = self._sorted, len(self._sorted) + 1, 0, 0
        for character in text[at : at + digits]:
            place, count = bisect_left(alphabet, character), count + 1
            number = number * base + place + 1
            if place == len(alphabet) or alphabet[place] != character:
                break
        return number * int(base ** (digits - count))

    def _text(self, number: int, digits: int) -> str:
        base, places = len(self._sorted) + 1, []
        for _ in range(digits):
            number, place = divmod(number, base)
            places.append(place)
        places.reverse()
        end = places.index(0) if 0 in places else digits
        return "".join(self._sorted[place - 1] for place in places[:end])


def common_length(one: str, other: str) -> int:
    """How many characters two texts have in common from the first on."""
    if one == other[: len(one)]:
        return len(one)
    low, high = 0, min(len(one), len(other))  # they agree before `low`, and not up to `high`
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low + (one[low:high] == other[low:high] != "")


def _sendable(code: int) -> int:
    """A code point near this one that every server takes: no control, no surrogate,
    none that is no character."""
    if 0xD800 <= code <= 0xDFFF:
        return 0xD7FF
    return max(0x20, code - 2 if code & 0xFFFE == 0xFFFE else code)
