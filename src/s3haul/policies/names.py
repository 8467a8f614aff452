"""The names that policies are made of: accounts, partitions, ARNs, buckets, regions, External IDs.

Patterns and the checks that cite them, with one sentence for each thing that can be wrong. Pure. Limits
are those of the IAM, STS and KMS service models and of S3's bucket naming rules.
"""

import re
from dataclasses import dataclass

from s3haul.errors import UsageError
from s3haul.policies.partitions import partition_of_region, partitions

ACCOUNT = re.compile(r"\d{12}", re.ASCII)
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)

_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_CALLER_ARN = re.compile(
    r"arn:aws[a-z-]*:iam::\d{12}:(root|(user|role)/([\w+=,.@-]+/)*[\w+=,.@-]+)", re.ASCII
)
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-\d+", re.ASCII)
# IAM takes documents of tab, line ends and U+0020 to U+00FF; the others are wildcards and variables in it.
_PLAIN = re.compile(r"[ -~\xa0-\xff]*")
_MEANINGFUL = frozenset("*?$")
_COMMENT = re.compile(r"\s[#;]")


@dataclass(frozen=True, slots=True)
class Arn:
    """The six fields of an ARN: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> "Arn | None":
        """None for a text that is no ARN."""
        fields = text.split(":", 5)
        return cls(*fields[1:]) if len(fields) == 6 and fields[0] == "arn" else None

    @property
    def name(self) -> str:
        """The last component of the resource: a user's or role's name without its path."""
        return self.resource.rpartition("/")[2]


def parsed(text: str) -> Arn:
    """The ARN in a text that a check has passed."""
    arn = Arn.parse(text)
    if arn is None:
        raise ValueError(text)
    return arn


def via_service(region: str) -> list[str]:
    """What kms:ViaService says when S3 of this region asks KMS.

    AWS documents one form for all partitions; where host names end otherwise, both are named.
    """
    partition = partition_of_region(region)
    suffixes = ["amazonaws.com", partition.suffix if partition else "amazonaws.com"]
    return [f"s3.{region}.{suffix}" for suffix in dict.fromkeys(suffixes)]


def role_arn(text: str, account: str | None, partition: str) -> str:
    """The ARN of a role that is given as ARN, or as a name (a path may stand before it) and an account."""
    if text.startswith("arn:"):
        check_role_arn(text)
        if account is not None and parsed(text).account != account:
            raise UsageError(f"--account {account} is not the account of {text}.")
        return text
    if account is None:
        raise UsageError(
            f"{text!r} is not a role's ARN.", hint="write arn:aws:iam::ACCOUNT-ID:role/NAME, or add --account"
        )
    check_account(account, "--account")
    made = f"arn:{partition}:iam::{account}:role/{text.lstrip('/')}"
    check_role_arn(made)
    return made


def check_account(text: str, what: str) -> None:
    """Raises `UsageError` unless `text` is an account id."""
    if not ACCOUNT.fullmatch(text):
        raise UsageError(f"{what} {text!r} is not an account id: it has 12 digits.")


def check_role_arn(text: str) -> None:
    """Raises `UsageError` unless `text` is the ARN of an IAM role."""
    arn = Arn.parse(text)
    if arn is not None and arn.service == "sts":
        raise UsageError(_session_trouble(text, arn), hint=_session_hint(arn))
    if not (20 <= len(text) <= 2048 and ROLE_ARN.fullmatch(text)):
        raise UsageError(f"{text!r} is not a role's ARN.", hint="write arn:aws:iam::ACCOUNT-ID:role/NAME")
    name = parsed(text).name
    if not _ROLE_NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a role's name: 1 to 64 of A-Z a-z 0-9 _ + = , . @ -")
    _check_partition(text)


def caller_arn(text: str, partition: str) -> str:
    """The principal that a caller is: an IAM user's or role's ARN, or an account's root for 12 digits."""
    if ACCOUNT.fullmatch(text):
        return f"arn:{partition}:iam::{text}:root"
    arn = Arn.parse(text)
    if arn is not None and arn.service == "sts":
        raise UsageError(_session_trouble(text, arn), hint=_session_hint(arn))
    if not _CALLER_ARN.fullmatch(text):
        raise UsageError(
            f"{text!r} is no caller.",
            hint="name an account id of 12 digits, or arn:aws:iam::ACCOUNT-ID:user/NAME, or a role's ARN",
        )
    _check_partition(text)
    return text


