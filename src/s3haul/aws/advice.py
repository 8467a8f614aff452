"""Error texts and hints for source credentials that cannot be fetched, one for each kind of source. Pure.

`method` is botocore's name of the credential provider. Of a credential_process only the name of the program is shown,
because its arguments may be secret.
"""

import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

_DOCUMENT = 'one JSON document and nothing else: {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}'
_EXPORT = "credential_process = aws configure export-credentials --profile {} --format process"
_ELSEWHERE = {
    "Ec2InstanceMetadata": "this machine needs an instance profile; in a container, IMDSv2 needs a hop limit of 2;"
    " AWS_EC2_METADATA_DISABLED must not be true",
    "EcsContainer": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI is set only in containers of ECS and EKS;"
    " the task needs a task role, the pod a Pod Identity association",
    "Environment": "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary keys",
}


class Advice(NamedTuple):
    """`what` is the source, for a message "... cannot be fetched"; `hint` says what to do."""

    what: str
    hint: str


def failed(method: str, profile: str, keys: Mapping[str, Any], environ: Mapping[str, str]) -> Advice:
    """For a source that is configured but failed. `keys` are the settings of the profile."""
    match method:
        case "sso":
            named = keys.get("sso_session") or keys.get("sso_start_url") or ""
            hint = f"run: aws sso login --profile {shlex.quote(profile)}, then the same command"
            return Advice(f"the SSO session {named} of profile {profile!r}", hint)
        case "custom-process":
            program = _program(str(keys.get("credential_process", "")))
            hint = f"run its credential_process yourself: it must end with exit code 0 and print {_DOCUMENT}"
            return Advice(f"the credential_process {program} of profile {profile!r}", hint)
        case "assume-role-with-web-identity":
            path = keys.get("web_identity_token_file") or environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
            hint = "the token must exist and be valid, and the role's trust policy must allow its issuer and subject"
            return Advice(f"the role for the web identity token {path}", hint)
        case "container-role":
            return Advice("the container's credentials", _ELSEWHERE["EcsContainer"])
        case "iam-role":
            return Advice("the instance's credentials", _ELSEWHERE["Ec2InstanceMetadata"])
        case "boto-config":
            hint = "complete or remove the section [Credentials] of ~/.boto or /etc/boto.cfg"
            return Advice("the credentials of boto's old file", hint)
        case "env":
            return Advice("the credentials of the environment", _ELSEWHERE["Environment"])
    hint = "the profile needs both aws_access_key_id and aws_secret_access_key"
    return Advice(f"the credentials of profile {profile!r}", hint)


def missing(credential_source: str | None, profile: str | None, keys: Mapping[str, Any]) -> str:
    """What to do if no provider has credentials."""
    if credential_source:
        return _ELSEWHERE.get(credential_source, "")
    if missing := _missing_of_sso(keys):
        return f"the profile's SSO login needs {' and '.join(missing)}, too"
    if "login_session" in keys:
        way = _EXPORT.format(shlex.quote(profile or "default"))
        return f"sessions of `aws login` are not supported: create another profile with {way}"
    return "log in, or choose a --profile that has credentials"


def _missing_of_sso(keys: Mapping[str, Any]) -> list[str]:
    """What a profile lacks that names an SSO session."""
    if not {"sso_session", "sso_start_url"} & keys.keys():
        return []
    needed = ["sso_account_id", "sso_role_name", *([] if "sso_session" in keys else ["sso_region"])]
    return [name for name in needed if name not in keys]


def _program(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return "(its quotes do not match)"
    return words[0] if words else "(it is empty)"
