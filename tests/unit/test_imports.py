"""The modules that a new process imports: imports slow down every command and every test."""

import json
import subprocess
import sys

import pytest

from s3haul.cli.commands import COMMANDS, load

HEAVY = {
    "aioboto3",
    "aiobotocore",
    "aiofiles",
    "aiohttp",
    "asyncio",
    "awscrt",
    "boto3",
    "botocore",
    "prometheus_client",
    "pycurl",
    "pydantic",
    "rich",
    "sqlite3",
    "ssl",
    "tqdm",
    "urllib3",
}
_TELL = (
    "import json, sys\nprint('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
)


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a new process has imported after `code`."""
    command = [sys.executable, "-I", "-c", f"{code}\n{_TELL}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_curl_transport_loads_no_sdk_no_sqlite_and_no_command_line():
    loaded = loaded_by("import s3haul.s3.store")
    assert "pycurl" in loaded
    unwanted = {
        "aioboto3",
        "aiobotocore",
        "aiohttp",
        "boto3",
        "botocore",
        "sqlite3",
        "tqdm",
        "typer",
        "click",
    }
    assert not loaded & unwanted


def test_the_access_side_loads_no_asynchronous_sdk():
    loaded = loaded_by("import s3haul.aws.session, s3haul.aws.probes")
    assert "botocore" in loaded
    assert not loaded & {"aioboto3", "aiobotocore", "aiohttp", "boto3"}


def run(*arguments: str) -> str:
    return f"from s3haul.cli.app import run\nrun({list(arguments)!r})"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("no-such-command",),
        ("cp", "--help"),
        ("cp", "not-a-bucket", "."),
        ("help", "names"),
        ("policy", "--help"),
        (
            "policy",
            "--role",
            "arn:aws:iam::111111111111:role/r",
            "--bucket",
            "bucket",
            "--only",
            "permissions",
        ),
        ("configure", "--help"),
        ("bench", "--help"),
        ("bench", "no-source"),
        ("bench", "--compare", "a.json", "b.json"),
        ("cluster", "--help"),
        ("cluster", "run", "--help"),
    ],
)
def test_commands_without_requests_load_neither_the_sdk_nor_asyncio(arguments):
    assert not loaded_by(run(*arguments)) & HEAVY


def test_completion_loads_neither_the_sdk_nor_an_event_loop():
    ask = {"_S3HAUL_COMPLETE": "complete_bash", "COMP_WORDS": "s3haul cp --re", "COMP_CWORD": "2"}
    code = f"import os, contextlib\nos.environ.update({ask})\nfrom s3haul.cli.app import app\n"
    code += "with contextlib.suppress(SystemExit):\n    app(prog_name='s3haul')"
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summaries_of_commands_are_the_first_lines_of_their_help(name):
    command = load(name)
    assert command.name == name
    assert command.help.partition("\n")[0] == COMMANDS[name]
