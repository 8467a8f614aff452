"""Renders the documents as Terraform: one resource per document, with the provider of its account. Text only.

The key policy is defined elsewhere by its owner, so the statement to add becomes a local value. A session policy is not
a resource, so it is left out.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from s3haul.policies.documents import Document, Grant
from s3haul.policies.names import Arn, parsed
from s3haul.policies.partitions import partitions
from s3haul.policies.parts import Part

POLICY_NAME = "s3haul-export"

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def terraform(grant: Grant, chosen: Mapping[Part, Document]) -> str:
    """The configuration that creates the chosen policies."""
    blocks: list[str] = []
    accounts: set[str] = set()
    role = parsed(grant.role_arn)
    if Part.TRUST in chosen:
        accounts.add(role.account)
        blocks.append(_role(role, chosen[Part.TRUST]))
    if Part.PERMISSIONS in chosen:
        accounts.add(role.account)
        holder = Raw("aws_iam_role.export.name") if Part.TRUST in chosen else role.name
        document = chosen[Part.PERMISSIONS]
        blocks.append(_inline("role", "export", role.account, document, holder=holder, name=POLICY_NAME))
    if Part.KEY in chosen:
        blocks.append(_key(grant, chosen[Part.KEY]))
    if Part.CALLER in chosen:
        callers = [parsed(arn) for arn in grant.callers]
        accounts.update(caller.account for caller in callers)
        blocks += [_caller(n, caller, role, chosen[Part.CALLER]) for n, caller in enumerate(callers, 1)]
    region = grant.region or partitions()[role.partition].home
    return "\n".join([*(_provider(account, region) for account in sorted(accounts)), *blocks])


class Raw(str):
    """A Terraform expression, which is written without quotes."""

    __slots__ = ()


def _role(role: Arn, trust: Document) -> str:
    path = "/" + role.resource.partition("/")[2].removesuffix(role.name)
    values = {
        "provider": _alias(role.account),
        "name": role.name,
        "path": path,
        "assume_role_policy": trust,
    }
    return _block('resource "aws_iam_role" "export"', values)


def _inline(kind: str, label: str, account: str, policy: Document, *, holder: str, name: str) -> str:
    """An inline policy of a user or role."""
    values = {"provider": _alias(account), "name": name, kind: holder, "policy": policy}
    return _block(f'resource "aws_iam_{kind}_policy" "{label}"', values)


def _caller(number: int, caller: Arn, role: Arn, policy: Document) -> str:
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


def _key(grant: Grant, policy: Document) -> str:
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
    """A string literal. Terraform has the escapes of JSON; in addition ${ and %{ must be escaped, which begin templates."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
