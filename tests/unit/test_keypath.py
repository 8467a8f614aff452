"""Examples for `core.keypath`. The properties are in tests/properties."""

import pytest

from s3haul.core.keypath import MARK, ShadowFilter, key_of, safe_path, stored_path
from s3haul.models import SafePath

LONG = "x" * 300


def parts(key, **options):
    return safe_path(key, **options).parts


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "a/b/c.txt",
        "a..b/...",
        " leading and trailing ",
        "new\nline\x1b",
        "Grüße/日本語/🚀",
        "50%/%2e%2e",
        "-rf",
        "a\\b",
        "C:",
        "a/.s3haul",
        ".s3haulage",
        "~s3haul",
        "x" * 255,
        "é" * 127,
    ],
)
def test_an_ordinary_key_keeps_its_name_exactly(key):
    assert str(safe_path(key)) == key


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("..", "~s3haul~=.."),
        ("../../etc/passwd", "~s3haul~=../~s3haul~=../etc/passwd"),
        ("a/./b", "a/~s3haul~=./b"),
        ("/etc/passwd", "~s3haul~=/etc/passwd"),
        ("a//b", "a/~s3haul~=/b"),
        ("a\0b%", "~s3haul~=a%00b%25"),
        ("\ud800", "~s3haul~=%ED%A0%80"),
        (".s3haul/journal.sqlite3", "~s3haul~=.s3haul/journal.sqlite3"),
        (".S3HAUL/lock", "~s3haul~=.S3HAUL/lock"),
        (".s3\u200bhaul/lock", "~s3haul~=.s3\u200bhaul/lock"),
        (".S3\u200bHAUL", "~s3haul~=.S3\u200bHAUL"),
        (".\u017f3haul/lock", "~s3haul~=.\u017f3haul/lock"),
        ("~s3haul~=x", "~s3haul~=~s3haul~=x"),
        ("~S3Haul~", "~s3haul~=~S3Haul~"),
        ("a/~s3haul~@b", "a/~s3haul~=~s3haul~@b"),
    ],
)
def test_a_component_that_cannot_be_a_file_name_is_encoded(key, path):
    assert str(safe_path(key)) == path


def test_a_component_over_255_bytes_is_split_into_directories():
    assert parts(f"a/{LONG}/b") == ("a", f"{MARK}+{'x' * 246}", f"{MARK}={'x' * 54}", "b")


def test_a_long_component_is_measured_in_bytes_and_never_cut_inside_a_character():
    first, last = parts("日" * 86)
    assert (first, last) == (f"{MARK}+{'日' * 82}", f"{MARK}={'日' * 4}")


def test_a_long_component_is_never_cut_inside_an_escape():
    for plain in (0, 1, 2):
        first, second, last = parts("x" * plain + "\0" * 200)
        whole = (246 - plain) // 3
        assert first[9:] == "x" * plain + "%00" * whole
        assert second[9:] + last[9:] == "%00" * (200 - whole)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a", "~s3haul~@a"),
        ("x/a", "x/~s3haul~@a"),
        ("..", "~s3haul~@.."),
        ("x/", "x/~s3haul~@"),
        ("~s3haul~@a", "~s3haul~@~s3haul~@a"),
        (LONG, f"{MARK}+{'x' * 246}/{MARK}@{'x' * 54}"),
        ("y" * 250, f"{MARK}+{'y' * 246}/{MARK}@yyyy"),
    ],
)
def test_a_shadowed_key_becomes_a_file_next_to_the_directory_of_its_name(key, path):
    assert str(safe_path(key, shadowed=True)) == path


@pytest.mark.parametrize(
    ("key", "path"),
    [("a/", ("a",)), ("a/b/", ("a", "b")), ("a//", ("a", "~s3haul~=")), ("/", ("~s3haul~=",))],
)
@pytest.mark.parametrize("shadowed", [False, True])
def test_a_marker_is_the_directory_that_keys_below_it_need(key, path, shadowed):
    marker = safe_path(key, directory=True, shadowed=shadowed)
    assert marker == SafePath(path, directory=True)
    assert parts(key + "below")[:-1] == path
    assert key_of(marker) == key


