"""Finds the row of the diagnosis table for one failed request: the first rule that matches. Pure.

Codes are examined first; messages are used only if a code has several causes. `parse_denial` parses AWS's "not
authorized" messages: the action, the resource, and the kind of policy that denies. AWS names only one kind of policy,
even if several deny. Since January 2026 the message may end with the ARN of that policy, followed by its name in
parentheses.

Sources: STS and S3 API references, IAM User Guide "Troubleshoot access denied error messages", and recorded responses.
`causes` combines several requests.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from s3haul.core.retry import TRANSIENT, about_kms, is_throttling
from s3haul.errors import Fault, FaultKind

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
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), "S3H-STS-02"),
    **dict.fromkeys(
        (
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidAccessKeyId",
            "InvalidToken",
            "TokenRefreshRequired",
        ),
        "S3H-STS-01",
    ),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "RequestTimeTooSkewed", "InvalidSignatureException"), "S3H-NET-01"
    ),
    "RegionDisabledException": "S3H-STS-12",
    **dict.fromkeys(
        (
            *("NoSuchBucket", "NoSuchAccessPoint", "NoSuchMultiRegionAccessPoint"),
            "InvalidAccessPointAliasError",
        ),
        "S3H-S3-01",
    ),
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        "S3H-NET-02",
    ),
    "InvalidObjectState": "S3H-S3-10",
    **dict.fromkeys(
        ("AllAccessDisabled", "AccountProblem", "NotSignedUp", "OptInRequired", "InvalidPayer"), "S3H-S3-21"
    ),
    "PreconditionFailed": "S3H-S3-12",
    "InvalidRange": "S3H-S3-14",
}
_UNSHARED = re.compile(r"ciphertext refers to|no resource-based policies allow access", re.ASCII)
_NOT_PUBLIC = re.compile(r"because public access is (?:prevented|blocked|denied)", re.ASCII)

Matcher = Callable[[Fault, RequestKind, Denial | None], bool]


def diagnosis_id(fault: Fault, request: RequestKind) -> str:
    """The id of the row for `fault`."""
    if fault.kind is FaultKind.REDIRECT and fault.code in _CODES:
        return _CODES[fault.code]
    if fault.kind is not FaultKind.HTTP:
        # If fetching credentials failed, the code of the fault is already an id.
        return fault.code if fault.code.startswith("S3H-") else _KINDS[fault.kind]
    denial = parse_denial(fault.message)
    for row, matches in _ROWS:
        if matches(fault, request, denial):
            return row
    return _CODES.get(fault.code, UNKNOWN)


def _says(words: str, *, request: RequestKind | None = None) -> Matcher:
    return lambda fault, what, _denial: words in fault.message and request in {None, what}


def _refused(request: RequestKind) -> Matcher:
    return lambda fault, what, _denial: fault.status == 403 and what is request and fault.code not in _CODES


def _kms(test: Callable[[Denial], bool]) -> Matcher:
    return lambda fault, _request, denial: about_kms(fault.message) and denial is not None and test(denial)


def _busy(fault: Fault) -> bool:
    return is_throttling(fault) or fault.code in TRANSIENT or fault.status >= 500


def _is_unknown(fault: Fault, request: RequestKind) -> bool:
    """Whether the server does not know such requests. A 405 for an object is that of a delete marker."""
    if request is RequestKind.ROLE and fault.status == 404:
        return True  # STS has only one path
    if fault.status == 405 or fault.code == "MethodNotAllowed":
        return request is not RequestKind.OBJECT
    return fault.status in {501, 505} or fault.code == "NotImplemented"


# In this order; `_CODES` is used if no row matches.
_ROWS: tuple[tuple[str, Matcher], ...] = (
    ("S3H-STS-11", _says("role chaining", request=RequestKind.ROLE)),
    ("S3H-STS-10", _says("MaxSessionDuration", request=RequestKind.ROLE)),
    ("S3H-STS-10", _says("'durationSeconds'", request=RequestKind.ROLE)),
    ("S3H-STS-09", _says("'externalId'", request=RequestKind.ROLE)),
    ("S3H-STS-08", _says("MultiFactorAuthentication", request=RequestKind.ROLE)),
    ("S3H-KMS-08", lambda fault, _request, _denial: is_throttling(fault) and about_kms(fault.message)),
    ("S3H-KMS-08", lambda fault, _request, _denial: is_throttling(fault) and fault.code.startswith("KMS.")),
    (
        "S3H-STS-15",
        lambda fault, request, _denial: request is RequestKind.ROLE and _is_unknown(fault, request),
    ),
    ("S3H-NET-05", lambda fault, request, _denial: request is RequestKind.ROLE and _busy(fault)),
    ("S3H-S3-11", lambda fault, _request, _denial: is_throttling(fault)),
    ("S3H-S3-20", lambda fault, request, _denial: _is_unknown(fault, request)),
    ("S3H-S3-17", lambda fault, _request, _denial: _busy(fault)),
    ("S3H-KMS-07", lambda fault, _request, _denial: fault.code.startswith("KMS.")),
    ("S3H-NET-03", _says("secure connection")),
    ("S3H-NET-03", _says("Signature Version 4")),
    ("S3H-S3-06", _says("x-amz-server-side-encryption")),
    ("S3H-KMS-10", _says("stored using a form of Server Side Encryption")),
    ("S3H-S3-22", lambda fault, _request, _denial: _NOT_PUBLIC.search(fault.message) is not None),
    ("S3H-KMS-03", lambda fault, _request, _denial: _UNSHARED.search(fault.message) is not None),
    ("S3H-KMS-04", _kms(lambda denial: denial.explicit and denial.policy == "resource-based")),
    ("S3H-S3-08", lambda _fault, _request, denial: denial is not None and denial.guarded),
    ("S3H-KMS-02", _kms(lambda denial: denial.policy == "resource-based")),
    ("S3H-KMS-01", lambda fault, _request, _denial: fault.status == 403 and about_kms(fault.message)),
    (
        "S3H-STS-04",
        lambda _fault, request, denial: (
            request is RequestKind.ROLE and denial is not None and denial.policy == "identity-based"
        ),
    ),
    ("S3H-STS-03", _refused(RequestKind.ROLE)),
    ("S3H-STS-07", lambda fault, request, _denial: request is RequestKind.ROLE and fault.code not in _CODES),
    (
        "S3H-S3-05",
        lambda _fault, request, denial: (
            request is RequestKind.OBJECT and denial is not None and denial.action == "s3:ListBucket"
        ),
    ),
    ("S3H-S3-04", _refused(RequestKind.OBJECT)),
    ("S3H-S3-02", _refused(RequestKind.LISTING)),
    ("S3H-S3-02", _refused(RequestKind.BUCKET)),
    ("S3H-S3-25", _refused(RequestKind.VERSIONS)),
    ("S3H-S3-12", lambda fault, _request, _denial: fault.status == 412),
    ("S3H-S3-14", lambda fault, _request, _denial: fault.status == 416),
    ("S3H-NET-02", lambda fault, _request, _denial: 300 <= fault.status < 400),
    ("S3H-S3-01", lambda fault, _request, _denial: fault.code == "NoSuchBucket"),
    ("S3H-S3-01", lambda fault, request, _denial: fault.status == 404 and request is RequestKind.BUCKET),
    ("S3H-S3-16", lambda fault, request, _denial: fault.status == 404 and request is RequestKind.OBJECT),
)
