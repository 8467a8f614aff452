"""Policies that limit what other policies allow: who owns each kind, and where to look when AWS names it in a refusal.

They refine the entry S3H-S3-08 of the table.
"""

from s3haul.diagnose.diagnosis import BOTH, ORGANISATION, OWNER, YOU

GUARDS: dict[str, tuple[str, str]] = {
    "service control": (
        ORGANISATION,
        "Let the service control policies of the caller's account allow it, for this role at least.",
    ),
    "resource control": (
        ORGANISATION,
        "Let the resource control policies of the owner's account allow it, for this role at least.",
    ),
    "permissions boundary": (OWNER, "Allow it in the permissions boundary of ROLE-ARN as well."),
    "session": (
        YOU,
        "Ask whoever gave you the session (a broker, an SSO permission set) for one that allows it.",
    ),
    "VPC endpoint": (YOU, "Allow it in the policy of the VPC endpoint, which belongs to your network."),
    "resource-based": (
        OWNER,
        "Look in the bucket's policy for a Deny that meets the role: on endpoint, address or organisation.",
    ),
    "role trust": (OWNER, "Look in the trust policy of ROLE-ARN for a Deny that meets CALLER-ARN."),
    "identity-based": (BOTH, "Look in the policies of the user or role that AWS names for a Deny."),
}
