"""The machine gives no further thread: whichever thread it is, the run ends with exit code 5 and names the limit."""

import pytest

from e2e.harness import expected, tree

FAILING = """
import threading
start, threads = threading.Thread.start, []

def failing(self):
    threads.append(self)
    if len(threads) >= {first}:
        raise RuntimeError("can't start new thread")
    start(self)

threading.Thread.start = failing
"""


@pytest.mark.parametrize("first", range(1, 7))
def test_a_thread_that_cannot_be_started_ends_the_run_with_5_and_names_the_limit(
    server, machine, dest, tmp_path, first
):
    (tmp_path / "sitecustomize.py").write_text(FAILING.format(first=first))
    ran = machine.haul(dest, PYTHONPATH=str(tmp_path))
    assert ran.code == 5, ran.text
    assert "ulimit -u" in ran.err
    assert "[S3H-DST-11]" in ran.err
    assert machine.haul(dest).code == 0
    assert tree(dest) == expected(server)
