"""Parses AWS's "not authorized" messages: the action, the resource, and the kind of policy that denies. Pure.

Grammar: IAM User Guide, "Troubleshoot access denied error messages". AWS names only one kind of policy, even if several
deny. Since January 2026 the message may end with the ARN of that policy, followed by its name in parentheses.
`symptoms` decides what a denial means.
"""

import re
from typing import NamedTuple

# Kinds of policy that limit what the policies of the role and of the resource allow.
GUARDRAILS = frozenset(
    {"service control", "resource control", "permissions boundary", "session", "VPC endpoint"}
)

_SENTENCE = re.compile(
    r"is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on (?:the )?resource:? (?:\"(?P<quoted>[^\"]*)\"|(?P<bare>arn:\S+)|[^\"]*?))?"
    r"(?: because no (?P<absent>[\w -]+?)(?: policy)? allows the [\w-]+:\w+ action"
    r"| with an explicit deny in an? (?P<denying>[\w -]+?)(?: policy)?)?"
    r"(?::? (?P<arn>arn:[\w-]+:[\w-]+:[^\s()]*?)(?: \((?P<name>[^()]*)\))?)?\.?\s*$",
    re.ASCII,
)


class Denial(NamedTuple):
    """`policy` is the kind that AWS names ("identity-based", "service control", ...), or "" if it names none."""

    action: str
    resource: str = ""
    policy: str = ""
    explicit: bool = False
    policy_arn: str = ""
    policy_name: str = ""

    @property
    def guarded(self) -> bool:
        """Whether an explicit Deny or a guardrail refuses: then no Allow of the role or the resource can help."""
        return self.explicit or self.policy in GUARDRAILS


def which_policy(denial: Denial | None) -> str:
    """A sentence that names the policy that denies, to append to a text; "" if AWS names none."""
    if denial is None or not denial.policy_arn:
        return ""
    name = f" ({denial.policy_name})" if denial.policy_name else ""
    return f" The policy is {denial.policy_arn}{name}."


def parse_denial(message: str) -> Denial | None:
    """The denial in `message`; None if it does not follow the grammar (a plain "Access Denied")."""
    found = _SENTENCE.search(message)
    if found is None:
        return None
    return Denial(
        found["action"],
        (found["quoted"] or found["bare"] or "").rstrip("."),
        found["absent"] or found["denying"] or "",
        explicit=found["denying"] is not None,
        policy_arn=found["arn"] or "",
        policy_name=found["name"] or "",
    )
