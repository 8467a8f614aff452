"""What a disk can refuse in mid-run: the run ends with exit code 5 and the error's name,
and nothing wrong is left."""

import errno
import os

import pytest

from contract.memory import MemoryStore, stored
from engine.harness import DONE, leftovers, run_once, states, tree
from s3haul.errors import DestinationError

CALLS = ("rename", "write", "open")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.ENOSPC, errno.EROFS, errno.ESTALE])
async def test_an_error_of_the_disk_ends_the_run_with_its_name_and_the_next_run_finishes(
    tmp_path, monkeypatch, call, code
):
    store = MemoryStore({f"k{n:02}": stored(b"%d" % n) for n in range(20)})
    await run_once(MemoryStore({"k00": stored(b"0")}), tmp_path)
    name = {"write": "writev"}.get(call, call)
    real, count = getattr(os, name), 0

    def refuse(*arguments, **more):
        nonlocal count
        if "dir_fd" in more or "src_dir_fd" in more or name == "writev":
            count += 1
            if count > 8:
                raise OSError(code, os.strerror(code))
        return real(*arguments, **more)

    with monkeypatch.context() as broken:
        broken.setattr(os, name, refuse)
        with pytest.raises(DestinationError) as caught:
            await run_once(store, tmp_path)
    assert caught.value.exit_code == 5
    assert errno.errorcode[code] in caught.value.message
    assert leftovers(tmp_path) == []
    await run_once(store, tmp_path)
    assert set(states(tmp_path).values()) == {DONE}
    assert len(tree(tmp_path)) == 20
