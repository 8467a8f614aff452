"""`core.keypath` for any set of keys: nothing escapes, nothing collides, everything reads back.

Hypothesis finds and shrinks; a seeded generator adds volume, built from what has broken other tools.
"""

import contextlib
import os
import posixpath
import random
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from s3haul.core.keypath import MARK, ShadowFilter, key_of, perhaps_encoded, safe_path
from s3haul.disk import Destination

SEED = 20_160_901
SETS, KEYS_PER_SET = 850, 120

NASTY = [
    *("", ".", "..", "...", ".s3haul", ".S3haul", ".\u017f3haul", ".s3\u200dhaul", "~s3haul~", "~S3HAUL~=x"),
    *("~s3haul~=", "~s3haul~=..", "~s3haul~@a", "~s3haul~+a", "~s3haul~=%00", "%", "%00", "%2e%2e", "%25"),
    *(
        "\0",
        "a\0",
        "\ud800",
        "\udcff",
        "\ud83d\ude00",
        "\n",
        "\x1b[2J",
        "\u202e",
        "a",
        "A",
        "b",
        "é",
        "e\u0301",
    ),
    *("-rf", "~", "\\", "..\\..", "C:", "CON", "a ", " a", "a.", "x" * 255, "x" * 256, "é" * 127, "é" * 128),
    *("日" * 85, "日" * 86, "%" * 240, "\0" * 90, "~s3haul~=" + "x" * 246, "x" * 246, "x" * 247),
]
PLAIN = "abcXYZ019 -_.!*'()&$@=;:+,?é日🚀"

components = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=8),
    st.text("ab./~%\0", max_size=6),
    st.text("é日\0%x", max_size=300),
).map(lambda text: text.replace("/", ""))
keys = st.lists(components, min_size=1, max_size=5).map("/".join)


def place(sizes, base=""):
    """Every key of the set at its path, as a listing would place it."""
    shadows = ShadowFilter(key=str)
    listing = [pair for key in sorted(sizes) for pair in shadows.push(key)] + shadows.flush()
    return {
        key: safe_path(
            key,
            base=base,
            shadowed=shadowed,
            directory=sizes[key] == 0 and (key.endswith("/") or key == base),
        )
        for key, shadowed in listing
    }


def assert_safe(path):
    for name in path.parts:
        assert name not in {"", ".", ".."}
        assert not set(name) & {"/", "\0"}
        assert len(name.encode()) <= 255
    joined = posixpath.join("/root", *path.parts)
    assert posixpath.normpath(joined) == joined, "a disk would read another path"
    if path.parts:
        visible = "".join(c for c in path.parts[0] if unicodedata.category(c) not in {"Cf", "Mn"})
        assert unicodedata.normalize("NFKD", visible).casefold() != ".s3haul"


def assert_apart(paths):
    """No two keys share a path, and no file is a directory of another key."""
    files = {path.parts for path in paths.values() if not path.directory}
    markers = {path.parts for path in paths.values() if path.directory}
    assert len(files) + len(markers) == len(paths)
    parents = {path.parts[:depth] for path in paths.values() for depth in range(len(path.parts))}
    assert not files & (parents | markers)


def assert_reversible(paths, base=""):
    for key, path in paths.items():
        assert key_of(path, base=base) == key


def nasty_component(dice):
    roll = dice.random()
    if roll < 0.7:
        return dice.choice(NASTY)
    if roll < 0.85:
        return "".join(dice.choices(".~%=@+s3haul\0é", k=dice.randrange(1, 12)))
    return "".join(dice.choices("é日x%\0\ud800🚀", k=dice.randrange(40, 130)))


def nasty_set(dice):
    """Keys that are one another's prefixes, siblings and markers, with sizes."""
    made = []
    while len(made) < KEYS_PER_SET:
        start = [dice.choice(made)] if made and dice.random() < 0.6 else []
        key = "/".join(start + [nasty_component(dice) for _ in range(dice.randrange(1, 4))])
        if len(key.encode("utf-8", "surrogatepass")) > 1024:  # as S3 limits them
            continue
        made += [key, key + "/"] if dice.random() < 0.2 else [key]
    return {key: dice.choice((0, 1)) for key in made if key}


def test_over_100_000_hostile_keys_neither_escape_nor_collide_and_all_read_back():
    dice = random.Random(SEED)
    total = 0
    for _ in range(SETS):
        paths = place(nasty_set(dice))
        total += len(paths)
        for path in paths.values():
            assert_safe(path)
        assert_apart(paths)
        assert_reversible(paths)
    assert total >= 100_000


def test_over_20_000_ordinary_keys_are_unchanged():
    dice = random.Random(SEED)
    for _ in range(20_000):
        names = ["".join(dice.choices(PLAIN, k=dice.randrange(1, 60))) for _ in range(dice.randrange(1, 6))]
        names = [name for name in names if name not in {".", ".."}] or ["x"]
        assert safe_path("/".join(names)).parts == tuple(names)


