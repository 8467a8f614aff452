"""`s3haul demo`: a complete run against an embedded S3 + STS + KMS, without an AWS account.

It starts the embedded cloud in its own process, writes a profile to a temporary directory, checks access,
runs `cp` as a user would, runs it again, and verifies the files. It prints each command before it runs.
Nothing outside the directory is changed. With --serve only the cloud is started, for other clients.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from s3haul.core.text import human_duration
from s3haul.errors import S3HaulError, UsageError

START_SECONDS = 30.0
POLL_SECONDS = 0.5
_PROFILE = """\
[profile user-b]
region = {region}

[profile export]
role_arn          = {role_arn}
source_profile    = user-b
external_id       = {external_id}
role_session_name = s3haul-demo
region            = {region}
endpoint_url      = {endpoint_url}
ca_bundle         = {ca_path}
s3 =
    signature_version = s3v4
"""
_CREDENTIALS = """\
[user-b]
aws_access_key_id = {access_key_id}
aws_secret_access_key = {secret_access_key}
"""
_AMBIENT = ("AWS_", "S3HAUL_")


EPILOG = """\b
Examples:
  s3haul demo
  s3haul demo --keep ./demo-data
  s3haul demo --serve
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo", epilog=EPILOG)(demo)


def demo(
    keep: Annotated[Path | None, typer.Option(help="Copy into this new directory and keep it.")] = None,
    *,
    serve: Annotated[
        bool, typer.Option("--serve", help="Only run the embedded AWS, and print commands to try.")
    ] = False,
) -> int:
    """Try s3haul with an embedded AWS, without an AWS account.

    It copies a KMS-encrypted bucket through a role with an External ID.
    """
    if find_spec("trustme") is None:
        raise UsageError("The demo needs additional packages.", hint="pip install 's3haul[demo]'")
    if keep is not None and os.path.lexists(keep):
        raise UsageError(f"{keep} exists already.", hint="give a new directory")
    if keep is not None and serve:
        raise UsageError("--serve and --keep cannot be used together: --serve copies nothing.")
    if serve:
        return _serve()
    started = time.monotonic()
    with _cloud() as (directory, cloud, _):
        code = _story(directory, cloud, keep)
    typer.echo(f"\nThe whole demo took {human_duration(time.monotonic() - started)}.")
    return code


def _serve() -> int:
    """Run the cloud until Ctrl-C. Raises `S3HaulError` if its process ends."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with _cloud() as (directory, cloud, process):
        for line in _to_type(directory, cloud):
            typer.echo(line)
        sys.stdout.flush()
        while not stop.wait(POLL_SECONDS):
            if process.poll() is not None and not stop.is_set():
                raise S3HaulError("The embedded cloud ended.", hint="its error message is above")
    return 0


def _to_type(directory: Path, cloud: dict[str, Any]) -> Iterator[str]:
    source = f"s3://{cloud['bucket']}"
    yield f"An embedded AWS with {source} ({cloud['objects']} objects) runs until Ctrl-C. In another terminal:"
    yield ""
    # Set in the other terminal, these would have precedence over the profile;
    # and commands without it need them.
    shown = _variables(directory) | {
        "AWS_CA_BUNDLE": cloud["ca_path"],
        "AWS_ENDPOINT_URL": cloud["endpoint_url"],
    }
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in shown.items())
    yield f"  export {variables}"
    for arguments in (
        f"check {source} ./demo-data --profile export",
        f"cp --profile export {source} ./demo-data",
        "status ./demo-data",
        "verify ./demo-data",
    ):
        yield f"  s3haul {arguments}"
    yield ""
    yield f"In the commands of the README, BUCKET is {cloud['bucket']}, and EXTERNAL-ID is {cloud['external_id']}."
    yield f"Other S3 clients can use {cloud['endpoint_url']} (CA {cloud['ca_path']})."


def _variables(directory: Path) -> dict[str, str]:
    """The AWS configuration of account B."""
    return {
        "AWS_CONFIG_FILE": str(directory / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _story(directory: Path, cloud: dict[str, Any], keep: Path | None) -> int:
    dest = str(keep or directory / "data")
    _say(
        f"Account A (111111111111) owns s3://{cloud['bucket']}: {cloud['objects']} objects, SSE-KMS.\n"
        f"Account B (222222222222) may assume {cloud['role_arn']} with an External ID.\n"
        "The profile of account B, as in ~/.aws/config:"
    )
    typer.echo(_PROFILE.format(**{**cloud, "external_id": "(the External ID)"}))
    source = f"s3://{cloud['bucket']}"
    _say("First a check of access and destination:")
    checked = _s3haul(["check", source, dest, "--profile", "export"], directory)
    _say("The same with a wrong External ID. AWS only says Access Denied; the check finds likely causes:")
    denied = _s3haul(["check", source, "--profile", "export", "--external-id", "another-one"], directory)
    recipe = ["cp", "--sse", "aws:kms", "--profile", "export", source, dest, "--recursive"]
    _say("The download, with the flags of aws s3 cp:")
    first = _s3haul(recipe, directory)
    _say("The same command again: objects that are done are not fetched again.")
    second = _s3haul(recipe, directory)
    _say("Without network: every file is read again and compared with its stored checksum.")
    verified = _s3haul(["verify", dest], directory)
    archived_only = 3  # the bucket of the demo has one archived object, which is skipped
    no_access = 4
    expected = (0, no_access, archived_only, archived_only, 0)
    return 0 if (checked, denied, first, second, verified) == expected else 1


def _say(text: str) -> None:
    typer.echo(f"\n{typer.style(text, bold=True)}\n")


def _s3haul(arguments: list[str], directory: Path) -> int:
    """Run s3haul as a user would, with the demo's AWS configuration and no other."""
    typer.echo(f"$ s3haul {shlex.join(arguments)}")
    sys.stdout.flush()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_AMBIENT)}
    environment |= _variables(directory)
    done = subprocess.run([sys.executable, "-m", "s3haul", *arguments], env=environment, check=False)  # noqa: S603 - our own command
    typer.echo(f"(exit code {done.returncode})")
    return done.returncode


@contextmanager
def _cloud() -> "Iterator[tuple[Path, dict[str, Any], subprocess.Popen[bytes]]]":
    """Run the embedded cloud in its own process. Yields a directory with the AWS configuration of account B,
    the addresses and credentials of the cloud, and the process."""
    with tempfile.TemporaryDirectory(prefix="s3haul-demo-") as name:
        directory = Path(name)
        announcement = directory / "cloud.json"
        command = [sys.executable, "-m", "s3haul.demo.server", "--announce", str(announcement)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 - our own module
            try:
                cloud = _announced(announcement, process)
                (directory / "config").write_text(_PROFILE.format(**cloud))
                (directory / "credentials").write_text(_CREDENTIALS.format(**cloud["credentials"]))
                yield directory, cloud, process
            finally:
                process.terminate()
                process.wait()


def _announced(announcement: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    while not announcement.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise S3HaulError("The embedded cloud did not start.", hint="its error message is above")
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(announcement.read_text())
    return found
