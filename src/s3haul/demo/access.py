"""Who may do what: identity, session, resource and key policies weighed together, in AWS's sentences.

Same account: an Allow on either side is enough. Across accounts both sides must allow. A key policy and a
trust policy must always allow; where they name only the account, the identity policy must allow too.
"""

from dataclasses import dataclass

from s3haul.demo.model import Policy, Session
from s3haul.demo.policy import Ask, Principal, Verdict, judge


@dataclass(frozen=True, slots=True)
class Guard:
    """A policy that only limits: what it does not allow is refused, whatever else allows it."""

    kind: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller. `policies` are those of the user or the role, read live."""

    principal: Principal
    arn: str
    user_id: str
    access_key_id: str
    policies: list[Policy]
    session: Session | None = None
    guards: tuple[Guard, ...] = ()

    @property
    def account(self) -> str:
        return self.principal.account


ANONYMOUS = Caller(Principal("", ()), "anonymous", "", "", [])


# AWS names the very policy of these kinds.
_ARNS = {
    "service control": "arn:aws:organizations::333333333333:policy/o-demo/service_control_policy/p-demo1",
    "resource control": "arn:aws:organizations::333333333333:policy/o-demo/resource_control_policy/p-demo2",
    "permissions boundary": "arn:aws:iam::111111111111:policy/demo-boundary",
}


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is refused: the kind of policy ("identity-based", ...) and whether it says Deny."""

    kind: str
    explicit: bool = False

    def because(self, action: str) -> str:
        name = self.kind if self.kind == "permissions boundary" else f"{self.kind} policy"
        which = f": {_ARNS[self.kind]}" if self.kind in _ARNS else ""
        if self.explicit:
            return f"with an explicit deny in {'an' if self.kind[0] in 'aeiou' else 'a'} {name}{which}"
        return f"because no {name} allows the {action} action{which}"


def weigh_resource(
    caller: Caller, ask: Ask, owner: str, policy: Policy | None, guards: tuple[Guard, ...] = ()
) -> Denial | None:
    """A resource whose policy is optional (a bucket). None means allowed. `guards` stand on its side."""
    limit = _limit(caller, ask, guards)
    if limit is not None:
        return limit
    identity, denial = _identity_side(caller, ask)
    if denial is not None and denial.explicit:
        return denial
    attached = judge(policy, ask, caller.principal) if policy else Verdict()
    if attached.denied:
        return Denial("resource-based", explicit=True)
    if caller.account == owner:
        allowed = identity or (attached.allowed and not attached.by_account)
        return None if allowed else denial
    if not caller.account:
        return None if attached.allowed else Denial("resource-based")
    if not identity:
        return denial
    return None if attached.allowed else Denial("resource-based")


def weigh_guarded(
    caller: Caller, ask: Ask, owner: str, policy: Policy, guards: tuple[Guard, ...] = ()
) -> Denial | None:
    """A resource that its own policy guards alone (a key, a role): without its Allow nothing helps."""
    limit = _limit(caller, ask, guards)
    if limit is not None:
        return limit
    identity, denial = _identity_side(caller, ask)
    if denial is not None and denial.explicit:
        return denial
    attached = judge(policy, ask, caller.principal)
    if attached.denied:
        return Denial("resource-based", explicit=True)
    if not identity and (caller.account != owner or not attached.allowed or attached.by_account):
        return denial
    return None if attached.allowed else Denial("resource-based")


def _limit(caller: Caller, ask: Ask, guards: tuple[Guard, ...]) -> Denial | None:
    """The first policy that limits this request: the resource's side, then the caller's."""
    verdicts = [(guard.kind, judge(guard.policy, ask, caller.principal)) for guard in guards]
    verdicts += [(guard.kind, judge(guard.policy, ask)) for guard in caller.guards]
    for kind, verdict in verdicts:
        if verdict.denied or not verdict.allowed:
            return Denial(kind, explicit=verdict.denied)
    return None


def _identity_side(caller: Caller, ask: Ask) -> tuple[bool, Denial | None]:
    """Whether the caller's own policies (and the session's, an intersection) allow; else why not."""
    verdicts = [judge(policy, ask) for policy in caller.policies]
    if any(verdict.denied for verdict in verdicts):
        return False, Denial("identity-based", explicit=True)
    if caller.session is not None and caller.session.policy is not None:
        narrowed = judge(caller.session.policy, ask)
        if narrowed.denied:
            return False, Denial("session", explicit=True)
        if not narrowed.allowed:
            return False, Denial("session")
    if any(verdict.allowed for verdict in verdicts):
        return True, None
    return False, Denial("identity-based")
