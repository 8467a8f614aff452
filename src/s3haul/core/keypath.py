"""S3 keys to paths that are safe to create, and back: the only maker of `SafePath`. No I/O.

`ShadowFilter` finds, while a listing streams, which keys are shadowed; `safe_path` needs to know.

A key (without `base`) is cut at "/". A component that can be a file name everywhere stays exactly as
it is. Every other one is *encoded*:

    ~s3haul~=TEXT     TEXT is the component, with "%", NUL and lone surrogates as %XX (UTF-8 bytes)
    ~s3haul~+CHUNK    a directory: the beginning of a component too long for one name
    ~s3haul~@TEXT     as "=", for the last component of a *shadowed* key: one below which other keys
                      live ("a" beside "a/b"), so that the file sits next to the directory
    ~s3haul~:VERSION:TEXT   as "=", for the last component of a key of which all versions are taken

Encoded are: "", ".", "..", what contains NUL or a lone surrogate, what exceeds 255 UTF-8 bytes, what
begins with the mark, and ".s3haul" (the state directory) as the first component. The last two are
compared as a disk would that folds case and drops invisible characters.

Why no two keys collide. Components become *words*: one ordinary name, or "+" names ended by one "=", "@"
or ":" name. No ordinary name begins with the mark, so words are a prefix code: a list of names reads
back in one way only, and different components give different names. It remains that one key's file
is never a directory of another key. Its names would then be a prefix of that key's names, hence its
components a prefix of that key's components, hence the key is shadowed and ends in an "@" name,
which no directory has. A zero-byte marker `d/` is the directory that the keys below it need anyway,
and a file named like it would be the shadowed key `d`. The decision looks at the key and at whether
it is shadowed in the whole key set, never at the order of arrival.

A disk that folds names (see `disk.names`) confuses words that this map distinguishes. There, of the
words of one directory that fold to the same text, the first one that a run meets keeps its spelling, for
ever; `disk.names` remembers which. The others are spelled *apart*:

    ~s3haul~^TEXT     as "=" (or as no encoding at all), spelled so that no disk folds it
    ~s3haul~#TEXT     as "@"
    ~s3haul~!TEXT     as ":"; TEXT has both

TEXT has lower-case ASCII letters, digits and some punctuation; all else is %XX. So these spellings depend
on the component alone, and two of them differ on every disk.
"""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from operator import lt
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from s3haul.models import NUL, SafePath

T = TypeVar("T")

MARK = "~s3haul~"
STATE_DIRECTORY = ".s3haul"
NAME_MAX = 255  # bytes; Linux and macOS
# What ext4 with casefold, and HFS+, drop before they compare names: Default_Ignorable_Code_Point.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

_ROOM = NAME_MAX - len(MARK) - 1
_PART, _LAST, _SHADOWED, _VERSION = "+", "=", "@", ":"
_APART = {_LAST: "^", _SHADOWED: "#", _VERSION: "!"}
_PLAIN = {end: plain for plain, end in _APART.items()}

# Nearly all keys: each component is ASCII, and does not begin as one of our own names does.
_COMPONENT = r"[\x01-\-0-}\x7f][\x01-.0-\x7f]{0,254}"
_ORDINARY = re.compile(f"(?:{_COMPONENT}/)*{_COMPONENT}")
_OURS = "s3haul"  # in the mark and in the name of the state directory
_NO_NAME = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED = re.compile("[%\x00\ud800-\udfff]+")
# In the spelling that no disk folds: all but these, and what Windows drops at the end of a name.
_FOLDED = re.compile(r"[^a-z0-9!#$&'()+,\-.;=@\[\]^_`{}~ ]+|[. ]+$")
_ODD_VERSION = re.compile(r"[^\w.-]+", re.ASCII)
_DROPPED = re.compile("[. ]+")


def safe_path(
    key: str, *, base: str = "", directory: bool = False, shadowed: bool = False, versioned: bool = False
) -> SafePath:
    """The path of `key` below the destination, without `base` (empty, or ending in "/").

    `directory` says that the key is a marker: it ends in "/" (or is `base` itself) and has no bytes.
    `shadowed` says that another key of the source begins with this key + "/"; it means nothing for
    markers. `versioned` says that the key ends in NUL and a version. Raises ValueError where the
    arguments contradict each other: a bug of the caller.
    """
    if not key.startswith(base) or (base and not base.endswith("/")):
        raise ValueError("the key does not lie below the base")
    rest = key[len(base) :]
    if not (directory or shadowed or versioned) and _ORDINARY.fullmatch(rest):
        return SafePath(tuple(rest.split("/")))
    if not directory:
        if versioned:
            return SafePath(tuple(_version_names(rest)))
        return SafePath(tuple(_names(rest.split("/"), shadowed=shadowed)))
    if not rest:
        return SafePath((), directory=True)
    if not rest.endswith("/"):
        raise ValueError("only a key that ends in a slash is a directory marker")
    return SafePath(tuple(_names(rest[:-1].split("/"), shadowed=False)), directory=True)


