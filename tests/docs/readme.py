"""README as something to run: its blocks, the embedded cloud that they run against,
and the transcript that it shows.

`python -m docs.readme`, with tests/ on the path, records the transcript anew.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.server import DemoServer

ROOT = Path(__file__).parents[2]
PATH = ROOT / "README.md"
README = PATH.read_text()
PLACEHOLDERS = {"EXTERNAL-ID": seed.EXTERNAL_ID, "KEY-ARN": seed.KMS_KEY_ARN, "BUCKET": seed.BUCKET}
TRANSCRIPT = re.compile(r"(?<=^```text transcript\n)(?:(?!```).*\n)*", re.MULTILINE)
SHOWN = (
    "s3haul cp --sse aws:kms --profile export s3://BUCKET ./data --recursive",
    "s3haul cp --sse aws:kms --profile export s3://BUCKET ./data --recursive",
    "s3haul verify ./data",
)


def blocks(info: str) -> list[str]:
    found = re.findall(rf"^```{info}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found, f"README has no block {info!r}"
    return found


def commands(info: str) -> list[str]:
    return [line for block in blocks(info) for line in block.splitlines()]


def document(name: str) -> dict:
    (text,) = blocks(f"json {name}")
    return json.loads(filled(text))


def filled(text: str) -> str:
    for name, value in PLACEHOLDERS.items():
        text = text.replace(name, value)
    return text


def readme_cloud() -> Cloud:
    """Both accounts with just the rights that README shows, and 31 objects."""
    cloud = seed.standard_cloud()
    role = cloud.roles[seed.ROLE_ARN]
    role.trust, role.policies = document("trust"), [document("permissions")]
    cloud.users[seed.USER_B_KEY_ID].policies = [document("caller")]
    for number in range(30):
        cloud.put(seed.BUCKET, f"logs/{number:02}.log", b"%d" % number * 100, bucket_key=number % 2 == 0)
    cloud.put(
        seed.BUCKET, "data/big.bin", b"part" * 2_000_000, checksum="CRC32C", part_sizes=[5_000_000, 3_000_000]
    )
    return cloud


def make_home(directory: Path, server: DemoServer) -> None:
    """The AWS configuration that README shows, with the addresses of the embedded cloud."""
    (profile,) = blocks("ini profile")
    where = f"endpoint_url = {server.endpoint_url}\nca_bundle = {server.ca_path}\n"
    text = filled(profile).replace("s3 =\n", where + "s3 =\n")
    (directory / "config").write_text(f"[profile user-b]\nregion = us-east-1\n{where}\n{text}")
    keys = f"aws_access_key_id = {seed.USER_B_KEY_ID}\naws_secret_access_key = {seed.USER_B_SECRET}\n"
    (directory / "credentials").write_text(f"[user-b]\n{keys}")


def surroundings(home: Path, server: DemoServer) -> dict[str, str]:
    ambient = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3HAUL_"))}
    return {
        **ambient,
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_CA_BUNDLE": server.ca_path,
        "LOGNAME": "me",
    }


def python(arguments: list[str], home: Path, server: DemoServer) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=home,
        env=surroundings(home, server),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(command: str, home: Path, server: DemoServer) -> subprocess.CompletedProcess[str]:
    words = shlex.split(filled(command))
    assert words[0] == "s3haul"
    return python(["-m", "s3haul", *words[1:]], home, server)


def transcript(home: Path, server: DemoServer) -> str:
    """The commands of `SHOWN` and what a terminal would keep of them."""
    lines = []
    for command in SHOWN:
        done = run(command, home, server)
        lines += [f"$ {filled(command)}", *done.stderr.splitlines(), *done.stdout.splitlines()]
    return "\n".join(lines) + "\n"


def shape(text: str) -> str:
    """A transcript without what differs from run to run: numbers, and the units that they come in."""
    return re.sub(r"\d[\d,.]*(?: (?:ms|s|min|B|KiB|MiB|GiB)\b)?", "#", text)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, DemoServer(readme_cloud()) as server:
        make_home(Path(name), server)
        recorded = transcript(Path(name), server)
    text, found = TRANSCRIPT.subn(lambda _: recorded, README)
    assert found == 1, "README has one block `text transcript`"
    PATH.write_text(text)


if __name__ == "__main__":
    main()
