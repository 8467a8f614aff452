"""AWS's sentence of refusal, taken apart: who may not do what, and which kind of policy is to blame.

Grammar: IAM User Guide, "Troubleshoot access denied error messages". Only one kind of policy is named even
where several refuse. Since January 2026 the sentence may end in the ARN of that policy, and its name in
brackets behind it. Pure; what a refusal means is for `symptoms`.
"""

import re
from typing import NamedTuple

# The kinds of policy above the role's own and the resource's.
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
    """`policy` is the kind that AWS names ("identity-based", "service control", …) or "" where it names none."""

    action: str
    resource: str = ""
    policy: str = ""
    explicit: bool = False
    policy_arn: str = ""
    policy_name: str = ""

    @property
    def guarded(self) -> bool:
        """Whether a policy beyond the two sides' plain permissions refuses: none of their Allows can help."""
        return self.explicit or self.policy in GUARDRAILS


def which_policy(denial: Denial | None) -> str:
    """A sentence that names the policy that refuses, to follow another one; "" where AWS names none."""
    if denial is None or not denial.policy_arn:
        return ""
    name = f" ({denial.policy_name})" if denial.policy_name else ""
    return f" The policy is {denial.policy_arn}{name}."


def parse_denial(message: str) -> Denial | None:
    """The refusal in `message`, or None where it does not follow the grammar ("Access Denied")."""
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
