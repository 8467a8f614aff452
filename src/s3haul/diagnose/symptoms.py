"""Finds the row of the diagnosis table for one failed request: the first rule that matches. Pure.

Codes are examined first; messages are used only if a code has several causes, without the names in them
(`core.retry.own_words`). `parse_denial` parses AWS's "not authorized" messages: the action, the resource, and
the kind of policy that denies. AWS names only one kind of policy, even if several deny. Since January 2026
the message may end with the ARN of that policy, followed by its name in parentheses.

Sources: STS and S3 API references, IAM User Guide "Troubleshoot access denied error messages", and recorded
responses. `causes` combines several requests.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from s3haul.core.retry import TRANSIENT, about_kms, is_from_kms, is_throttling, own_words
from s3haul.errors import Fault, FaultKind
from s3haul.policies.names import principal_of

# Kinds of policy that limit what the policies of the role and of the resource allow.
GUARDRAILS = frozenset(
    {"service control", "resource control", "permissions boundary", "session", "VPC endpoint"}
)

_SENTENCE = re.compile(
    r"is not authorized to perform: (?P<action>[\w-]+:\w+)"
    # Up to the last quotation mark: a key may contain some.
    r"(?: on (?:the )?resource:? (?:\"(?P<quoted>.*)\"|(?P<bare>arn:\S+)|[^\"]*?))?"
    r"(?: because no (?P<absent>[\w -]+?)(?: policy)? allows the [\w-]+:\w+ action"
    r"| with an explicit deny in an? (?P<denying>[\w -]+?)(?: policy)?)?"
    r"(?::? (?P<arn>arn:[\w-]+:[\w-]+:[^\s()]*?)(?: \((?P<name>[^()]*)\))?)?\.?\s*$",
    re.ASCII | re.DOTALL,
)

_USER = re.compile(r"User: (arn:[\w:/+=,.@-]+) is not authorized", re.ASCII)
_KEY = re.compile(r"arn:[\w-]+:kms:[\w-]+:\d+:key/[\w-]+", re.ASCII)


class Denial(NamedTuple):
    """`policy` is the kind that AWS names ("identity-based", "service control", ...),
    or "" if it names none."""

    action: str
    resource: str = ""
    policy: str = ""
    explicit: bool = False
    policy_arn: str = ""
    policy_name: str = ""

    @property
    def guarded(self) -> bool:
        """Whether an explicit Deny or a guardrail refuses:
        then no Allow of the role or the resource can help."""
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


def names_in(message: str, region: str = "") -> dict[str, str]:
    """Values for placeholders, as far as the message names them: the refused principal, the KMS key."""
    denial, principal = parse_denial(message), _USER.search(message)
    # A resource that is no KMS key is an object, whose name may contain the ARN of one.
    key = _KEY.fullmatch(denial.resource) if denial and denial.resource else _KEY.search(message)
    return {
        "REGION": region or "the bucket's region",
        "ROLE-ARN": principal_of(principal[1]) if principal else "",
        "KEY-ARN": key[0] if key else "",
    }


class RequestKind(StrEnum):
    """What was requested: the same response has different meanings."""

    ROLE = "role"
    BUCKET = "bucket"
    LISTING = "listing"
    VERSIONS = "versions"  # the listing of all versions
    OBJECT = "object"


UNKNOWN = "S3H-S3-18"

_KINDS = {
    FaultKind.CONNECT: "S3H-NET-05",
    FaultKind.BROKEN: "S3H-NET-05",
    FaultKind.STALL: "S3H-NET-08",
    FaultKind.TLS: "S3H-NET-06",
    FaultKind.REDIRECT: "S3H-NET-07",
    FaultKind.INTERCEPTED: "S3H-NET-09",
    FaultKind.CREDENTIALS: "S3H-CFG-05",
    FaultKind.LOCAL: "S3H-DST-08",
    FaultKind.PROTOCOL: "S3H-INT-03",
    FaultKind.CHECKSUM: "S3H-INT-01",
}
_CODES = {
    code: row
    for row, codes in {
        "S3H-STS-01": (
            *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken"),
            "TokenRefreshRequired",
        ),
        "S3H-STS-02": ("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
        "S3H-STS-12": ("RegionDisabledException",),
        "S3H-NET-01": ("SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidSignatureException"),
        "S3H-NET-02": (
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ),
        "S3H-S3-01": (
            *("NoSuchBucket", "NoSuchAccessPoint", "NoSuchMultiRegionAccessPoint"),
            "InvalidAccessPointAliasError",
        ),
        "S3H-S3-10": ("InvalidObjectState",),
        "S3H-S3-12": ("PreconditionFailed",),
        "S3H-S3-14": ("InvalidRange",),
        "S3H-S3-21": ("AllAccessDisabled", "AccountProblem", "NotSignedUp", "OptInRequired", "InvalidPayer"),
    }.items()
    for code in codes
}
_UNSHARED = re.compile(r"ciphertext refers to|no resource-based policies allow access", re.ASCII)
_NOT_PUBLIC = re.compile(r"because public access is (?:prevented|blocked|denied)", re.ASCII)


class _Response(NamedTuple):
    """One error response. `denial` is empty if the message does not follow the grammar;
    `words` are S3's own."""

    fault: Fault
    request: RequestKind
    denial: Denial
    words: str

    @property
    def of_role(self) -> bool:
        return self.request is RequestKind.ROLE

    @property
    def is_busy(self) -> bool:
        return is_throttling(self.fault) or self.fault.code in TRANSIENT or self.fault.status >= 500

    @property
    def is_unknown_request(self) -> bool:
        """Whether the server does not know such requests. A 405 for an object is that of a delete marker."""
        if self.of_role and self.fault.status == 404:
            return True  # STS has only one path
        if self.fault.status == 405 or self.fault.code == "MethodNotAllowed":
            return self.request is not RequestKind.OBJECT
        return self.fault.status in {501, 505} or self.fault.code == "NotImplemented"

    @property
    def kms_policy(self) -> str:
        """The kind of policy that does not allow use of the key, if AWS names it."""
        return self.denial.policy if about_kms(self.fault.message) else ""

    def says(self, *words: str) -> bool:
        return any(each in self.words for each in words)

    def refuses(self, *requests: RequestKind) -> bool:
        """A 403 whose code does not say more."""
        return self.fault.status == 403 and self.request in requests and self.fault.code not in _CODES


