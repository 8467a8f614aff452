"""The documents of `s3haul policy`, in force alone: `check` and `cp` pass;
without any one statement `check` names it."""

import copy

import pytest

from check.rows import THIRD_ACCOUNT
from check.world import World, found
from policies.grants import demo_grant, put_in_force
from s3haul.demo import seed
from s3haul.demo.model import KmsKey
from s3haul.policies import documents
from s3haul.policies.documents import Document, Part

THIRD_KEY = KmsKey(THIRD_ACCOUNT, seed.REGION, "99999999-12ab-34cd-56ef-1234567890ab", {})
BOTH_KEYS = (seed.KMS_KEY_ARN, THIRD_KEY.arn)
# The rows that a missing statement may have. In a key's own account IAM policies act without the statement.
ROW_OF = {
    documents.CALLER_SID: "S3H-STS-04",
    documents.TRUST_SID: "S3H-STS-05",
    documents.LIST_SID: "S3H-S3-02",
    documents.READ_SID: "S3H-S3-04",
    documents.DECRYPT_SID: "S3H-KMS-01",
    documents.KEY_SID: "S3H-KMS-02",
}


@pytest.fixture
def world(server, tmp_path, capsys):
    server.cloud.add_kms_key(KmsKey(THIRD_ACCOUNT, seed.REGION, THIRD_KEY.key_id, {}))
    server.cloud.put(seed.BUCKET, "logs/third.log", b"third", kms_key=THIRD_KEY.arn)
    return World(server, tmp_path, capsys, flags=["--profile", "export", "--owner-profile", "owner"])


def made(**changes) -> dict[Part, Document]:
    return documents.documents(demo_grant(key_arns=BOTH_KEYS, **changes))


@pytest.mark.parametrize(("prefix", "count"), [("", 9), ("logs/", 5)])
def test_with_all_documents_check_and_copy_pass(world, prefix, count):
    put_in_force(world.cloud, made(prefix=prefix))
    world.url += f"/{prefix}"
    code, report = world.check()
    assert (code, report["findings"]) == (0, [])
    assert world.copy().code == 0
    files = [path for path in (world.home / "data").rglob("*") if path.suffix in {".log", ".bin"}]
    assert len(files) == count


STATEMENTS = [
    (part, statement["Sid"])
    for part, document in made().items()
    if part is not Part.SESSION
    for statement in document["Statement"]
]


def without(document: Document, sid: str) -> None:
    document["Statement"] = [one for one in document["Statement"] if one["Sid"] != sid]


@pytest.mark.parametrize(("part", "sid"), STATEMENTS)
def test_without_one_statement_check_names_and_prints_it(world, part, sid):
    whole = made()
    cut = copy.deepcopy(whole)
    without(cut[part], sid)
    put_in_force(world.cloud, cut)
    code, report = world.check()
    assert code == 4
    missing = [one["statement"] for one in report["findings"] if one["statement"]]
    assert missing
    assert {statement["Sid"] for statement in missing} == {sid}
    rows = {ROW_OF[sid], *(["S3H-KMS-03"] if part is Part.KEY else [])}
    assert found(report) == rows
    assert world.copy().code == 4
    if part is Part.PERMISSIONS:
        # The statement that is shown mends it; of keys only those are known that could be seen.
        world.role.policies[0]["Statement"] += missing
        assert not found(world.check()[1]) & rows


def test_without_the_statement_in_the_key_of_a_third_account_its_owner_is_named(world):
    put_in_force(world.cloud, made())
    world.cloud.kms_keys[THIRD_KEY.arn].policy = {"Version": "2012-10-17", "Statement": []}
    code, report = world.check()
    (finding,) = report["findings"]
    assert (code, finding["id"], finding["affected"], finding["sampled"]) == (4, "S3H-KMS-03", 1, 9)
    assert finding["groups"][0]["kms_key_id"] == THIRD_KEY.arn
    assert finding["statement"]["Sid"] == documents.KEY_SID
    ran = world.copy()
    assert (ran.code, ran.shown) == (1, {"S3H-KMS-03"})