def perhaps_encoded(keys: Sequence[str], *, base: str = "") -> list[int]:
    """The places of those of these keys whose path may differ from the key without `base`;
    mostly seen at a glance."""
    rests = [key[len(base) :] for key in keys] if base else keys
    text = f"/{'/'.join(rests)}/"
    ordinary = text.isascii()
    folded = text.lower() if ordinary else IGNORABLE.sub("", unicodedata.normalize("NFKD", text).casefold())
    if _OURS in folded or _UNSTORABLE.search(text):
        return list(range(len(keys)))
    if max(map(len, rests if ordinary else map(str.encode, rests)), default=0) > NAME_MAX:
        return list(range(len(keys)))
    if not any(sign in text for sign in ("//", "/./", "/../")):
        return []
    return [place for place, rest in enumerate(rests) if _NO_NAME.search(rest)]


def key_of(path: SafePath, *, base: str = "") -> str:
    """The key whose path this is, spelled apart or not. Raises ValueError where there is none."""
    spelled = words(path)
    rest = "/".join(map(_component, spelled))
    if path.directory and path.parts:
        rest += "/"
    shadowed = bool(spelled) and _end(spelled[-1]) in {_SHADOWED, _APART[_SHADOWED]}
    versioned = bool(spelled) and _end(spelled[-1]) in {_VERSION, _APART[_VERSION]}
    made = safe_path(rest, directory=path.directory, shadowed=shadowed, versioned=versioned)
    if made != path:
        plain = zip(words(made), spelled, strict=True)
        again = [apart(word) if _end(given) in _PLAIN else word for word, given in plain]
        if joined(again, directory=path.directory) != path:
            raise ValueError("no key has this path")
    return base + rest


def words(path: SafePath) -> list[tuple[str, ...]]:
    """The names of `path` by component: an ordinary name, or those of a long one. Raises ValueError."""
    found: list[tuple[str, ...]] = []
    pending: tuple[str, ...] = ()
    for name in path.parts:
        pending += (name,)
        if not name.startswith(MARK + _PART):
            found.append(pending)
            pending = ()
    if pending:
        raise ValueError("the path ends inside a name")
    return found


def joined(spelled: Iterable[tuple[str, ...]], *, directory: bool) -> SafePath:
    """The path of these words."""
    return SafePath(tuple(name for word in spelled for name in word), directory=directory)


def apart(word: tuple[str, ...]) -> tuple[str, ...]:
    """The same component, spelled so that no disk takes it for another component of its directory."""
    end = _end(word)
    if end in _PLAIN:
        return word
    text = _FOLDED.sub(_percent, _component(word))
    if len(text) > _ROOM:  # a name that is cut must not end in these either
        text = _DROPPED.sub(_percent, text)
    return tuple(_cut_up(text.encode(), _APART[end or _LAST]))


def stored_path(text: str, *, directory: bool = False) -> SafePath:
    """A path that was written down (`str(path)`), back as a `SafePath`.

    Raises ValueError for a text that `safe_path` cannot have made, so that a manifest or a journal
    that was tampered with cannot name a file outside the destination.
    """
    path = SafePath(tuple(text.split("/")) if text else (), directory=directory)
    key_of(path)
    return path


