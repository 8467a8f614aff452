"""STS: AssumeRole and GetCallerIdentity in the query protocol, with AWS's validation and refusals.

The trust policy decides with the principal and sts:ExternalId; a refusal by it names no policy type,
which is how a missing or wrong External ID looks on AWS.
"""

import json
import re
import time
from collections.abc import Mapping

from s3haul.demo.access import Caller, Denial, weigh_guarded
from s3haul.demo.cloud import Cloud
from s3haul.demo.errors import CloudError, access_denied
from s3haul.demo.iam import get_role
from s3haul.demo.messages import Answer, Request, query_pairs
from s3haul.demo.model import Policy, Role, Session
from s3haul.demo.policy import Ask
from s3haul.demo.render import sts_document

_SESSION_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)
_SHORTEST, _LONGEST, _CHAINED = 900, 43_200, 3600


def form(request: Request) -> dict[str, str]:
    """The form body. In it, unlike in a path, "+" is a space."""
    return dict(query_pairs(request.body.decode("utf-8", "replace").replace("+", "%20")))


def serve(cloud: Cloud, caller: Caller, fields: Mapping[str, str]) -> Answer:
    action = fields.get("Action", "")
    if action == "GetCallerIdentity":
        return _caller_identity(caller)
    if action == "AssumeRole":
        return _assume_role(cloud, caller, fields)
    if action == "GetRole":
        return get_role(cloud, caller, fields)
    message = f"Could not find operation {action} for version {fields.get('Version', '')}"
    raise CloudError(400, "InvalidAction", message)


def _caller_identity(caller: Caller) -> Answer:
    return sts_document(
        "GetCallerIdentity", {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}
    )


def _assume_role(cloud: Cloud, caller: Caller, fields: Mapping[str, str]) -> Answer:
    duration = _validated_duration(fields)
    policy = _session_policy(fields)
    arn = fields["RoleArn"]
    role = cloud.roles.get(arn)
    mfa = _mfa_given(cloud, caller, fields)
    refusal = access_denied(
        f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    )
    if role is None:
        raise refusal
    _check_allowed(caller, role, fields, mfa=mfa, refusal=refusal)
    if caller.session is not None and duration > _CHAINED:
        raise _invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if duration > role.max_session:
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    session = cloud.start_session(role, fields["RoleSessionName"], duration, policy=policy, mfa=mfa)
    announced = session.expires if cloud.announce_session_seconds else cloud.clock() + duration
    return _credentials(session, announced)


def _check_allowed(
    caller: Caller, role: Role, fields: Mapping[str, str], *, mfa: bool, refusal: CloudError
) -> None:
    context = {
        "sts:rolesessionname": fields["RoleSessionName"],
        "aws:principalarn": caller.principal.arns[-1],
        "aws:principalaccount": caller.account,
        "aws:securetransport": "true",
    }
    if "ExternalId" in fields:
        context["sts:externalid"] = fields["ExternalId"]
    if mfa:
        context["aws:multifactorauthpresent"] = "true"
    ask = Ask("sts:AssumeRole", role.arn, context)
    denial = weigh_guarded(caller, ask, role.account, role.trust)
    if denial is None:
        return
    if denial.kind == "resource-based":
        if not denial.explicit:
            raise refusal
        denial = Denial("role trust", explicit=True)
    raise access_denied(f"{refusal.message} {denial.because('sts:AssumeRole')}")


def _mfa_given(cloud: Cloud, caller: Caller, fields: Mapping[str, str]) -> bool:
    serial = fields.get("SerialNumber")
    if serial is None:
        return False
    user = cloud.users.get(caller.access_key_id)
    if user is None or user.mfa_serial != serial or user.mfa_code != fields.get("TokenCode"):
        raise access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    return True


def _validated_duration(fields: Mapping[str, str]) -> int:
    """DurationSeconds, after the checks that AWS makes on the form alone. Raises ValidationError."""
    arn, name, external_id = (fields.get(n) for n in ("RoleArn", "RoleSessionName", "ExternalId"))
    if not arn or len(arn) < 20:
        raise _constraint(arn or "", "roleArn", "Member must have length greater than or equal to 20")
    if name is None or not 2 <= len(name) <= 64:
        raise _constraint(name or "", "roleSessionName", "Member must have length between 2 and 64")
    if not _SESSION_NAME.fullmatch(name):
        pattern = r"Member must satisfy regular expression pattern: [\w+=,.@-]*"
        raise _constraint(name, "roleSessionName", pattern)
    if external_id is not None and not 2 <= len(external_id) <= 1224:
        raise _constraint(external_id, "externalId", "Member must have length between 2 and 1224")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        pattern = r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]*"
        raise _constraint(external_id, "externalId", pattern)
    given = fields.get("DurationSeconds", "3600")
    duration = int(given) if given.isdecimal() else 0
    if duration < _SHORTEST:
        raise _constraint(given, "durationSeconds", "Member must have value greater than or equal to 900")
    if duration > _LONGEST:
        raise _constraint(given, "durationSeconds", "Member must have value less than or equal to 43200")
    return duration


def _session_policy(fields: Mapping[str, str]) -> Policy | None:
    if "Policy" not in fields:
        return None
    try:
        policy = json.loads(fields["Policy"])
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise CloudError(400, "MalformedPolicyDocument", "The policy is not in the valid JSON format.")
    return policy


def _credentials(session: Session, expiration: float) -> Answer:
    role = session.role
    return sts_document(
        "AssumeRole",
        {
            "AssumedRoleUser": {
                "AssumedRoleId": f"AROADEMO:{session.name}",
                "Arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name.rpartition('/')[2]}/{session.name}",
            },
            "Credentials": {
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret,
                "SessionToken": session.token,
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiration)),
            },
        },
    )


def _invalid(message: str) -> CloudError:
    return CloudError(400, "ValidationError", message)


def _constraint(value: str, name: str, rule: str) -> CloudError:
    return _invalid(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"
    )
