"""`s3haul report` from the command line, on what a real run left."""

import json
import os
import stat

from e2e.harness import SOURCE, wait_until
from s3haul.demo import seed


def report(machine, dest, *arguments):
    return machine.run("report", str(dest), *arguments)


def test_the_page_of_a_run_is_a_file_for_its_owner_only(server, machine, dest):
    key = "data/0/object-0007.bin"
    server.faults.add("error", operation="GetObject", key=key, status=403, code="AccessDenied", message="no")
    assert machine.cp(dest).code == 1
    page = machine.home / "page.html"
    page.write_text("an older one")
    ran = report(machine, dest, "-o", "page.html")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("page.html: 59 done, 1 failed; ")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = page.read_text()
    assert "1 object of 60 failed" in text
    assert key in text
    assert "Run 1 over time" in text
    assert sorted(path.name for path in machine.home.iterdir()) == ["config", "credentials", "page.html"]


def test_without_a_name_the_report_is_beside_the_journal_and_replaces_no_file_of_the_user(machine, dest):
    assert machine.cp(dest).code == 0
    mine = machine.home / "report.html"
    mine.write_text("mine")
    for form, name in (("html", "report.html"), ("json", "report.json"), ("markdown", "report.md")):
        for _ in range(2):
            ran = report(machine, dest, "--format", form)
            assert (ran.code, ran.out.startswith(f"{dest}/.s3haul/{name}: 60 done; ")) == (0, True)
    assert mine.read_text() == "mine"
    assert json.loads((dest / ".s3haul/report.json").read_text())["finished"]
    assert report(machine, dest).code == 0
    assert (dest / ".s3haul/report.html").read_text().startswith("<!DOCTYPE html>")
    assert machine.cp(dest).code == 0


def test_the_name_of_the_file_or_a_flag_says_what_it_is(server, machine, dest, tmp_path):
    assert machine.cp(dest).code == 0
    assert report(machine, dest, "-o", str(tmp_path / "r.json")).code == 0
    assert json.loads((tmp_path / "r.json").read_text())["objects"]["done"]["objects"] == 60
    assert report(machine, dest, "-o", str(tmp_path / "r.md")).code == 0
    assert (tmp_path / "r.md").read_text().startswith("# Complete: Every listed object is here\n")
    assert report(machine, dest, "-o", "-").out.startswith("<!DOCTYPE html>\n")
    refused = report(machine, dest, "-o", str(tmp_path / "r.pdf"))
    assert (refused.code, "cannot be written as .pdf" in refused.err) == (2, True)
    assert not (tmp_path / "r.pdf").exists()
    assert report(machine, dest, "-o", str(tmp_path / "r.txt"), "--format", "markdown").code == 0
    assert json.loads(report(machine, dest, "-o", "-", "--format", "json").out)["finished"]


def test_the_secrets_of_the_run_are_not_in_it(server, machine, dest):
    assert machine.cp(dest).code == 0
    for form in ("html", "json", "markdown"):
        said = report(machine, dest, "-o", "-", "--format", form).text
        assert not [
            word for word in (seed.EXTERNAL_ID, seed.USER_B_SECRET, seed.USER_B_KEY_ID) if word in said
        ]


def test_a_report_can_be_written_during_a_run(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=0.4, since=20)

    def some_are_done():
        ran = report(machine, dest, "-o", "-", "--format", "json")
        return ran.code == 0 and json.loads(ran.out)["objects"]["done"]["objects"]

    with machine.start("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "3") as process:
        wait_until(some_are_done, "the first objects")
        found = json.loads(report(machine, dest, "-o", "-", "--format", "json").out)
        assert (found["under_way"], found["finished"]) == (True, False)
        server.faults.clear()
        process.communicate(timeout=60)


def test_what_cannot_be_reported_or_written_is_an_error_that_leaves_nothing(server, machine, dest, tmp_path):
    ran = report(machine, dest)
    assert (ran.code, "[S3H-DST-04]" in ran.err) == (5, True)
    assert machine.cp(dest).code == 0
    ran = report(machine, dest, "-o", str(tmp_path / "missing/r.html"))
    assert (ran.code, "cannot be written" in ran.err) == (2, True)
    directory = tmp_path / "directory.html"
    directory.mkdir()
    assert report(machine, dest, "-o", str(directory)).code == 2
    pipe = tmp_path / "pipe.html"  # for a device
    os.mkfifo(pipe)
    assert report(machine, dest, "-o", str(pipe)).code == 2
    assert pipe.is_fifo()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