def check_key_arn(text: str) -> None:
    """Raises `UsageError` unless `text` is the ARN of a KMS key: an alias does not match in a policy."""
    arn = Arn.parse(text)
    if text.startswith("alias/") or (arn is not None and arn.resource.startswith("alias/")):
        raise UsageError(
            f"{text!r} is an alias, and policies do not match kms:Decrypt by alias.",
            hint=f"aws kms describe-key --key-id {text} --query KeyMetadata.Arn tells the key's ARN",
        )
    if not _KEY_ARN.fullmatch(text):
        raise UsageError(
            f"{text!r} is not the ARN of a KMS key.", hint="write arn:aws:kms:REGION:ACCOUNT-ID:key/KEY-ID"
        )
    _check_partition(text)
    check_region(parsed(text).region)
    if not partitions()[parsed(text).partition].holds(parsed(text).region):
        raise UsageError(f"Region {parsed(text).region} is not in the partition of {text}.")


def check_region(text: str) -> None:
    """Raises `UsageError` unless `text` looks like a region."""
    if not _REGION.fullmatch(text):
        raise UsageError(f"{text!r} is not a region.", hint="write it as us-east-1")


def check_bucket(text: str) -> None:
    """Raises `UsageError` unless `text` follows the rules for names of general purpose buckets."""
    hint = "3 to 63 of a-z 0-9 . - with a letter or digit at both ends, no two dots in a row, no IP address"
    as_address = re.fullmatch(r"\d+\.\d+\.\d+\.\d+", text, re.ASCII)
    if not _BUCKET.fullmatch(text) or ".." in text or as_address:
        raise UsageError(f"{text!r} is not a bucket's name.", hint=hint)


def check_prefix(text: str) -> None:
    """Raises `UsageError` for a prefix that a policy cannot name as it is."""
    if not _PLAIN.fullmatch(text):
        raise UsageError(f"The prefix {text!r} has a character that IAM takes in no policy.", hint=_SHORTER)
    if _MEANINGFUL & set(text):
        raise UsageError(
            f"The prefix {text!r} has *, ? or $, which mean something in a policy.", hint=_SHORTER
        )


def slip(text: str) -> str:
    """What is wrong with how a value is written in an AWS configuration file, as advice; "" where nothing shows."""
    if text[:1] in {'"', "'"}:
        return "values stand without quotes there"
    return "a comment needs a line of its own" if _COMMENT.search(text) else ""


def external_id_trouble(text: str) -> str | None:
    """What STS would have against an External ID. The value is never repeated: only its length is."""
    if not 2 <= len(text) <= 1224:
        return f"has {len(text)} characters; STS takes 2 to 1224"
    if not _EXTERNAL_ID.fullmatch(text):
        likely = slip(text) or "a space?"
        return f"({len(text)} characters) has a character outside A-Z a-z 0-9 _ + = , . @ : / - ({likely})"
    return None


_SHORTER = "grant a shorter prefix, and narrow the run with --include"


def _check_partition(text: str) -> None:
    if parsed(text).partition not in partitions():
        raise UsageError(f"{text!r} names no partition of AWS: {', '.join(partitions())}.")


def _session_trouble(text: str, arn: Arn) -> str:
    what = "a session of a role" if arn.resource.startswith("assumed-role/") else "no user and no role"
    return f"{text!r} is {what}."


def _session_hint(arn: Arn) -> str:
    kind, _, rest = arn.resource.partition("/")
    name = rest.partition("/")[0] if kind == "assumed-role" else "NAME"
    return f"name the role itself: arn:{arn.partition}:iam::{arn.account}:role/{name} (with its path, if any)"
