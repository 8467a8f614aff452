"""Renders the documents as `aws` commands, in one section per account. Text only; nothing is run.

The commands read the documents from standard input, so the External ID is not visible in the process list and nothing
needs quoting. The key policy is read, extended by one statement and written back (with jq): replacing it by that
statement alone would lock out the owner of the key.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence

from s3haul.policies.documents import Document, Grant
from s3haul.policies.grant import compact
from s3haul.policies.names import Arn, parsed
from s3haul.policies.parts import Part
from s3haul.policies.terraform import POLICY_NAME, assume_policy_name

_ADD = ".Statement = ([.Statement] | flatten | map(select(.Sid != $add.Sid))) + [$add]"


def commands(grant: Grant, chosen: Mapping[Part, Document]) -> str:
    """A bash script that creates the chosen policies."""
    sections: list[str] = []
    role = parsed(grant.role_arn)
    for part, document in chosen.items():
        match part:
            case Part.TRUST:
                sections.append(_trust(role, document))
            case Part.PERMISSIONS:
                words = ("iam", "put-role-policy", "--role-name", role.name, "--policy-name", POLICY_NAME)
                sections.append(
                    f"# Account {role.account}: what the role may do\n"
                    + _fed(words, "--policy-document", document)
                )
            case Part.KEY:
                sections += _keys(grant, document)
            case Part.CALLER:
                sections += [_caller(parsed(arn), role, document) for arn in grant.callers]
            case Part.SESSION:
                sections.append(_session(grant, document))
    return "\n".join(sections)


def _trust(role: Arn, document: Document) -> str:
    path = "/" + role.resource.partition("/")[2].removesuffix(role.name)
    where = () if path == "/" else ("--path", path)
    words = ("iam", "create-role", "--role-name", role.name, *where)
    update = f"aws iam update-assume-role-policy --role-name {role.name} --policy-document file:///dev/stdin"
    return (
        f"# Account {role.account}, the data owner: the role and who may assume it\n"
        f"# (a role that exists: {update})\n" + _fed(words, "--assume-role-policy-document", document)
    )


def _keys(grant: Grant, document: Document) -> Iterator[str]:
    (statement,) = document["Statement"]
    for number, arn in enumerate(grant.key_arns, 1):
        key = parsed(arn)
        which = f"--region {key.region} --key-id {shlex.quote(arn)} --policy-name default"
        saved = f"key-policy-{number}.json"
        yield (
            f"# Account {key.account}: adds one statement to the key policy; {saved} is a copy of the old policy\n"
            f"# (not needed in account {parsed(grant.role_arn).account} if the policy still has its default statement)\n"
            f"aws kms get-key-policy {which} --query Policy --output text > {saved} &&\n"
            f"jq --argjson add {shlex.quote(compact(statement))} \\\n  {shlex.quote(_ADD)} {saved} |\n"
            f"aws kms put-key-policy {which} --policy file:///dev/stdin\n"
        )


def _caller(caller: Arn, role: Arn, document: Document) -> str:
    name = assume_policy_name(role)
    head = f"# Account {caller.account}: who may assume the role\n"
    kind = caller.resource.partition("/")[0]
    if kind in {"user", "role"}:
        put = ("iam", f"put-{kind}-policy", f"--{kind}-name", caller.name, "--policy-name", name)
        return head + _fed(put, "--policy-document", document)
    create = ("iam", "create-policy", "--policy-name", name)
    note = "# then attach it: aws iam attach-user-policy, attach-group-policy or attach-role-policy\n"
    return head + note + _fed(create, "--policy-document", document)


def _session(grant: Grant, document: Document) -> str:
    """The command reads two texts: the policy from standard input, the External ID from file descriptor 3."""
    words = ["sts", "assume-role", "--role-arn", grant.role_arn, "--role-session-name", "s3haul"]
    third = ""
    if grant.external_id:
        words += ["--external-id", "file:///dev/fd/3"]
        third = f" 3< <(printf %s {shlex.quote(grant.external_id)})"
    # STS counts whitespace in the length of a session policy.
    fed = _fed(words, "--policy", compact(document)).replace(" <<'JSON'", f"{third} <<'JSON'", 1)
    return f"# The caller: a session with only the permissions that this run needs\n{fed}"


def _fed(words: Sequence[str], parameter: str, document: Document | str) -> str:
    command = shlex.join(("aws", *words, parameter, "file:///dev/stdin"))
    text = document if isinstance(document, str) else json.dumps(document, indent=2)
    return f"{command} <<'JSON'\n{text}\nJSON\n"
