"""What a fresh process loads before it does anything: start-up is paid by every command and every test."""

import json
import subprocess
import sys

HEAVY = {
    "aioboto3",
    "aiobotocore",
    "aiofiles",
    "aiohttp",
    "asyncio",
    "awscrt",
    "boto3",
    "botocore",
    "email",
    "http",
    "rich",
    "sqlite3",
    "ssl",
    "tqdm",
    "urllib3",
    "uvloop",
}
_TELL = (
    "import json, sys\nprint('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
)


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh process has loaded after `code`."""
    command = [sys.executable, "-I", "-c", f"{code}\n{_TELL}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_process_that_only_fetches_objects_loads_no_sdk_no_sqlite_and_no_command_line():
    loaded = loaded_by("import s3haul.engine.transfer, s3haul.aws.wire.store, s3haul.disk")
    assert "httptools" in loaded
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
