"""Names of AWS, and their checks: partitions, regions, accounts, ARNs, buckets, External IDs.

Limits and patterns are those of the IAM, STS and KMS service models and of S3's bucket naming rules. The
partitions and their regions are read from a data file in botocore, once, at first use; the SDK is not
imported. New ones need a newer botocore.
"""

import functools
import gzip
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3haul.errors import UsageError

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
# IAM accepts tab, line ends and U+0020 to U+00FF in documents.
# `_SPECIAL` are wildcards and variables in policies.
_POLICY_TEXT = re.compile(r"[ -~\xa0-\xff]*")
_SPECIAL = frozenset("*?$")
_SHORTER = "grant a shorter prefix, and limit the run with --include"
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
        """None if the text is not an ARN."""
        fields = text.split(":", 5)
        return cls(*fields[1:]) if len(fields) == 6 and fields[0] == "arn" else None

    @property
    def name(self) -> str:
        """The last component of the resource: a user's or role's name without its path."""
        return self.resource.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The path of a user or role: "/", or "/division/team/"."""
        return "/" + self.resource.partition("/")[2].removesuffix(self.name)


def parsed(text: str) -> Arn:
    """The ARN in a text that was checked before."""
    arn = Arn.parse(text)
    if arn is None:
        raise ValueError(text)
    return arn


def account_of(arn: str) -> str:
    """The account id in an ARN; "" if it has none."""
    parts = Arn.parse(arn)
    return parts.account if parts else ""


def principal_of(caller: str) -> str:
    """The principal of a caller in policies: for a session, its role (without path,
    which a session ARN lacks)."""
    arn = Arn.parse(caller)
    if arn is None or not arn.resource.startswith("assumed-role/"):
        return caller
    return f"arn:{arn.partition}:iam::{arn.account}:role/{arn.resource.split('/')[1]}"


def via_service(region: str) -> list[str]:
    """The value of kms:ViaService when S3 in this region calls KMS.

    AWS documents amazonaws.com for all partitions. If the host names of the partition end
    differently, both are listed.
    """
    partition = partition_of_region(region)
    suffixes = ["amazonaws.com", partition.suffix if partition else "amazonaws.com"]
    return [f"s3.{region}.{suffix}" for suffix in dict.fromkeys(suffixes)]


def role_arn(text: str, account: str | None, partition: str) -> str:
    """The ARN of a role that is given as ARN, or as a name (with a path, if any) and an account."""
    if text.startswith("arn:"):
        check_role_arn(text)
        if account is not None and parsed(text).account != account:
            raise UsageError(f"--account {account} is not the account of {text}.")
        return text
    if account is None:
        raise UsageError(
            f"{text!r} is not the ARN of a role.",
            hint="write arn:aws:iam::ACCOUNT-ID:role/NAME, or add --account",
        )
    check_account(account)
    made = f"arn:{partition}:iam::{account}:role/{text.lstrip('/')}"
    check_role_arn(made)
    return made


def check_account(text: str) -> None:
    """Raise `UsageError` unless `text` is an account id."""
    if not ACCOUNT.fullmatch(text):
        raise UsageError(f"--account {text!r} is not an account id: it has 12 digits.")


def check_role_arn(text: str) -> None:
    """Raise `UsageError` unless `text` is the ARN of an IAM role."""
    arn = Arn.parse(text)
    if arn is not None and arn.service == "sts":
        raise UsageError(_session_error(text, arn), hint=_session_hint(arn))
    if not (20 <= len(text) <= 2048 and ROLE_ARN.fullmatch(text)):
        raise UsageError(
            f"{text!r} is not the ARN of a role.", hint="write arn:aws:iam::ACCOUNT-ID:role/NAME"
        )
    name = parsed(text).name
    if not _ROLE_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not the name of a role: 1 to 64 characters of A-Z a-z 0-9 _ + = , . @ -"
        )
    _check_partition(text)


def caller_arn(text: str, partition: str) -> str:
    """The principal of a caller: the ARN of an IAM user or role, or the root of the account for 12 digits."""
    if ACCOUNT.fullmatch(text):
        return f"arn:{partition}:iam::{text}:root"
    arn = Arn.parse(text)
    if arn is not None and arn.service == "sts":
        raise UsageError(_session_error(text, arn), hint=_session_hint(arn))
    if not _CALLER_ARN.fullmatch(text):
        raise UsageError(
            f"{text!r} is not a caller.",
            hint="give an account id of 12 digits, or arn:aws:iam::ACCOUNT-ID:user/NAME, or the ARN of a role",
        )
    _check_partition(text)
    return text


def check_key_arn(text: str) -> None:
    """Raise `UsageError` unless `text` is the ARN of a KMS key. An alias does not match in a policy."""
    arn = Arn.parse(text)
    if text.startswith("alias/") or (arn is not None and arn.resource.startswith("alias/")):
        raise UsageError(
            f"{text!r} is an alias, but for kms:Decrypt a policy must name the key's ARN.",
            hint=f"aws kms describe-key --key-id {text} --query KeyMetadata.Arn shows it",
        )
    if not _KEY_ARN.fullmatch(text):
        raise UsageError(
            f"{text!r} is not the ARN of a KMS key.", hint="write arn:aws:kms:REGION:ACCOUNT-ID:key/KEY-ID"
        )
    _check_partition(text)
    check_region(parsed(text).region)
    if not partitions()[parsed(text).partition].contains(parsed(text).region):
        raise UsageError(f"Region {parsed(text).region} is not in the partition of {text}.")


def check_region(text: str) -> None:
    """Raise `UsageError` unless `text` has the form of a region."""
    if not _REGION.fullmatch(text):
        raise UsageError(f"{text!r} is not a region.", hint="a region is a name such as us-east-1")


def check_bucket_name(text: str) -> None:
    """Raise `UsageError` unless `text` follows the rules for names of general purpose buckets."""
    hint = "3 to 63 characters of a-z 0-9 . - with a letter or digit at both ends, no two dots in a row, no IP address"
    as_address = re.fullmatch(r"\d+\.\d+\.\d+\.\d+", text, re.ASCII)
    if not _BUCKET.fullmatch(text) or ".." in text or as_address:
        raise UsageError(f"{text!r} is not a valid bucket name.", hint=hint)


def check_prefix(text: str) -> None:
    """Raise `UsageError` for a prefix that cannot be written in a policy."""
    if not _POLICY_TEXT.fullmatch(text):
        raise UsageError(
            f"The prefix {text!r} has a character that IAM does not accept in policies.", hint=_SHORTER
        )
    if _SPECIAL & set(text):
        raise UsageError(
            f"The prefix {text!r} has *, ? or $, which are special characters in a policy.", hint=_SHORTER
        )


def format_advice(text: str) -> str:
    """How the value should have been written in an AWS configuration file; "" if it has no usual mistake."""
    if text[:1] in {'"', "'"}:
        return "write the value without quotes"
    return "a comment needs a line of its own" if _COMMENT.search(text) else ""


def external_id_problem(text: str) -> str | None:
    """Why STS would refuse an External ID; None if it would not. The text has its length, never the value."""
    if not 2 <= len(text) <= 1224:
        return f"has {len(text)} characters; STS accepts 2 to 1224"
    if not _EXTERNAL_ID.fullmatch(text):
        likely = format_advice(text) or "a space?"
        return f"({len(text)} characters) has a character outside A-Z a-z 0-9 _ + = , . @ : / - ({likely})"
    return None


def _check_partition(text: str) -> None:
    if parsed(text).partition not in partitions():
        raise UsageError(f"The partition in {text!r} is not one of AWS: {', '.join(partitions())}.")


def _session_error(text: str, arn: Arn) -> str:
    what = "a session of a role" if arn.resource.startswith("assumed-role/") else "neither a user nor a role"
    return f"{text!r} is {what}."


def _session_hint(arn: Arn) -> str:
    kind, _, rest = arn.resource.partition("/")
    name = rest.partition("/")[0] if kind == "assumed-role" else "NAME"
    return f"give the role itself: arn:{arn.partition}:iam::{arn.account}:role/{name} (with its path, if any)"


@dataclass(frozen=True, slots=True)
class Partition:
    """`home` is the region of global services; `regions` are the regions in the data file."""

    name: str
    home: str
    suffix: str  # of host names: amazonaws.com
    pattern: re.Pattern[str]  # of its regions; matches future regions too
    regions: frozenset[str]

    def contains(self, region: str) -> bool:
        return region in self.regions or self.pattern.fullmatch(region) is not None


@functools.cache
def partitions() -> Mapping[str, Partition]:
    """All partitions by name, "aws" first."""
    return {one.name: one for one in map(_partition, _data()["partitions"])}


def partition_of_region(region: str) -> Partition | None:
    """The partition of a region; None if no partition matches."""
    return next((one for one in partitions().values() if one.contains(region)), None)


def region_of_title(title: str) -> str:
    """The region with this title in the AWS console, such as "US East (N. Virginia)"; or ""."""
    found = (
        name
        for one in _data()["partitions"]
        for name, entry in one["regions"].items()
        if entry.get("description", "").lower() == title.strip().lower()
    )
    return next(found, "")


def region_in_host(host: str) -> str:
    """The region in the host name of an AWS S3 endpoint, or ""."""
    for one in partitions().values():
        found = re.fullmatch(
            rf"(?:.+\.)?s3(?:-fips)?(?:[.-]dualstack)?[.-]([a-z0-9-]+)\.{re.escape(one.suffix)}",
            host.lower(),
            re.ASCII,
        )
        if found and one.contains(found[1]):
            return found[1]
    return ""


def _partition(entry: Mapping[str, Any]) -> Partition:
    outputs = entry["outputs"]
    return Partition(
        name=entry["id"],
        home=outputs["implicitGlobalRegion"],
        suffix=outputs["dnsSuffix"],
        pattern=re.compile(entry["regionRegex"], re.ASCII),
        regions=frozenset(name for name in entry["regions"] if not name.endswith("-global")),
    )


def _data() -> Mapping[str, Any]:
    package = importlib.util.find_spec("botocore")
    assert package is not None, "botocore is a dependency"
    for folder in package.submodule_search_locations or ():
        for name, opened in (("partitions.json", open), ("partitions.json.gz", gzip.open)):
            path = Path(folder, "data", name)
            if path.is_file():
                with opened(path, "rb") as file:
                    found: Mapping[str, Any] = json.load(file)
                return found
    raise FileNotFoundError("botocore's data/partitions.json")
