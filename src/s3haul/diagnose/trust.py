"""Finds out why a trust policy refuses a caller, because STS does not say it. Pure.

It examines the common mistakes in one document for one caller; it is not a policy evaluator.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from s3haul.options import RoleOptions

_UNIQUE_IDS = ("AIDA", "AROA")


def trust_diagnosis_id(policy: Mapping[str, Any], caller_arn: str, role: RoleOptions) -> str:
    """The row for a caller that STS refused; S3H-STS-03 if the policy shows no reason."""
    allows = [one for one in _listed(policy.get("Statement")) if one.get("Effect") == "Allow"]
    names = set(_names(caller_arn))
    matching = [one for one in allows if names & {*_principals(one)}]
    if not matching:
        orphans = any(name.startswith(_UNIQUE_IDS) for one in allows for name in _principals(one))
        return "S3H-STS-06" if orphans else "S3H-STS-05"
    if not any(_external_id_fits(one, role.external_id) for one in matching):
        return "S3H-STS-03"
    if role.mfa_serial is None and all(_wants_mfa(one) for one in matching):
        return "S3H-STS-08"
    return "S3H-STS-03"


def _names(arn: str) -> Iterator[str]:
    """All principals of a trust policy that match the caller."""
    yield from ("*", arn)
    fields = arn.split(":")
    if len(fields) < 6:
        return
    partition, account = fields[1], fields[4]
    yield from (account, f"arn:{partition}:iam::{account}:root", principal_of(arn))


def principal_of(arn: str) -> str:
    """The principal of the caller in policies: for a session, its role (without path, which a session ARN lacks)."""
    fields = arn.split(":")
    if len(fields) < 6 or not fields[5].startswith("assumed-role/"):
        return arn
    return f"arn:{fields[1]}:iam::{fields[4]}:role/{fields[5].split('/')[1]}"


def _principals(statement: Mapping[str, Any]) -> Sequence[str]:
    named = statement.get("Principal", {})
    found = _listed(named if isinstance(named, str) else named.get("AWS"))
    return [str(name) for name in found]


def _external_id_fits(statement: Mapping[str, Any], given: str | None) -> bool:
    for operator, tests in statement.get("Condition", {}).items():
        for name, values in tests.items():
            if name.lower() != "sts:externalid":
                continue
            if given is None or not any(_equal(operator, given, str(value)) for value in _listed(values)):
                return False
    return True


def _equal(operator: str, given: str, value: str) -> bool:
    return fnmatchcase(given, value) if operator.startswith("StringLike") else given == value


def _wants_mfa(statement: Mapping[str, Any]) -> bool:
    keys = {name.lower() for tests in statement.get("Condition", {}).values() for name in tests}
    return bool(keys & {"aws:multifactorauthpresent", "aws:multifactorauthage"})


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
