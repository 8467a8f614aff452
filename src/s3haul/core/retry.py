"""What to do about one failed request: `decide` is a table from kind, code and status to an action.

Pure: the attempt number, the time spent and the random number come in; an `Action` comes out.
`store.retrying` is the one owner of retries for objects and pages; the SDK's own are off. Codes: S3 API
reference "Error responses"; the KMS texts are those that S3 passes through.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from s3haul.errors import Fault, FaultKind

BASE_DELAY = 0.2
LONGEST_DELAY = 20.0
INTEGRITY_TRIES = 3
RENEWALS = 1000  # only against an endless loop: the credentials slow renewals down, and give up long before
STRIKES = 10
MAX_RETRY_AFTER = 60.0
_TOKEN = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"}
)
_OF_REQUEST = frozenset(
    {FaultKind.HTTP, FaultKind.PROTOCOL, FaultKind.CONNECT, FaultKind.BROKEN, FaultKind.STALL}
)
THROTTLE = frozenset(
    {
        "SlowDown",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "BandwidthLimitExceeded",
        "KMS.ThrottlingException",
        "KMS.LimitExceededException",
    }
)
TRANSIENT = frozenset(
    {
        "InternalError",
        "RequestTimeout",
        "RequestTimeoutException",
        "OperationAborted",
        "KMS.KeyUnavailableException",
        "KMS.KMSInternalException",
        "KMS.DependencyTimeoutException",
        "KMS.InternalException",
    }
)
_PERMANENT = frozenset({501, 505})  # what is not implemented will not be
_ABORT = {
    "SignatureDoesNotMatch": "credentials",
    "RequestTimeTooSkewed": "credentials",
    "AccountProblem": "access-denied",
    "NoSuchBucket": "not-found",
    "PermanentRedirect": "redirected",
    "AuthorizationHeaderMalformed": "redirected",
    "IllegalLocationConstraintException": "redirected",
}
# What a message names: a key may contain any text, quotes and line breaks too.
_RESOURCE = re.compile(
    r"\bresource:? (?:\".*\"|arn:.*(?= because no | with an explicit deny )|arn:.*)", re.DOTALL
)
_ARN = re.compile(r"\barn:\S+(?: \([^()]*\))?")  # perhaps followed by the name of the policy


class Move(Enum):
    """What happens next to the object (or page) whose request failed."""

    RETRY = auto()  # again, after `delay`
    WAIT = auto()  # again, after `delay`, and with fewer requests at a time for everybody
    RENEW = auto()  # again with renewed credentials
    HEAD_AGAIN = auto()  # the object changed: send a HEAD, then fetch the new version
    SKIP = auto()  # final: skipped for `reason`
    FAIL = auto()  # final: failed for `reason`
    ABORT = auto()  # the run cannot go on


class Action(NamedTuple):
    """`reason` is a slug of `diagnose.reasons`; `delay` is in seconds."""

    move: Move
    reason: str
    delay: float = 0.0


_FINAL = {
    FaultKind.REDIRECT: Action(Move.FAIL, "redirected"),
    FaultKind.INTERCEPTED: Action(Move.FAIL, "intercepted"),
    FaultKind.TLS: Action(Move.ABORT, "network"),
    FaultKind.CREDENTIALS: Action(Move.ABORT, "credentials"),
    FaultKind.LOCAL: Action(Move.ABORT, "machine-limit"),
}


class RetryState(NamedTuple):
    """What one object or page has cost so far, in requests and seconds. `attempt` counts from 1.

    While others were served, `spent` seconds were waited, and `strikes` attempts failed. Nobody has been
    served for the seconds `without_success`; `outage_attempts` were made in an outage. `trusted`: the
    credentials were good for another request.
    """

    attempt: int
    spent: float = 0.0
    renewals: int = 0
    integrity_failures: int = 0
    strikes: int = 0
    without_success: float = 0.0
    outage_attempts: int = 0
    trusted: bool = False


class RetryLimits(NamedTuple):
    """The run ends after `timeout` seconds without any success.
    `attempts` is the user's own limit for each request."""

    attempts: int | None
    timeout: float


def decide(fault: Fault, state: RetryState, limits: RetryLimits, jitter: float) -> Action:
    """The action for `fault`; `jitter` is uniform in [0, 1) and spreads the delay from zero up."""
    match fault.kind:
        case FaultKind.HTTP:
            return _decide_http(fault, state, limits, jitter)
        case FaultKind.CONNECT:
            return _within_limits(Action(Move.RETRY, "network", _delay(fault, state, jitter)), state, limits)
        case FaultKind.BROKEN:
            return _retry("network", fault, state, limits, jitter)
        case FaultKind.STALL:
            return _retry("stalled", fault, state, limits, jitter)
        case FaultKind.PROTOCOL:
            return _retry_integrity("wrong-answer", state, jitter)
        case FaultKind.CHECKSUM:
            return _retry_integrity("checksum-mismatch", state, jitter)
        case _:
            return _FINAL[fault.kind]


