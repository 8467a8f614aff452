"""README is executed: its documents are loaded into the embedded cloud, its commands are run."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.configloader import load_config

from s3haul.cli.help_topics import topic_text
from s3haul.demo import seed
from s3haul.demo.server import DemoServer

README = (Path(__file__).parents[2] / "README.md").read_text()
PLACEHOLDERS = {"EXTERNAL-ID": seed.EXTERNAL_ID, "KEY-ARN": seed.KMS_KEY_ARN, "BUCKET": seed.BUCKET}


def blocks(info: str) -> list[str]:
    found = re.findall(rf"^```{info}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found, f"README has no block {info!r}"
    return found


def filled(text: str) -> str:
    for name, value in PLACEHOLDERS.items():
        text = text.replace(name, value)
    return text


def tutorial() -> list[str]:
    (block,) = blocks("sh tutorial")
    return block.splitlines()


def document(name: str) -> dict:
    (text,) = blocks(f"json {name}")
    return json.loads(filled(text))


@pytest.fixture(scope="module")
def cloud():
    cloud = seed.standard_cloud()
    role = cloud.roles[seed.ROLE_ARN]
    role.trust, role.policies = document("trust"), [document("permissions")]
    cloud.users[seed.USER_B_KEY_ID].policies = [document("caller")]
    for number in range(30):
        cloud.put(seed.BUCKET, f"logs/{number:02}.log", b"%d" % number * 100, bucket_key=number % 2 == 0)
    cloud.put(
        seed.BUCKET, "data/big.bin", b"part" * 2_000_000, checksum="CRC32C", part_sizes=[5_000_000, 3_000_000]
    )
    with DemoServer(cloud) as server:
        yield server


@pytest.fixture(scope="module")
def home(cloud, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("home")
    (profile,) = blocks("ini profile")
    where = f"endpoint_url = {cloud.endpoint_url}\nca_bundle = {cloud.ca_path}\n"
    text = filled(profile).replace("s3 =\n", where + "s3 =\n")
    (directory / "config").write_text(f"[profile user-b]\nregion = us-east-1\n{where}\n{text}")
    keys = f"aws_access_key_id = {seed.USER_B_KEY_ID}\naws_secret_access_key = {seed.USER_B_SECRET}\n"
    (directory / "credentials").write_text(f"[user-b]\n{keys}")
    return directory


def surroundings(home: Path, server: DemoServer) -> dict[str, str]:
    ambient = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3HAUL_"))}
    return {
        **ambient,
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_CA_BUNDLE": server.ca_path,
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


def test_every_command_of_the_readme_does_what_it_says(cloud, home):
    commands = tutorial() + [line for block in blocks("sh run") for line in block.splitlines()]
    assert len(commands) == 17
    for command in commands:
        done = run(command, home, cloud)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    objects = cloud.cloud.buckets[seed.BUCKET].objects
    for name in ("data", "data2"):
        files = {str(path.relative_to(home / name)) for path in (home / name).rglob("*") if path.is_file()}
        assert {name for name in files if not name.startswith(".s3haul")} == set(objects)
    assert (home / "data" / "data" / "big.bin").read_bytes() == b"part" * 2_000_000


def test_the_python_example_of_the_readme_runs_as_it_stands(cloud, home):
    (program,) = blocks("python run")
    done = python(["-c", filled(program)], home, cloud)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "30 objects, 0 causes of failure\n"
    assert len(list((home / "python-data").glob("*.log"))) == 30


def test_the_first_two_commands_make_the_documents_and_the_profile_that_readme_shows(cloud, home):
    policy, configure = tutorial()[:2]
    printed = json.loads(run(policy, home, cloud).stdout)
    for name in ("trust", "permissions", "caller"):
        for statement in printed[name]["Statement"]:
            del statement["Sid"]
        assert printed[name] == document(name)
    fresh = home / "fresh"
    fresh.mkdir()
    assert run(configure, fresh, cloud).returncode == 0
    (home / "shown").write_text(filled(blocks("ini profile")[0]))
    assert load_config(str(fresh / "config")) == load_config(str(home / "shown"))


def test_the_tutorial_leads_from_two_accounts_without_any_policy_to_every_object(tmp_path):
    """Both sides do what the first command prints; nobody else has any right."""
    cloud = seed.standard_cloud()
    role, user = cloud.roles[seed.ROLE_ARN], cloud.users[seed.USER_B_KEY_ID]
    role.trust, role.policies, user.policies = {"Statement": []}, [], []
    key = cloud.kms_keys[seed.KMS_KEY_ARN]
    key.policy = {"Statement": []}
    for number in range(30):
        cloud.put(seed.BUCKET, f"logs/{number:02}.log", b"%d" % number * 100, bucket_key=number % 2 == 0)
    keys = f"aws_access_key_id = {seed.USER_B_KEY_ID}\naws_secret_access_key = {seed.USER_B_SECRET}\n"
    (tmp_path / "credentials").write_text(f"[user-b]\n{keys}")
    policy, *further = tutorial()
    with DemoServer(cloud) as server:
        refused = run(
            "s3haul check s3://BUCKET --source-profile user-b --role-arn " + seed.ROLE_ARN, tmp_path, server
        )
        assert (refused.returncode, "[S3H-STS-04]" in refused.stdout) == (4, True)
        printed = json.loads(run(policy, tmp_path, server).stdout)
        role.trust, role.policies = printed["trust"], [printed["permissions"]]
        user.policies, key.policy = [printed["caller"]], printed["key"]
        for command in further:
            done = run(command, tmp_path, server)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            assert "[S3H-" not in done.stdout + done.stderr
    hauled = {path.name for path in (tmp_path / "data").rglob("*.log")}
    assert len(hauled) == 30


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [(0, 4, "s3:ListBucket"), (1, 4, "s3:GetObject"), (2, 4, "kms:Decrypt")],
)
def test_each_of_the_three_permissions_is_needed(cloud, home, statement, code, said):
    role = cloud.cloud.roles[seed.ROLE_ARN]
    whole = role.policies
    cut = json.loads(json.dumps(whole[0]))
    del cut["Statement"][statement]
    role.policies = [cut]
    try:
        done = run(f"s3haul cp --profile export s3://BUCKET ./without-{statement}", home, cloud)
    finally:
        role.policies = whole
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


def test_the_exit_codes_of_readme_and_help_are_the_same():
    table = dict(re.findall(r"^\| (\d+) \| (.+) \|$", README, re.MULTILINE))
    help_text = topic_text("exit-codes")
    assert set(table) == {"0", "1", "2", "3", "4", "5", "6", "7"}
    for code in table:
        assert re.search(rf"^  {code} ", help_text, re.MULTILINE)


def test_every_make_target_that_readme_names_exists():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE)) | set(re.findall(r"`make (\w+)`", README))
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