# In this order; `_CODES` is used if no row matches.
_ROWS: tuple[tuple[str, Callable[[_Response], object]], ...] = (
    ("S3H-STS-11", lambda it: it.of_role and it.says("role chaining")),
    ("S3H-STS-10", lambda it: it.of_role and it.says("MaxSessionDuration", "'durationSeconds'")),
    ("S3H-STS-09", lambda it: it.of_role and it.says("'externalId'")),
    ("S3H-STS-08", lambda it: it.of_role and it.says("MultiFactorAuthentication")),
    ("S3H-KMS-08", lambda it: is_throttling(it.fault) and is_from_kms(it.fault)),
    ("S3H-STS-15", lambda it: it.of_role and it.is_unknown_request),
    ("S3H-NET-05", lambda it: it.of_role and it.is_busy),
    ("S3H-S3-11", lambda it: is_throttling(it.fault)),
    ("S3H-S3-20", lambda it: it.is_unknown_request),
    ("S3H-S3-17", lambda it: it.is_busy),
    ("S3H-KMS-07", lambda it: it.fault.code.startswith("KMS.")),
    ("S3H-NET-03", lambda it: it.says("secure connection", "Signature Version 4")),
    ("S3H-S3-06", lambda it: it.says("x-amz-server-side-encryption")),
    ("S3H-KMS-10", lambda it: it.says("stored using a form of Server Side Encryption")),
    ("S3H-S3-22", lambda it: _NOT_PUBLIC.search(it.words)),
    ("S3H-KMS-03", lambda it: _UNSHARED.search(it.words)),
    ("S3H-KMS-04", lambda it: it.denial.explicit and it.kms_policy == "resource-based"),
    ("S3H-S3-08", lambda it: it.denial.guarded),
    ("S3H-KMS-02", lambda it: it.kms_policy == "resource-based"),
    ("S3H-KMS-01", lambda it: it.fault.status == 403 and about_kms(it.fault.message)),
    ("S3H-STS-04", lambda it: it.of_role and it.denial.policy == "identity-based"),
    ("S3H-STS-03", lambda it: it.refuses(RequestKind.ROLE)),
    ("S3H-STS-07", lambda it: it.of_role and it.fault.code not in _CODES),
    ("S3H-S3-05", lambda it: it.request is RequestKind.OBJECT and it.denial.action == "s3:ListBucket"),
    ("S3H-S3-04", lambda it: it.refuses(RequestKind.OBJECT)),
    ("S3H-S3-02", lambda it: it.refuses(RequestKind.LISTING, RequestKind.BUCKET)),
    ("S3H-S3-25", lambda it: it.refuses(RequestKind.VERSIONS)),
    ("S3H-S3-12", lambda it: it.fault.status == 412),
    ("S3H-S3-14", lambda it: it.fault.status == 416),
    ("S3H-NET-02", lambda it: 300 <= it.fault.status < 400),
    ("S3H-S3-01", lambda it: it.fault.code == "NoSuchBucket"),
    ("S3H-S3-01", lambda it: it.fault.status == 404 and it.request is RequestKind.BUCKET),
    ("S3H-S3-16", lambda it: it.fault.status == 404 and it.request is RequestKind.OBJECT),
)


def diagnosis_id(fault: Fault, request: RequestKind) -> str:
    """The id of the row for `fault`."""
    if fault.kind is FaultKind.REDIRECT and fault.code in _CODES:
        return _CODES[fault.code]
    if fault.kind is not FaultKind.HTTP:
        # If fetching credentials failed, the code of the fault is already an id.
        return fault.code if fault.code.startswith("S3H-") else _KINDS[fault.kind]
    message = fault.message
    response = _Response(fault, request, parse_denial(message) or Denial(""), own_words(message))
    row = next((row for row, matches in _ROWS if matches(response)), None)
    return row or _CODES.get(fault.code, UNKNOWN)
