"""The clouds to start from: two accounts and a KMS bucket, empty, with demo objects, or with bench objects.

Account A owns bucket, key and role; the user of account B may assume the role with the External ID. The
documents are the least that AWS needs. Content is deterministic; ETags are not, as under SSE-KMS.
"""

from s3haul.demo.cloud import Cloud
from s3haul.demo.content import Generated, seed_of
from s3haul.demo.model import Bucket, KmsKey, Policy, Role, User
from s3haul.demo.seed_objects import add_demo_objects

ACCOUNT_A = "111111111111"
ACCOUNT_B = "222222222222"
REGION = "us-east-1"
BUCKET = "demo-export"
KMS_KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KMS_KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT_A}:key/{KMS_KEY_ID}"
ROLE_NAME = "export-role"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_A}:role/{ROLE_NAME}"
EXTERNAL_ID = "demo-external-id"
USER_B_KEY_ID = "AKIADEMOUSERB0000000"
USER_B_SECRET = "demo+user/b+no+secret+anywhere+else+0000"  # noqa: S105 - opens nothing but this emulator
OWNER_KEY_ID = "AKIADEMOOWNERA000000"
OWNER_SECRET = "demo+owner/a+no+secret+anywhere+else+000"  # noqa: S105 - same


def standard_cloud() -> Cloud:
    """The two accounts, the key, the role and the empty bucket. `owner-a` may do everything in account A."""
    cloud = Cloud(region=REGION)
    cloud.add_kms_key(KmsKey(ACCOUNT_A, REGION, KMS_KEY_ID, _key_policy()))
    cloud.add_bucket(Bucket(BUCKET, ACCOUNT_A, REGION, default_key=KMS_KEY_ARN))
    cloud.add_role(Role(ACCOUNT_A, ROLE_NAME, _trust_policy(), [_export_policy()]))
    cloud.add_user(User(ACCOUNT_B, "user-b", USER_B_KEY_ID, USER_B_SECRET, [_assume_policy()]))
    everything = _document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    cloud.add_user(User(ACCOUNT_A, "owner-a", OWNER_KEY_ID, OWNER_SECRET, [everything]))
    return cloud


def demo_cloud() -> Cloud:
    """The standard cloud with about 2,000 objects of every kind."""
    cloud = standard_cloud()
    add_demo_objects(cloud, BUCKET)
    return cloud


def bench_cloud(count: int, size: int) -> Cloud:
    """The standard cloud with `count` equal-sized KMS objects with a CRC64NVME, spread over prefixes."""
    cloud = standard_cloud()
    for number in range(count):
        key = f"bench/{number // 1000:05d}/{number:08d}.bin"
        cloud.put(BUCKET, key, Generated(seed_of(key), size))
    return cloud


def cloud_for(text: str) -> Cloud:
    """`demo`, `empty` or `bench:COUNT:SIZE`. Raises ValueError for anything else."""
    name, *numbers = text.split(":")
    if name == "demo" and not numbers:
        return demo_cloud()
    if name == "empty" and not numbers:
        return standard_cloud()
    if name == "bench" and len(numbers) == 2:
        return bench_cloud(int(numbers[0]), int(numbers[1]))
    raise ValueError(f"no such seed: {text!r}")


def _document(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _trust_policy() -> Policy:
    return _document(
        {
            "Sid": "UserBWithExternalId",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_B}:user/user-b"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
        }
    )


def _export_policy() -> Policy:
    bucket = f"arn:aws:s3:::{BUCKET}"
    return _document(
        {"Sid": "ListTheBucket", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
        {"Sid": "ReadObjects", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket}/*"},
        {
            "Sid": "DecryptOnlyThroughS3",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": KMS_KEY_ARN,
            "Condition": {
                "StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
            },
        },
    )


def _key_policy() -> Policy:
    root = {"AWS": f"arn:aws:iam::{ACCOUNT_A}:root"}
    return _document(
        {
            "Sid": "EnableIAMPolicies",
            "Effect": "Allow",
            "Principal": root,
            "Action": "kms:*",
            "Resource": "*",
        }
    )


def _assume_policy() -> Policy:
    return _document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE_ARN})