def test_a_non_empty_object_whose_key_ends_with_a_slash_is_a_file_in_the_directory():
    assert safe_path("a/") == SafePath(("a", "~s3haul~="))


def test_the_base_is_removed_and_added_back():
    path = safe_path("data/2024/x", base="data/")
    assert path.parts == ("2024", "x")
    assert key_of(path, base="data/") == "data/2024/x"


def test_the_state_directory_is_guarded_below_the_base():
    assert parts("data/.s3haul/x", base="data/") == ("~s3haul~=.s3haul", "x")


def test_the_base_itself_is_the_root_as_a_marker_and_a_file_with_bytes():
    assert safe_path("data/", base="data/", directory=True) == SafePath((), directory=True)
    assert safe_path("data/", base="data/") == SafePath(("~s3haul~=",))
    assert key_of(SafePath((), directory=True), base="data/") == "data/"


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("other/x", {"base": "data/"}),
        ("database/x", {"base": "data"}),
        ("data/x", {"base": "data/", "directory": True}),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(key, options):
    with pytest.raises(ValueError, match="key"):
        safe_path(key, **options)


@pytest.mark.parametrize(
    "text",
    [
        "../x",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        ".s3haul/journal.sqlite3",
        ".S3HAUL/x",
        "a\0b",
        "x" * 256,
        "",
        "~s3haul~",
        "~s3haul~+x",
        "~s3haul~+x/y",
        "~s3haul~?x",
        "~s3haul~=ordinary",
        "~s3haul~=%2E",
        "~s3haul~=%",
        "~s3haul~=%FF",
        "~s3haul~@a/b",
        "~S3HAUL~=.",
    ],
)
def test_a_path_that_no_key_maps_to_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - decoding raises its own kinds
        stored_path(text)


@pytest.mark.parametrize("key", ["a/b", "../x", "a//b", LONG, "a\0", "\ud800"])
@pytest.mark.parametrize("shadowed", [False, True])
def test_a_path_is_converted_back_to_its_key(key, shadowed):
    path = safe_path(key, shadowed=shadowed)
    assert stored_path(str(path)) == path
    assert stored_path(str(safe_path(key + "/", directory=True)), directory=True).directory


def test_a_shadowed_name_is_not_a_directory():
    with pytest.raises(ValueError, match="no key"):
        key_of(SafePath(("~s3haul~@a",), directory=True))


def verdicts(*keys):
    shadows = ShadowFilter(key=str)
    return [pair for key in keys for pair in shadows.push(key)] + shadows.flush()


def test_a_key_is_shadowed_even_when_others_sort_between_it_and_the_keys_below_it():
    assert dict(verdicts("a", "a-1", "a.txt", "a/b", "a0")) == {
        "a": True,
        "a-1": False,
        "a.txt": False,
        "a/b": False,
        "a0": False,
    }


def test_a_marker_shadows_the_key_beside_it():
    assert dict(verdicts("a", "a/", "a//b")) == {"a": True, "a/": True, "a//b": False}


def test_a_shadowed_key_is_released_before_the_first_key_below_it():
    shadows = ShadowFilter(key=str)
    assert [shadows.push(key) for key in ("a", "a-1", "a/b")] == [[], [], [("a-1", False), ("a", True)]]
    assert len(shadows._chain) == 1


def test_a_key_that_is_listed_twice_gets_the_same_result_twice():
    assert verdicts("a", "a", "a/b") == [("a", True), ("a", True), ("a/b", False)]


def test_a_listing_out_of_order_is_refused():
    shadows = ShadowFilter(key=str)
    shadows.push("b")
    with pytest.raises(ValueError, match="order"):
        shadows.push("a")
