"""File systems that treat different names as equal: every key has its own file, in every run.

Two real case-insensitive file systems are used if they can be mounted; else the tests are skipped.
"""

import os
import sqlite3
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folding_disks import mounted_folding_disk  # noqa: F401 - a fixture
from s3haul.core.keypath import key_of, safe_path
from s3haul.disk import Destination
from s3haul.disk.names import FILE_NAME, Names, fold
from s3haul.errors import DestinationError

KEYS = [
    "k/A.bin",
    "k/a.bin",
    "K/a.bin",
    "k/dir/x",
    "k/DIR",
    "k/caf\u00e9",
    "k/cafe\u0301",
    "s~1.txt",
    "S~1.TXT",
]
TWINS = "aA\u00e9\u00c9iI\u0131\u0130\u00df\u017f\u212a.~1 "

components = st.text(TWINS, min_size=1, max_size=4).filter(lambda text: text not in {".", ".."})
keys = st.lists(components, min_size=1, max_size=3).map("/".join)


@pytest.fixture
def names(tmp_path):
    opened = Names(tmp_path)
    yield opened
    opened.close()


def settle(names, key, *, shadowed=False):
    return names.path_on_disk(safe_path(key, shadowed=shadowed))


def test_names_that_some_file_system_treats_as_equal_fold_to_the_same_text():
    forms = ("NFC", "NFD", "NFKC", "NFKD")
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in {"Cn", "Co", "Cs", "Lo"} and not unicodedata.decomposition(char):
            continue
        others = {char.lower(), char.upper(), char.casefold(), char.title()}
        others |= {unicodedata.normalize(form, char) for form in forms}
        for other in others - {char}:
            assert fold(f"a{char}b") == fold(f"a{other}b"), (hex(code), other)


@pytest.mark.parametrize(
    "names_of_one", [("a", "A"), ("a", "a."), ("a", "a "), ("e\u0301", "\u00c9"), ("a\u200db", "AB")]
)
def test_case_unicode_form_and_endings_are_ignored(names_of_one):
    assert len(set(map(fold, names_of_one))) == 1


def test_the_first_name_is_kept_and_the_others_are_encoded(names):
    assert [str(settle(names, key)) for key in KEYS] == [
        "k/A.bin",
        "k/~s3haul~^a.bin",
        "~s3haul~^%4B/a.bin",
        "k/dir/x",
        "k/~s3haul~^%44%49%52",
        "k/caf\u00e9",
        "k/~s3haul~^cafe%CC%81",
        "~s3haul~^s~1.txt",
        "~s3haul~^%53~1.%54%58%54",
    ]


def test_encoded_and_shadowed_names_do_not_collide_either(names):
    assert str(settle(names, "A", shadowed=True)) == "~s3haul~@A"
    assert str(settle(names, "a", shadowed=True)) == "~s3haul~#a"
    assert str(settle(names, "x//b")) == "x/~s3haul~=/b"
    assert str(settle(names, "x/./b")) == "x/~s3haul~^%2E/b"


def test_a_name_belongs_to_the_same_key_in_every_later_run(tmp_path):
    first = Names(tmp_path)
    assert str(settle(first, "a")) == "a"
    first.close()
    second = Names(tmp_path)
    assert str(settle(second, "A")) == "~s3haul~^%41"  # listed before "a", but not there when "a" was
    assert str(settle(second, "a")) == "a"
    second.close()


def test_names_that_were_not_committed_are_chosen_again(tmp_path):
    names = Names(tmp_path)
    settle(names, "a")
    names.commit()
    settle(names, "b")
    with sqlite3.connect(f"file:{tmp_path / FILE_NAME}?mode=ro", uri=True) as other:
        assert other.execute("SELECT spelled FROM names").fetchall() == [(b"a",)]
    other.close()
    names.close()


def test_a_damaged_names_file_is_an_error_for_the_user(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(DestinationError, match=FILE_NAME) as caught:
        Names(tmp_path)
    assert "remove it" in caught.value.hint


def test_a_names_file_that_cannot_be_opened_leaves_no_descriptor_open(tmp_path, monkeypatch):
    monkeypatch.setattr("s3haul.disk.probe.folds_names", lambda *_: True)
    (tmp_path / ".s3haul" / FILE_NAME).mkdir(parents=True)
    before = set(Path("/dev/fd").iterdir())
    with pytest.raises(DestinationError):
        Destination.open(tmp_path)
    assert set(Path("/dev/fd").iterdir()) <= before


@settings(max_examples=150)
@given(st.lists(keys, max_size=12, unique=True))
def test_settled_paths_never_collide_and_can_be_converted_back(tmp_path_factory, chosen):
    names = Names(tmp_path_factory.mktemp("names"))
    settled = {key: settle(names, key) for key in chosen}
    again = {key: settle(names, key) for key in reversed(chosen)}
    names.close()
    assert settled == again
    assert len({tuple(map(fold, path.parts)) for path in settled.values()}) == len(chosen)
    assert [key_of(path) for path in settled.values()] == chosen
    spellings = {}
    for path in settled.values():  # directories too: one folded path has one spelling
        for depth in range(1, len(path.parts) + 1):
            folded = tuple(map(fold, path.parts[:depth]))
            assert spellings.setdefault(folded, path.parts[:depth]) == path.parts[:depth]


@settings(max_examples=100)
@given(st.text("aA\0.% \u00e9", min_size=200, max_size=300))
def test_a_long_encoded_name_fits_and_can_be_converted_back(tmp_path_factory, component):
    names = Names(tmp_path_factory.mktemp("names"))
    settle(names, component.swapcase() + "x")
    settle(names, component.swapcase())
    path = settle(names, component)
    names.close()
    assert all(len(name.encode()) <= 255 for name in path.parts)
    assert key_of(path) == component


def test_a_case_sensitive_disk_keeps_every_name_and_needs_no_names_file(tmp_path):
    with Destination.open(tmp_path) as destination:
        if destination.folds_names:
            pytest.skip("the directory of the tests is on a disk that folds names")
        assert [str(destination.path_on_disk(safe_path(key))) for key in KEYS] == KEYS
    assert not (tmp_path / ".s3haul" / FILE_NAME).exists()


def test_every_key_has_a_file_of_its_own_on_a_disk_that_folds_case(folding_disk: Path):
    root = folding_disk / "root"
    placed = {}
    for _run in range(2):
        with Destination.open(root) as destination:
            assert destination.folds_names
            for key in KEYS:
                path = destination.path_on_disk(safe_path(key))
                assert placed.setdefault(key, path) == path
                destination.write_file(path, key.encode(), 0.0)
            destination.sync()
    with Destination.open(root) as destination:
        for key, path in placed.items():
            with os.fdopen(destination.open_read(path), "rb") as file:
                assert file.read() == key.encode()
