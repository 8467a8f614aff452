"""Checks the parameters of AssumeRole, and region names, before anything is sent. Pure.

Limits and patterns are those of the STS service model (2011-06-15); `\\w` there is ASCII. Messages never contain the
External ID, only its length.
"""

import re
from collections.abc import Iterator

from s3haul.errors import ProfileError, UsageError
from s3haul.options import RoleOptions
from s3haul.policies.names import ROLE_ARN, external_id_trouble, slip
from s3haul.policies.partitions import region_of_title

SHORTEST_SESSION = 900
LONGEST_SESSION = 43_200

UNUSABLE = "S3H-CFG-08"

# As in botocore: a label of a host name.
_REGION = re.compile(r"(?!\d+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_MFA_SERIAL = re.compile(r"[\w+=/:,.@-]{9,256}", re.ASCII)


def check_role(role: RoleOptions, profile: str | None = None) -> None:
    """Raise `UsageError` for an invalid role given by flags, `ProfileError` for one of `profile`."""
    for id_, name, problem in _problems(role):
        if profile is None:
            raise UsageError(f"--{name} {problem}", id=id_)
        key = "role_session_name" if name == "role-session-name" else name.replace("-", "_")
        raise ProfileError(f"{key} of profile {profile!r} {problem}", id=id_)


def check_region(region: str, where: str) -> None:
    """Raise `UsageError` for a region that cannot be part of a host name."""
    if _REGION.fullmatch(region):
        return
    likely = region_of_title(region) or region.strip().lower()
    hint = f"did you mean {likely}?" if _REGION.fullmatch(likely) else "a region is a name such as eu-west-1"
    raise unusable("region", repr(region), where, hint)


def unusable(name: str, shown: str, where: str, hint: str) -> UsageError:
    """The error for a setting with an invalid value."""
    source = f" ({where})" if where and where != name else ""
    written = slip(shown[1:-1])
    return UsageError(
        f"{name}{source} cannot be {shown}", hint=f"{written}; {hint}" if written else hint, id=UNUSABLE
    )


def account_of(arn: str) -> str:
    """The account id in an ARN; "" if it has none."""
    fields = arn.split(":")
    return fields[4] if len(fields) > 5 else ""


def _problems(role: RoleOptions) -> Iterator[tuple[str, str, str]]:
    if not 20 <= len(role.role_arn) <= 2048 or not ROLE_ARN.fullmatch(role.role_arn):
        yield (
            "S3H-STS-07",
            "role-arn",
            f"{role.role_arn!r} is not the ARN of a role (arn:aws:iam::ACCOUNT-ID:role/NAME)"
            + (f": {slip(role.role_arn)}" if slip(role.role_arn) else ""),
        )
    problem = None if role.external_id is None else external_id_trouble(role.external_id)
    if problem is not None:
        yield "S3H-STS-09", "external-id", problem
    if role.session_name is not None and not _SESSION_NAME.fullmatch(role.session_name):
        yield (
            "S3H-USE-01",
            "role-session-name",
            f"{role.session_name!r} must be 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -",
        )
    if not SHORTEST_SESSION <= role.duration_seconds <= LONGEST_SESSION:
        yield (
            "S3H-STS-10",
            "duration-seconds",
            f"{role.duration_seconds} is not between {SHORTEST_SESSION} and {LONGEST_SESSION}",
        )
    if role.mfa_serial is not None and not _MFA_SERIAL.fullmatch(role.mfa_serial):
        yield (
            "S3H-STS-08",
            "mfa-serial",
            f"{role.mfa_serial!r} is not the ARN or serial number of an MFA device",
        )
