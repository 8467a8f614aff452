"""The grant of the embedded cloud's two accounts, and its documents put in force there."""

from s3haul.access.documents import Documents, Grant
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud


def demo_grant(**changes) -> Grant:
    values = {
        "role_arn": seed.ROLE_ARN,
        "callers": (f"arn:aws:iam::{seed.ACCOUNT_B}:user/user-b",),
        "external_id": seed.EXTERNAL_ID,
        "bucket": seed.BUCKET,
        "key_arns": (seed.KMS_KEY_ARN,),
    }
    return Grant(**values | changes)


def put_in_force(cloud: Cloud, made: Documents) -> None:
    """These documents and no others decide about the caller, the role and the keys."""
    role = cloud.roles[seed.ROLE_ARN]
    role.trust, role.policies = made.trust_policy, [made.role_policy]
    cloud.users[seed.USER_B_KEY_ID].policies = [made.caller_policy]
    for key in cloud.kms_keys.values():
        key.policy = made.key_policy or {"Statement": []}
