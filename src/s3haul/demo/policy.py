"""IAM policy evaluation: one policy document against one request. Pure; who owns what is decided in `access`.

Statements with Effect, Principal, (Not)Action, (Not)Resource and Condition, wildcards, and the condition
operators below, each also with IfExists. An operator that is not known raises ValueError: a policy that
cannot be judged must not pass for a policy that allows.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import ip_address, ip_network
from typing import Any

from s3haul.demo.model import Policy

Context = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: `arns` are all names a policy may call it by; `account` is "" for nobody."""

    account: str
    arns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that somebody wants to do, with the condition keys (in lower case) that hold for it."""

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one document says. `by_account` is true where an Allow names only the whole account."""

    allowed: bool = False
    denied: bool = False
    by_account: bool = False


def judge(policy: Policy, ask: Ask, principal: Principal | None = None) -> Verdict:
    """Evaluate a document. With `principal` it is a resource policy, whose Principal element must match."""
    direct = by_account = False
    for statement in _listed(policy.get("Statement", [])):
        match = "direct" if principal is None else _principal_match(statement, principal)
        if not match or not _applies(statement, ask):
            continue
        if statement["Effect"] == "Deny":
            return Verdict(denied=True)
        if match == "direct":
            direct = True
        else:
            by_account = True
    return Verdict(allowed=direct or by_account, by_account=by_account and not direct)


def _applies(statement: Policy, ask: Ask) -> bool:
    return (
        _element(statement, "Action", ask.action.lower(), str.lower)
        and _element(statement, "Resource", ask.resource, str)
        and _conditions_hold(statement.get("Condition", {}), ask.context)
    )


def _element(statement: Policy, name: str, value: str, fold: Callable[[str], str]) -> bool:
    """Action or Resource, or their Not form; a trust policy has no Resource, which means any."""
    if name in statement:
        return any(_like(value, fold(pattern)) for pattern in _listed(statement[name]))
    if f"Not{name}" in statement:
        return not any(_like(value, fold(pattern)) for pattern in _listed(statement[f"Not{name}"]))
    return name == "Resource"


def _principal_match(statement: Policy, principal: Principal) -> str:
    """ "direct", "account" or "" (no match)."""
    named = statement.get("Principal", {})
    names = _listed(named) if isinstance(named, str) else _listed(named.get("AWS", []))
    if "*" in names or any(arn in names for arn in principal.arns):
        return "direct"
    root = f"arn:aws:iam::{principal.account}:root"
    return "account" if principal.account and (principal.account in names or root in names) else ""


def _conditions_hold(conditions: Policy, context: Context) -> bool:
    for operator, tests in conditions.items():
        for name, values in tests.items():
            if not _holds(operator, context.get(name.lower()), _listed(values)):
                return False
    return True


def _holds(operator: str, actual: str | None, values: Iterable[str | bool]) -> bool:
    base = operator.removesuffix("IfExists")
    wanted = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    if base == "Null":
        return (actual is None) == (wanted[0] == "true")
    negated = base in _NEGATED
    test = _TESTS.get(_NEGATED.get(base, base))
    if test is None:
        raise ValueError(f"condition operator {operator!r} is not known")
    if actual is None:
        return negated or operator != base
    return any(test(actual, value) for value in wanted) != negated


def _like(value: str, pattern: str) -> bool:
    return pattern in ("*", value) or _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)


def _same(actual: str, value: str, *, fold: Callable[[str], str] = str) -> bool:
    return fold(actual) == fold(value)


def _in_network(actual: str, value: str) -> bool:
    return ip_address(actual) in ip_network(value, strict=False)


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _same,
    "StringEqualsIgnoreCase": partial(_same, fold=str.lower),
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": partial(_same, fold=str.lower),
    "IpAddress": _in_network,
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
