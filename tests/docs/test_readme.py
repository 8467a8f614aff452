"""README is executed: its documents are loaded into the embedded cloud, its commands are run."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from botocore.configloader import load_config

from docs.readme import (
    README,
    ROOT,
    TRANSCRIPT,
    blocks,
    commands,
    document,
    filled,
    make_home,
    python,
    readme_cloud,
    run,
    shape,
    transcript,
)
from s3haul.cli.help_topics import TOPICS, topic_text
from s3haul.demo import seed
from s3haul.demo.server import DemoServer


def tutorial() -> list[str]:
    return commands("sh tutorial")


@pytest.fixture(scope="module")
def cloud():
    with DemoServer(readme_cloud()) as server:
        yield server


@pytest.fixture(scope="module")
def home(cloud, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("home")
    make_home(directory, cloud)
    return directory


def test_every_command_of_the_readme_does_what_it_says(cloud, home):
    typed = tutorial() + commands("sh run")
    assert len(typed) == 25
    for command in typed:
        done = run(command, home, cloud)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    objects = cloud.cloud.buckets[seed.BUCKET].objects
    for name in ("data", "data2", "shared/data"):
        files = {str(path.relative_to(home / name)) for path in (home / name).rglob("*") if path.is_file()}
        assert {name for name in files if not name.startswith(".s3haul")} == set(objects)
    assert (home / "data" / "data" / "big.bin").read_bytes() == b"part" * 2_000_000


def test_the_python_example_of_the_readme_runs_as_it_stands(cloud, home):
    (program,) = blocks("python run")
    done = python(["-c", filled(program)], home, cloud)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "30 objects, 0 causes of failure\n"
    assert len(list((home / "python-data").glob("*.log"))) == 30


def test_the_transcript_is_the_output_of_the_commands(cloud, tmp_path):
    """Where this fails because the output was changed on purpose: make readme."""
    make_home(tmp_path, cloud)
    (shown,) = TRANSCRIPT.findall(README)
    assert shape(shown) == shape(transcript(tmp_path, cloud))


def test_the_filters_of_the_readme_work_on_what_the_commands_print(cloud, home):
    """After the commands above: s3haul's half of a pipe runs here, jq's half where jq is installed."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    for line in commands("sh jq"):
        command, _, program = line.partition(" | ")
        done = run(command, home, cloud)
        assert done.returncode == 0, (line, done.stderr)
        found = subprocess.run(
            ["sh", "-c", program], input=done.stdout, capture_output=True, text=True, timeout=30, check=False
        )
        assert found.returncode == 0, (line, found.stderr)


def test_every_help_topic_that_readme_names_exists():
    named = set(re.findall(r"s3haul help ([a-z-]+)", README))
    assert named >= {"names", "metrics", "conventions"}
    assert named <= set(TOPICS)


def test_the_first_two_commands_create_the_documents_and_the_profile_that_readme_shows(cloud, home):
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
    copied = {path.name for path in (tmp_path / "data").rglob("*.log")}
    assert len(copied) == 30


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


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_named_exists(name):
    text, makefile = ((ROOT / file).read_text() for file in (name, "Makefile"))
    targets = set(re.findall(r"^make ([\w-]+)", text, re.MULTILINE))
    targets |= {word for line in re.findall(r"`make ([^`]+)`", text) for word in line.split()}
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
