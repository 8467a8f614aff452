"""The grant of the embedded cloud's two accounts, and its documents put in force there."""

from hypothesis import strategies as st

from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.policies.documents import Document, Grant, Part


def demo_grant(**changes) -> Grant:
    values = {
        "role_arn": seed.ROLE_ARN,
        "callers": (f"arn:aws:iam::{seed.ACCOUNT_B}:user/user-b",),
        "external_id": seed.EXTERNAL_ID,
        "bucket": seed.BUCKET,
        "key_arns": (seed.KMS_KEY_ARN,),
    }
    return Grant(**values | changes)


def put_in_force(cloud: Cloud, made: dict[Part, Document]) -> None:
    """These documents and no others decide about the caller, the role and the keys."""
    role = cloud.roles[seed.ROLE_ARN]
    role.trust, role.policies = made[Part.TRUST], [made[Part.PERMISSIONS]]
    cloud.users[seed.USER_B_KEY_ID].policies = [made[Part.CALLER]]
    for key in cloud.kms_keys.values():
        key.policy = made.get(Part.KEY, {"Statement": []})


PARTITIONS = {
    "aws": ("us-east-1", "eu-west-1"),
    "aws-cn": ("cn-north-1",),
    "aws-us-gov": ("us-gov-west-1",),
    "aws-eusc": ("eusc-de-east-1",),
    "aws-iso-b": ("us-isob-east-1",),
}
_ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
_NAMES = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,20}", fullmatch=True)
_PATHS = st.sampled_from(["", "path/", "a/b/"])
_KEY_IDS = st.from_regex(r"(mrk-)?[0-9a-f]{8}-[0-9a-f]{4}", fullmatch=True)
_BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9-]{1,30}[a-z0-9](\.[a-z0-9-]{1,5}[a-z0-9])?", fullmatch=True)
_PREFIXES = st.text(
    st.characters(
        min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="*?$", exclude_categories=["Cc"]
    ),
    max_size=12,
)


@st.composite
def grants(draw) -> Grant:
    """Every grant that can be meant."""
    partition = draw(st.sampled_from(sorted(PARTITIONS)))
    region = draw(st.sampled_from(PARTITIONS[partition]))

    def iam(kind: str) -> str:
        return f"arn:{partition}:iam::{draw(_ACCOUNTS)}:{kind}/{draw(_PATHS)}{draw(_NAMES)}"

    kinds = draw(st.lists(st.sampled_from(["user", "role", "root"]), min_size=1, max_size=3))
    callers = [
        f"arn:{partition}:iam::{draw(_ACCOUNTS)}:root" if kind == "root" else iam(kind) for kind in kinds
    ]
    ids = draw(st.lists(st.tuples(_ACCOUNTS, _KEY_IDS), max_size=3, unique=True))
    prefix = draw(_PREFIXES)
    below = draw(st.none() | _PREFIXES)
    return Grant(
        role_arn=iam("role"),
        bucket=draw(_BUCKETS),
        callers=tuple(callers),
        external_id=draw(st.from_regex(r"[a-zA-Z0-9+=,.@:/_-]{2,40}", fullmatch=True)),
        prefix=prefix,
        key_arns=tuple(f"arn:{partition}:kms:{region}:{account}:key/{key}" for account, key in ids),
        versions=draw(st.booleans()),
        attributes=draw(st.booleans()),
        run_prefix=None if below is None else prefix + below,
    )
