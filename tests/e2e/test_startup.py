"""What a run loads: every start of the command pays for it."""

import pytest

from e2e.harness import SOURCE, TRANSPORT

NOT_LOADED = {
    "aioboto3",
    "boto3",
    "s3transfer",
    "tqdm",
    "pydantic",
    "rich",
    "prometheus_client",
    "jinja2",
    "markupsafe",
    "pyarrow",
}
OTHER_COMMANDS = (
    "s3haul.api.bench",
    "s3haul.bench",
    "s3haul.cli.bench",
    "s3haul.cli.dry_run",
    "s3haul.metrics",
    "s3haul.cli.policy",
)


def loaded(machine, dest, *arguments: str) -> set[str]:
    """The modules that a run loads."""
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", *arguments, PYTHONPROFILEIMPORTTIME="1")
    assert ran.code == 0
    lines = [line for line in ran.err.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.skipif(TRANSPORT == "sdk", reason="all runs of this session go through the sdk")
def test_a_run_over_libcurl_loads_neither_boto3_nor_bars_nor_a_second_command_line_parser(machine, dest):
    packages = {name.partition(".")[0] for name in loaded(machine, dest)}
    assert {"botocore", "pycurl", "sqlite3"} <= packages
    assert not packages & NOT_LOADED


def test_a_run_imports_nothing_of_other_commands(machine, dest):
    modules = loaded(machine, dest)
    assert "s3haul.cli.cp_run" in modules
    assert not [name for name in modules if name.startswith(OTHER_COMMANDS)]


@pytest.mark.parametrize("transport", ["auto", "curl"])
def test_without_a_pycurl_that_loads_the_sdk_copies_and_a_demand_for_curl_is_refused(
    machine, dest, tmp_path, transport
):
    (tmp_path / "pycurl.py").write_text("raise ImportError('libcurl link-time ssl backends do not match')")
    arguments = ("cp", SOURCE, str(dest), "--profile", "export", "-v", "--transport", transport)
    ran = machine.run(*arguments, PYTHONPATH=str(tmp_path))
    assert "pycurl cannot be loaded: libcurl link-time ssl backends do not match" in ran.err
    assert ran.code == (0 if transport == "auto" else 2)
    assert (dest / "data").exists() == (transport == "auto")
    assert ("transport sdk: pycurl" in ran.err) == (transport == "auto")
