"""Renders the documents as Terraform, or as `aws` commands in one section per account.
Text only; nothing is run.

Terraform: one resource per document, with the provider of its account. The key policy is defined
elsewhere by its owner, so the statement to add becomes a local value. A session policy is not a
resource, so it is left out.

The commands read the documents from standard input, so the External ID is not visible in the process list and
nothing needs quoting. The key policy is read, extended by one statement and written back (with jq): replacing
it by that statement alone would lock out the owner of the key.
"""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from s3haul.policies.documents import Document, Grant, Part, compact
from s3haul.policies.names import Arn, parsed, partitions

POLICY_NAME = "s3haul-export"

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def terraform(grant: Grant, chosen: Mapping[Part, Document]) -> str:
    """The configuration that creates the chosen policies."""
    blocks: list[str] = []
    accounts: set[str] = set()
    role = parsed(grant.role_arn)
    if Part.TRUST in chosen:
        accounts.add(role.account)
        blocks.append(_role_block(role, chosen[Part.TRUST]))
    if Part.PERMISSIONS in chosen:
        accounts.add(role.account)
        holder = Raw("aws_iam_role.export.name") if Part.TRUST in chosen else role.name
        document = chosen[Part.PERMISSIONS]
        blocks.append(_inline("role", "export", role.account, document, holder=holder, name=POLICY_NAME))
    if Part.KEY in chosen:
        blocks.append(_key_block(grant, chosen[Part.KEY]))
    if Part.CALLER in chosen:
        callers = [parsed(arn) for arn in grant.callers]
        accounts.update(caller.account for caller in callers)
        blocks += [_caller_block(n, caller, role, chosen[Part.CALLER]) for n, caller in enumerate(callers, 1)]
    region = grant.region or partitions()[role.partition].home
    return "\n".join([*(_provider(account, region) for account in sorted(accounts)), *blocks])


class Raw(str):
    """A Terraform expression, which is written without quotes."""

    __slots__ = ()


def _role_block(role: Arn, trust: Document) -> str:
    values = {
        "provider": _alias(role.account),
        "name": role.name,
        "path": role.path,
        "assume_role_policy": trust,
    }
    return _block('resource "aws_iam_role" "export"', values)


def _inline(kind: str, label: str, account: str, policy: Document, *, holder: str, name: str) -> str:
    """An inline policy of a user or role."""
    values = {"provider": _alias(account), "name": name, kind: holder, "policy": policy}
    return _block(f'resource "aws_iam_{kind}_policy" "{label}"', values)


def _caller_block(number: int, caller: Arn, role: Arn, policy: Document) -> str:
    name = assume_policy_name(role)
    kind = caller.resource.partition("/")[0]
    if kind in {"user", "role"}:
        return _inline(kind, f"caller_{number}", caller.account, policy, holder=caller.name, name=name)
    values = {"provider": _alias(caller.account), "name": name, "policy": policy}
    note = "# Attach it to the users and roles of this account that will run s3haul.\n"
    return note + _block(f'resource "aws_iam_policy" "caller_{number}"', values)


def assume_policy_name(role: Arn) -> str:
    """The name of the caller's policy."""
    return f"s3haul-assume-{role.name}"


def _key_block(grant: Grant, policy: Document) -> str:
    (statement,) = policy["Statement"]
    note = "".join(f"#   {arn}\n" for arn in grant.key_arns)
    return (
        "# Add this to the Statement list of the policy of each key, where the key is defined. A key in the\n"
        "# role's own account that has its default policy (Enable IAM policies) needs nothing.\n"
        f"{note}{_block('locals', {'s3haul_key_statement': statement})}"
    )


def _provider(account: str, region: str) -> str:
    values = {"alias": f"account_{account}", "region": region, "allowed_account_ids": [account]}
    return _block('provider "aws"', values)


def _alias(account: str) -> Raw:
    return Raw(f"aws.account_{account}")


def _block(head: str, values: Mapping[str, Any]) -> str:
    body = "".join(f"  {name} = {_argument(value)}\n" for name, value in values.items())
    return f"{head} {{\n{body}}}\n"


