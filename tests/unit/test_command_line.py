"""`run` uses the arguments that it gets, not those of the process."""

import sys

from contract.demo_access import demo_profile
from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.demo.server import DemoServer


def test_filters_and_log_use_the_arguments_that_are_given_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["host-program", "--exclude", "*"])
    with DemoServer() as server, demo_profile(server, tmp_path):
        for key in ("a.txt", "b.bin"):
            server.cloud.put(seed.BUCKET, key, b"x")
        source, data, log = f"s3://{seed.BUCKET}", str(tmp_path / "data"), str(tmp_path / "log")
        line = ["cp", source, data, "--profile", "export", "--exclude", "*", "--include", "*.txt"]
        assert run([*line, "-q", "--log-file", log]) == 0
    assert (tmp_path / "data/a.txt").is_file()
    assert not (tmp_path / "data/b.bin").exists()
    assert "--include '*.txt'" in (tmp_path / "log").read_text().splitlines()[0]