def _decide_http(fault: Fault, state: RetryState, limits: RetryLimits, jitter: float) -> Action:
    code, status = fault.code, fault.status
    if is_of_session(fault):
        return Action(Move.RENEW if state.renewals < RENEWALS else Move.ABORT, "credentials")
    if code == "SignatureDoesNotMatch" and state.trusted:  # by a proxy that rewrites this one key
        return Action(Move.FAIL, "signature-refused")
    if code in _ABORT:
        return Action(Move.ABORT, _ABORT[code])
    if is_throttling(fault):
        return _within_limits(Action(Move.WAIT, "throttled", _delay(fault, state, jitter)), state, limits)
    if code in TRANSIENT or status == 408 or (status >= 500 and status not in _PERMANENT):
        return _retry("server-error", fault, state, limits, jitter)
    if status in {412, 416}:
        return Action(Move.HEAD_AGAIN, "changed")
    if code == "InvalidObjectState":
        return Action(Move.SKIP, "archived")
    return Action(Move.FAIL, _final_reason(fault))


def _final_reason(fault: Fault) -> str:
    if fault.code.startswith("KMS."):
        return "kms-key-unusable"
    words = own_words(fault.message)
    if "secure connection" in words or "Signature Version 4" in words:
        return "insecure-request"
    if fault.status == 404 or fault.code in {"NoSuchKey", "NoSuchVersion"}:
        return "not-found"
    if fault.status == 403:
        return "kms-access-denied" if about_kms(fault.message) else "access-denied"
    return "request-refused"


def is_throttling(fault: Fault) -> bool:
    """Whether the rate of requests was too high."""
    return fault.code in THROTTLE or fault.status in {429, 503}


def is_of_session(fault: Fault) -> bool:
    """Whether a refusal concerns the session: another one may be good."""
    return fault.code in _TOKEN


def is_of_run(fault: Fault) -> bool:
    """Whether a failure concerns the clock, the bucket or this machine, and so every object alike."""
    return fault.code in _ABORT or fault.kind not in _OF_REQUEST


def is_from_kms(fault: Fault) -> bool:
    """Whether throttling comes from KMS, whose quota is not the bucket's."""
    return fault.code.startswith("KMS.") or about_kms(fault.message)


def about_kms(message: str) -> bool:
    """Whether S3's sentence speaks of the key rather than of the object."""
    words = own_words(message)
    return "kms:" in words or "ciphertext" in words.lower() or "AWS KMS" in words


def own_words(message: str) -> str:
    """S3's message without the resource, ARNs and names in it, which others chose.
    A cause is only found by these words."""
    return _ARN.sub("", _RESOURCE.sub("resource", message))


def _retry(reason: str, fault: Fault, state: RetryState, limits: RetryLimits, jitter: float) -> Action:
    """Trouble that can be the object's own: it ends when others are served again and again meanwhile."""
    if state.strikes >= STRIKES:
        return Action(Move.FAIL, reason)
    return _within_limits(Action(Move.RETRY, reason, _delay(fault, state, jitter)), state, limits)


def _retry_integrity(reason: str, state: RetryState, jitter: float) -> Action:
    if state.integrity_failures >= INTEGRITY_TRIES:
        return Action(Move.FAIL, reason)
    return Action(Move.RETRY, reason, full_jitter_backoff(state.integrity_failures, jitter))


def _within_limits(again: Action, state: RetryState, limits: RetryLimits) -> Action:
    """`again`, as long as the limits allow it."""
    if limits.attempts is not None and state.attempt >= limits.attempts:
        return Action(Move.FAIL, again.reason)
    if state.without_success >= limits.timeout:
        return Action(Move.ABORT, again.reason)
    if state.spent >= limits.timeout:
        return Action(Move.FAIL, again.reason)
    return again


def _delay(fault: Fault, state: RetryState, jitter: float) -> float:
    demanded = min(fault.retry_after or 0.0, MAX_RETRY_AFTER)
    return max(demanded, full_jitter_backoff(max(1, state.attempt - state.outage_attempts), jitter))


def full_jitter_backoff(attempt: int, jitter: float) -> float:
    """Seconds to wait: uniform between zero and a bound that doubles with every attempt."""
    return jitter * min(LONGEST_DELAY, BASE_DELAY * 2.0 ** min(attempt, 10))