def _argument(value: Any) -> str:
    """A policy is rendered with jsonencode, everything else as a value."""
    if isinstance(value, dict) and "Statement" in value:
        return f"jsonencode({_value(value, '  ')})"
    return _value(value, "  ")


def _value(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return _bracketed(
            "{}", (f"{_key_name(key)} = {_value(each, deeper)}" for key, each in value.items()), indent
        )
    if isinstance(value, list):
        return _bracketed("[]", (f"{_value(each, deeper)}," for each in value), indent)
    return _quoted(value)


def _bracketed(brackets: str, lines: Iterable[str], indent: str) -> str:
    body = "".join(f"{indent}  {line}\n" for line in lines)
    return f"{brackets[0]}\n{body}{indent}{brackets[1]}"


def _key_name(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A string literal. Terraform has the escapes of JSON; in addition ${ and %{ must be escaped,
    which begin templates."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")


_ADD = ".Statement = ([.Statement] | flatten | map(select(.Sid != $add.Sid))) + [$add]"


def commands(grant: Grant, chosen: Mapping[Part, Document]) -> str:
    """A bash script that creates the chosen policies."""
    sections: list[str] = []
    role = parsed(grant.role_arn)
    for part, document in chosen.items():
        match part:
            case Part.TRUST:
                sections.append(_trust_commands(role, document))
            case Part.PERMISSIONS:
                words = ("iam", "put-role-policy", "--role-name", role.name, "--policy-name", POLICY_NAME)
                sections.append(
                    f"# Account {role.account}: what the role may do\n"
                    + _with_stdin(words, "--policy-document", document)
                )
            case Part.KEY:
                sections += _key_commands(grant, document)
            case Part.CALLER:
                sections += [_caller_commands(parsed(arn), role, document) for arn in grant.callers]
            case Part.SESSION:
                sections.append(_session_command(grant, document))
    return "\n".join(sections)


def _trust_commands(role: Arn, document: Document) -> str:
    where = () if role.path == "/" else ("--path", role.path)
    words = ("iam", "create-role", "--role-name", role.name, *where)
    update = f"aws iam update-assume-role-policy --role-name {role.name} --policy-document file:///dev/stdin"
    return (
        f"# Account {role.account}, the data owner: the role and who may assume it\n"
        f"# (a role that exists: {update})\n" + _with_stdin(words, "--assume-role-policy-document", document)
    )


def _key_commands(grant: Grant, document: Document) -> Iterator[str]:
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


def _caller_commands(caller: Arn, role: Arn, document: Document) -> str:
    name = assume_policy_name(role)
    head = f"# Account {caller.account}: who may assume the role\n"
    kind = caller.resource.partition("/")[0]
    if kind in {"user", "role"}:
        put = ("iam", f"put-{kind}-policy", f"--{kind}-name", caller.name, "--policy-name", name)
        return head + _with_stdin(put, "--policy-document", document)
    create = ("iam", "create-policy", "--policy-name", name)
    note = "# then attach it: aws iam attach-user-policy, attach-group-policy or attach-role-policy\n"
    return head + note + _with_stdin(create, "--policy-document", document)


def _session_command(grant: Grant, document: Document) -> str:
    """The command reads two texts: the policy from standard input, the External ID from file descriptor 3."""
    words = ["sts", "assume-role", "--role-arn", grant.role_arn, "--role-session-name", "s3haul"]
    third = ""
    if grant.external_id:
        words += ["--external-id", "file:///dev/fd/3"]
        third = f" 3< <(printf %s {shlex.quote(grant.external_id)})"
    # STS counts whitespace in the length of a session policy.
    command = _with_stdin(words, "--policy", compact(document)).replace(" <<'JSON'", f"{third} <<'JSON'", 1)
    return f"# The caller: a session with only the permissions that this run needs\n{command}"


def _with_stdin(words: Sequence[str], parameter: str, document: Document | str) -> str:
    command = shlex.join(("aws", *words, parameter, "file:///dev/stdin"))
    text = document if isinstance(document, str) else json.dumps(document, indent=2)
    return f"{command} <<'JSON'\n{text}\nJSON\n"