class ShadowFilter(Generic[T]):
    """Passes items on with the verdict "shadowed?", as soon as the listing shows it.

    Keys must come in UTF-8 byte order (which is Python's order of str). A key p stays open only while
    the listing is between p and p + "/"; all keys in that gap begin with p. So what waits is a
    chain in which each key is a prefix of the next: never more keys than the longest has characters,
    and mostly one. A shadowed key is released before the first key below it, though not
    necessarily before keys that sort after it.

    `known` are keys that are shadowed by keys of another part of the listing.
    """

    def __init__(self, key: Callable[[T], str], known: Container[str] = frozenset()) -> None:
        self._key = key
        self._known = known
        self._chain: list[tuple[str, T]] = []

    def push(self, item: T) -> list[tuple[T, bool]]:
        """Take the next item; return those whose verdict it shows.
        Raises ValueError when it is out of order."""
        return self.push_all((item,))

    def push_all(self, items: Sequence[T]) -> list[tuple[T, bool]]:
        """`push` for each of these."""
        keys = list(map(self._key, items))
        decided = self._push_each(keys[:1], items[:1])
        following = keys[1:]
        one_by_one = (
            not following
            or len(self._chain) != 1
            or any(map(str.startswith, following, keys))
            or any(map(lt, following, keys))
        )
        if one_by_one:
            return decided + self._push_each(following, items[1:])
        # As in most pages, no key is the beginning of a later one,
        # because then the next one would begin with it too.
        decided += zip(items[:-1], map(self._known.__contains__, keys), strict=False)
        self._chain = [(keys[-1], items[-1])]
        return decided

    def _push_each(self, keys: Sequence[str], items: Sequence[T]) -> list[tuple[T, bool]]:
        decided: list[tuple[T, bool]] = []
        chain = self._chain
        for key, item in zip(keys, items, strict=True):
            while chain:
                open_key, open_item = chain[-1]
                if key < open_key:
                    raise ValueError("the listing is not in UTF-8 order")
                if not key.startswith(open_key):
                    below = False
                elif not (below := key.startswith("/", len(open_key))):
                    break
                decided.append((open_item, below or open_key in self._known))
                chain.pop()
            chain.append((key, item))
        return decided

    def flush(self) -> list[tuple[T, bool]]:
        """End of the listing: nothing that still waits is shadowed by what came here."""
        decided = [(item, key in self._known) for key, item in reversed(self._chain)]
        self._chain.clear()
        return decided


def _names(components: list[str], *, shadowed: bool) -> Iterator[str]:
    last = len(components) - 1
    for index, component in enumerate(components):
        if shadowed and index == last:
            yield from _encoded(component, _SHADOWED)
        elif _is_ordinary(component, first=index == 0):
            yield component
        else:
            yield from _encoded(component, _LAST)


def _version_names(rest: str) -> Iterator[str]:
    """The names of a key and a version. In the version only what it has at AWS stays as it is."""
    key, nul, version = rest.rpartition(NUL)
    if not nul or not version:
        raise ValueError("the key names no version")
    *above, last = key.split("/")
    yield from _names(above, shadowed=False)
    text = f"{_ODD_VERSION.sub(_percent, version)}:{_ESCAPED.sub(_percent, last)}"
    yield from _cut_up(text.encode(), _VERSION)


def _is_ordinary(component: str, *, first: bool) -> bool:
    """Whether `component` can be a file name as it is, and none of ours."""
    if _ORDINARY.fullmatch(component):
        return True
    if component in {"", ".", ".."} or _UNSTORABLE.search(component):
        return False
    if component.isascii():
        folded = component.lower()
        size = len(component)
    else:
        folded = IGNORABLE.sub("", unicodedata.normalize("NFKD", component).casefold())
        size = len(component.encode())
    return size <= NAME_MAX and not folded.startswith(MARK) and not (first and folded == STATE_DIRECTORY)


def _encoded(component: str, end: str) -> Iterator[str]:
    """The names of one encoded component; only the last carries `end`."""
    return _cut_up(_ESCAPED.sub(_percent, component).encode(), end)


def _cut_up(text: bytes, end: str) -> Iterator[str]:
    while len(text) > _ROOM:
        cut = _cut(text)
        yield MARK + _PART + text[:cut].decode()
        text = text[cut:]
    yield MARK + end + text.decode()


def _cut(text: bytes) -> int:
    """How much of `text` fits into one name without cutting a character or an escape."""
    cut = _ROOM
    while text[cut] & 0xC0 == 0x80:
        cut -= 1
    escape = text.rfind(b"%", cut - 2, cut)
    return cut if escape < 0 else escape


def _percent(match: re.Match[str]) -> str:
    return "%" + match[0].encode("utf-8", "surrogatepass").hex("%").upper()


def _end(word: tuple[str, ...]) -> str:
    """The character that says how the word is encoded; "" for an ordinary name."""
    return word[-1][len(MARK) : len(MARK) + 1] if word[-1].startswith(MARK) else ""


def _component(word: tuple[str, ...]) -> str:
    """The component of the word. Accepts more than `_names` makes;
    `key_of` refuses the rest by encoding again."""
    end = _end(word)
    if not end:
        return "/".join(word)
    text = "".join(name[len(MARK) + 1 :] for name in word)
    if end == _VERSION:
        version, _, name = text.partition(":")
        return f"{_unquoted(name)}{NUL}{_unquoted(version)}"
    return _unquoted(text)


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogatepass")