@settings(max_examples=300)
@given(st.dictionaries(keys.filter(bool), st.integers(0, 1), max_size=12))
def test_any_key_set_is_safe_apart_and_reversible(sizes):
    paths = place(sizes)
    for path in paths.values():
        assert_safe(path)
    assert_apart(paths)
    assert_reversible(paths)


@settings(max_examples=200)
@given(st.lists(keys, max_size=8, unique=True), st.integers(0, 1))
def test_a_base_changes_nothing_but_what_is_cut_off(rests, size):
    base = "ba/se/"
    paths = place({base + rest: size for rest in rests}, base)
    for path in paths.values():
        assert_safe(path)
    assert_apart(paths)
    assert_reversible(paths, base)


@settings(max_examples=300)
@given(st.lists(keys.filter(bool), max_size=8, unique=True))
def test_a_path_depends_on_the_key_and_its_shadow_only(chosen):
    paths = place(dict.fromkeys(chosen, 1))
    for key in chosen:
        shadowed = any(other.startswith(key + "/") for other in chosen)
        assert paths[key] == safe_path(key, shadowed=shadowed)
        assert any(name.startswith(MARK + "@") for name in paths[key].parts) == shadowed


@settings(max_examples=300)
@given(st.sets(st.text("ab/-.0é\U0001f680\uffff", max_size=8), max_size=40))
def test_the_shadow_filter_agrees_with_looking_at_all_keys(chosen):
    shadows = ShadowFilter(key=str)
    released = {}
    longest = max(map(len, chosen), default=0)
    for key in sorted(chosen, key=str.encode):
        for open_key, shadowed in shadows.push(key):
            assert open_key not in released
            released[open_key] = shadowed
        assert len(shadows._chain) <= longest + 1
        above = {other for other in chosen if key.startswith(other + "/")}
        assert above <= released.keys(), "released no later than the first key below it"
    released |= dict(shadows.flush())
    assert released == {key: any(other.startswith(key + "/") for other in chosen) for key in chosen}


@settings(max_examples=300)
@given(
    st.sets(st.text("ab/-.0é", max_size=6), max_size=40),
    st.sets(st.text("ab/", max_size=3)),
    st.integers(1, 9),
)
def test_the_shadow_filter_decides_a_page_as_it_does_key_by_key(chosen, known, page):
    keys = sorted(chosen, key=str.encode)
    by_key, by_page = ShadowFilter(key=str, known=known), ShadowFilter(key=str, known=known)
    for start in range(0, len(keys), page):
        some = keys[start : start + page]
        assert by_page.push_all(some) == [pair for key in some for pair in by_key.push(key)]
    assert by_page.flush() == by_key.flush()


@settings(max_examples=300)
@given(
    st.sampled_from(["", "p/"]),
    st.lists(
        st.text("ab/-.~0", max_size=8)
        | st.sampled_from([*NASTY, "é" * 128, "a/é/\uff5es3haul~", "x" * 255, "x" * 255 + "/y"]),
        max_size=5,
    ),
)
def test_keys_that_are_ordinary_at_a_glance_are_their_own_paths(base, rests):
    odd = set(perhaps_encoded([base + rest for rest in rests], base=base))
    for place, rest in enumerate(rests):
        if place not in odd:
            assert safe_path(base + rest, base=base).parts == tuple(rest.split("/"))
    assert perhaps_encoded([base + "a", base + "b/..c.json", base + "é/日~"], base=base) == []
    assert perhaps_encoded([base + "a", base + "b//c", base + "c", base + "d/.."], base=base) == [1, 3]


def walk(fd, above=()):
    """(parts, content or None for a directory) of everything below `fd`, without following a symlink."""
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        child = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
        with open(child, "rb", closefd=False) if not is_directory else contextlib.nullcontext() as file:
            yield (*above, name), file.read() if file else None
        if is_directory:
            yield from walk(child, (*above, name))
        os.close(child)


def test_thousands_of_hostile_keys_are_stored_on_a_real_disk_and_nowhere_else(tmp_path):
    dice = random.Random(SEED)
    sizes = {key: size for _ in range(25) for key, size in nasty_set(dice).items()}
    paths = place(sizes)
    assert len(paths) > 2_000
    root = tmp_path / "root"
    expected = {}
    with Destination.open(root) as destination:
        for key, path in paths.items():
            if path.directory:
                destination.make_directory(path)
            else:
                expected[path.parts] = key.encode("utf-8", "surrogatepass")
                destination.write_file(path, expected[path.parts], 0.0)
    directories = {path.parts for path in paths.values() if path.directory} | {
        parts[:depth] for parts in (path.parts for path in paths.values()) for depth in range(1, len(parts))
    }
    fd = os.open(root, os.O_RDONLY)
    landed = {parts: content for parts, content in walk(fd) if parts[0] != ".s3haul"}
    os.close(fd)
    assert landed == expected | dict.fromkeys(directories)
    assert list(tmp_path.iterdir()) == [root]
    assert list((root / ".s3haul").rglob("*")) == [root / ".s3haul" / "tmp"]
