"""Several prefixes of one bucket in one destination: each keeps its own rows,
and no file is replaced unasked."""

import pytest

from contract.memory import MemoryStore
from contract.stored import stored
from engine.harness import manifest, run_once, states, tree
from s3haul.audit import verify
from s3haul.errors import JournalError
from s3haul.events import Warned
from s3haul.journal import Reader
from s3haul.journal.database import journal_path

DONE = ("done", None)
TAKEN = ("failed", "path-taken")


def store() -> MemoryStore:
    return MemoryStore(
        {
            "a/deep//x": stored(b"a deep"),
            "a/same": stored(b"of a"),
            "a/x.txt": stored(b"ax"),
            "c/same": stored(b"of c, longer"),
            "c/y.txt": stored(b"cy"),
        }
    )


async def one(there, root, key, **options):
    return await run_once(there, root, prefix=key, recursive=False, **options)


def damaged(root) -> int:
    return verify(root).damaged


async def test_single_objects_of_several_prefixes_share_a_directory(tmp_path):
    there = store()
    for key in ("a/x.txt", "c/y.txt"):
        assert (await one(there, tmp_path, key)).stats.exit_code == 0
    assert tree(tmp_path) == {"x.txt": b"ax", "y.txt": b"cy"}
    assert states(tmp_path) == {"a/x.txt": DONE, "c/y.txt": DONE}
    assert damaged(tmp_path) == 0
    for key in ("a/x.txt", "c/y.txt"):
        assert (await one(there, tmp_path, key)).stats.already == 1
    with Reader(journal_path(tmp_path)) as reader:
        assert reader.prefixes() == ["a/x.txt", "c/y.txt"]
        assert reader.url == "s3://bucket/"


async def test_a_listing_of_one_prefix_says_nothing_of_the_others(tmp_path):
    there = store()
    del there.objects["c/same"]
    for prefix in ("a/", "c/", "a/"):
        assert (await run_once(there, tmp_path, prefix=prefix)).stats.exit_code == 0
    assert set(manifest(tmp_path)) == {"a/deep//x", "a/same", "a/x.txt", "c/y.txt"}
    assert damaged(tmp_path) == 0
    del there.objects["c/y.txt"]
    await run_once(there, tmp_path, prefix="c/")
    assert set(manifest(tmp_path)) == {"a/deep//x", "a/same", "a/x.txt"}


@pytest.mark.parametrize("deleted", [False, True], ids=["there", "deleted by hand"])
async def test_a_prefix_does_not_take_the_file_of_an_object_of_another_prefix(tmp_path, deleted):
    there = store()
    there.objects["c/deep//x"] = stored(b"c deep")
    await run_once(there, tmp_path, prefix="a/")
    before = tree(tmp_path)
    if deleted:
        (tmp_path / "same").unlink()
    for _ in range(2):
        ran = await run_once(there, tmp_path, prefix="c/")
        assert ran.stats.exit_code == 1
        assert ran.stats.balanced
        assert ran.stats.replacing == 0
    found = manifest(tmp_path)
    assert dict.fromkeys(("c/deep//x", "c/same"), TAKEN).items() <= states(tmp_path).items()
    assert "a/same" in found["c/same"]["detail"]
    await run_once(there, tmp_path, prefix="a/")
    assert tree(tmp_path) == before | {"y.txt": b"cy"}
    assert damaged(tmp_path) == 0


async def test_the_path_of_an_object_that_left_the_bucket_is_free(tmp_path):
    there = store()
    await run_once(there, tmp_path, prefix="a/")
    del there.objects["a/same"]
    await run_once(there, tmp_path, prefix="a/")
    assert (await run_once(there, tmp_path, prefix="c/")).stats.exit_code == 0
    assert tree(tmp_path)["same"] == b"of c, longer"


@pytest.mark.parametrize("name", [None, "same"])
async def test_an_object_that_is_named_replaces_the_file_and_the_journal_says_so(tmp_path, name):
    there = store()
    await run_once(there, tmp_path, prefix="a/")
    ran = await one(there, tmp_path, "c/same", file_name=name)
    assert ran.stats.exit_code == 0
    assert [event.id for event in ran.events if isinstance(event, Warned)] == ["S3H-DST-14"]
    assert tree(tmp_path)["same"] == b"of c, longer"
    assert set(manifest(tmp_path)) == {"a/deep//x", "a/x.txt", "c/same"}
    assert damaged(tmp_path) == 0
    assert (await run_once(there, tmp_path, prefix="a/")).stats.exit_code == 1
    assert states(tmp_path)["a/same"] == TAKEN


async def test_two_objects_under_one_name_are_not_both_done(tmp_path):
    there = store()
    await one(there, tmp_path, "a/x.txt", file_name="latest")
    await one(there, tmp_path, "a/same", file_name="latest")
    assert states(tmp_path) == {"a/same": DONE}
    assert damaged(tmp_path) == 0


async def test_what_was_copied_alone_gets_its_own_path_with_its_prefix(tmp_path):
    there = store()
    there.objects["x.txt"] = stored(b"the other")
    await one(there, tmp_path, "a/x.txt")
    assert (await run_once(there, tmp_path)).stats.exit_code == 0
    assert tree(tmp_path)["x.txt"] == b"the other"
    assert tree(tmp_path)["a/x.txt"] == b"ax"
    assert set(states(tmp_path).values()) == {DONE}
    assert damaged(tmp_path) == 0


@pytest.mark.parametrize(("first", "second"), [("", "a/"), ("a/", "")])
async def test_a_prefix_within_another_is_refused(tmp_path, first, second):
    there = store()
    await run_once(there, tmp_path, prefix=first)
    before = tree(tmp_path)
    with pytest.raises(JournalError, match="other paths") as caught:
        await run_once(there, tmp_path, prefix=second)
    assert f"s3://bucket/{first}: s3://bucket/{second} " in caught.value.message
    assert "another destination" in caught.value.hint
    assert tree(tmp_path) == before
    assert (await run_once(there, tmp_path, prefix=first)).stats.already == len(before)


async def test_a_prefix_that_had_no_object_claims_nothing(tmp_path):
    there = store()
    await run_once(there, tmp_path, prefix="e/")
    there.objects["e/f/z"] = stored(b"later")
    for _ in range(2):
        assert (await run_once(there, tmp_path, prefix="e/f/")).stats.exit_code == 0
    assert tree(tmp_path) == {"z": b"later"}
