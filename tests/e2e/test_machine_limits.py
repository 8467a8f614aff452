"""The machine gives no further thread, or no current directory:
the run ends with exit code 5 and names the cause."""

import pytest

from e2e.harness import SOURCE, expected, tree

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
    ran = machine.cp(dest, PYTHONPATH=str(tmp_path))
    assert ran.code == 5, ran.text
    assert "ulimit -u" in ran.err
    assert "[S3H-DST-11]" in ran.err
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)


@pytest.mark.parametrize(
    "arguments", [("cp", SOURCE, "data"), ("check", SOURCE, "data"), ("cluster", "status", "run")]
)
def test_a_current_directory_that_was_removed_is_named(machine, tmp_path, arguments):
    (tmp_path / "removed").mkdir()
    words = [] if arguments[0] == "cluster" else ["--profile", "export"]
    removing = 'cd "$0" && rmdir "$0" && exec "$@"'
    wrapper = ["sh", "-c", removing, str(tmp_path / "removed")]
    ran = machine.run(*arguments, *words, wrapper=wrapper)
    assert (ran.code, "The current directory does not exist any more" in ran.err) == (5, True), ran.text
