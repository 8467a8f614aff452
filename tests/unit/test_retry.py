"""Every kind of fault has one action."""

import pytest

from s3haul.core.retry import (
    LONGEST_DELAY,
    RENEWALS,
    STRIKES,
    Move,
    RetryLimits,
    RetryState,
    decide,
    full_jitter_backoff,
)
from s3haul.diagnose.reasons import REASONS
from s3haul.errors import Fault, FaultKind

LIMITS = RetryLimits(attempts=5, timeout=60.0)
FIRST = RetryState(attempt=1, spent=0.0, integrity_failures=1)


def http(status, code, message=""):
    return Fault(FaultKind.HTTP, message, code=code, status=status)


KMS_TEXT = (
    "User: x is not authorized to perform: kms:Decrypt on the resource because no identity-based policy"
)
HTTP_TEXT = "Requests specifying Server Side Encryption with AWS KMS managed keys must be made over a secure connection."
READ = "User: x is not authorized to perform: s3:GetObject on resource: "
NOT_ALLOWED = " because no identity-based policy allows the s3:GetObject action"
# Names that contain what a cause is found by.
NAMES = [
    "ciphertext/1.bin",
    "kms:Decrypt",
    "over a secure connection",
    "Signature Version 4",
    "AWS KMS",
    'a" because no resource-based policy allows the kms:Decrypt action',
    'is not authorized to perform: kms:Decrypt on resource: "k',
    "a\nciphertext\n",
]
OLD_KMS_TEXT = "The ciphertext refers to a customer master key that does not exist"


@pytest.mark.parametrize(
    ("fault", "move", "reason"),
    [
        (http(503, "SlowDown", "Please reduce your request rate."), Move.WAIT, "throttled"),
        (http(503, "SlowDown", "... for operations involving AWS KMS."), Move.WAIT, "throttled"),
        (http(400, "KMS.ThrottlingException"), Move.WAIT, "throttled"),
        (http(429, ""), Move.WAIT, "throttled"),
        (http(500, "InternalError"), Move.RETRY, "server-error"),
        (http(502, ""), Move.RETRY, "server-error"),
        (http(501, "NotImplemented"), Move.FAIL, "request-refused"),
        (http(505, ""), Move.FAIL, "request-refused"),
        (http(400, "RequestTimeout"), Move.RETRY, "server-error"),
        (http(400, "ExpiredToken"), Move.RENEW, "credentials"),
        (http(400, "InvalidToken"), Move.RENEW, "credentials"),
        (http(403, "InvalidAccessKeyId"), Move.RENEW, "credentials"),
        (http(403, "SignatureDoesNotMatch"), Move.ABORT, "credentials"),
        (http(403, "RequestTimeTooSkewed"), Move.ABORT, "credentials"),
        (http(404, "NoSuchBucket"), Move.ABORT, "not-found"),
        (http(301, "PermanentRedirect"), Move.ABORT, "redirected"),
        (http(412, "PreconditionFailed"), Move.HEAD_AGAIN, "changed"),
        (http(416, "InvalidRange"), Move.HEAD_AGAIN, "changed"),
        (http(403, "InvalidObjectState"), Move.SKIP, "archived"),
        (http(403, "AccessDenied", "Access Denied"), Move.FAIL, "access-denied"),
        (http(403, "AccessDenied", KMS_TEXT), Move.FAIL, "kms-access-denied"),
        (http(403, "AccessDenied", OLD_KMS_TEXT), Move.FAIL, "kms-access-denied"),
        (http(400, "KMS.DisabledException"), Move.FAIL, "kms-key-unusable"),
        (http(400, "InvalidArgument", HTTP_TEXT), Move.FAIL, "insecure-request"),
        (http(404, "NoSuchKey"), Move.FAIL, "not-found"),
        (http(404, "404"), Move.FAIL, "not-found"),
        (http(400, "InvalidRequest"), Move.FAIL, "request-refused"),
        (Fault(FaultKind.CONNECT, "refused"), Move.RETRY, "network"),
        (Fault(FaultKind.BROKEN, "reset"), Move.RETRY, "network"),
        (Fault(FaultKind.STALL, "slow"), Move.RETRY, "stalled"),
        (Fault(FaultKind.PROTOCOL, "length"), Move.RETRY, "wrong-answer"),
        (Fault(FaultKind.CHECKSUM, "crc"), Move.RETRY, "checksum-mismatch"),
        (Fault(FaultKind.REDIRECT, "elsewhere"), Move.FAIL, "redirected"),
        (Fault(FaultKind.INTERCEPTED, "a page"), Move.FAIL, "intercepted"),
        (Fault(FaultKind.TLS, "name"), Move.ABORT, "network"),
        (Fault(FaultKind.LOCAL, "EMFILE"), Move.ABORT, "machine-limit"),
        (Fault(FaultKind.CREDENTIALS, "expired"), Move.ABORT, "credentials"),
    ],
)
def test_each_fault_has_its_action(fault, move, reason):
    action = decide(fault, FIRST, LIMITS, 0.5)
    assert (action.move, action.reason) == (move, reason)
    assert action.reason in REASONS


PASSING = [
    http(500, "InternalError"),
    http(503, "SlowDown"),
    Fault(FaultKind.BROKEN, "reset"),
    Fault(FaultKind.STALL, "slow"),
    Fault(FaultKind.CONNECT, "no such host"),
]
TIME_ALONE = RetryLimits(attempts=None, timeout=60.0)


@pytest.mark.parametrize("fault", PASSING)
def test_temporary_faults_are_retried_for_a_limited_time_with_any_number_of_attempts(fault):
    patient = RetryState(attempt=400, without_success=59.0)
    assert decide(fault, patient, TIME_ALONE, 0.5).move in {Move.RETRY, Move.WAIT}
    assert decide(fault, patient._replace(without_success=60.0), TIME_ALONE, 0.5).move is Move.ABORT


@pytest.mark.parametrize("fault", PASSING)
def test_a_configured_number_of_attempts_is_the_limit(fault):
    assert decide(fault, RetryState(attempt=4), LIMITS, 0.5).move in {Move.RETRY, Move.WAIT}
    assert decide(fault, RetryState(attempt=5), LIMITS, 0.5).move is Move.FAIL


@pytest.mark.parametrize("fault", PASSING)
def test_an_object_that_never_succeeds_while_others_do_fails_in_the_end(fault):
    assert decide(fault, RetryState(attempt=9, spent=60.0), TIME_ALONE, 0.5).move is Move.FAIL


def test_an_object_that_fails_again_and_again_beside_others_fails_but_a_throttled_one_waits():
    unlucky = RetryState(attempt=11, strikes=STRIKES)
    assert decide(http(500, "InternalError"), unlucky, TIME_ALONE, 0.5).move is Move.FAIL
    assert decide(Fault(FaultKind.BROKEN, "reset"), unlucky, TIME_ALONE, 0.5).move is Move.FAIL
    assert decide(http(503, "SlowDown"), unlucky, TIME_ALONE, 0.5).move is Move.WAIT


def test_after_three_wrong_checksums_the_object_fails():
    state = RetryState(attempt=3, integrity_failures=3)
    assert decide(Fault(FaultKind.CHECKSUM, "crc"), state, TIME_ALONE, 0.5).move is Move.FAIL


def test_credentials_that_stay_bad_end_the_run():
    assert (
        decide(http(400, "ExpiredToken"), RetryState(attempt=4, renewals=RENEWALS), LIMITS, 0).move
        is Move.ABORT
    )


def test_the_server_may_request_a_longer_wait_up_to_a_limit():
    polite = Fault(FaultKind.HTTP, "", code="SlowDown", status=503, retry_after=5.0)
    rude = Fault(FaultKind.HTTP, "", code="SlowDown", status=503, retry_after=86400.0)
    assert decide(polite, FIRST, LIMITS, 0.0).delay == 5.0
    assert decide(rude, FIRST, LIMITS, 0.0).delay == 60.0


def test_backoff_is_full_jitter_under_a_doubling_bound():
    assert full_jitter_backoff(1, 0.0) == 0.0
    assert full_jitter_backoff(1, 0.5) * 2 == full_jitter_backoff(2, 0.5)
    assert full_jitter_backoff(1000, 0.999) < LONGEST_DELAY


def test_attempts_during_an_outage_do_not_increase_later_delays():
    fresh, tried = RetryState(attempt=2), RetryState(attempt=102, outage_attempts=100)
    fault = http(500, "InternalError")
    assert decide(fault, tried, TIME_ALONE, 0.5).delay == decide(fault, fresh, TIME_ALONE, 0.5).delay


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("resource", ['"arn:aws:s3:::b/{}"', '"arn:aws:s3:::{}/k"', "arn:aws:s3:::b/{}"])
def test_the_name_of_an_object_is_no_reason(name, resource):
    message = f"{READ}{resource.format(name)}{NOT_ALLOWED}"
    assert decide(http(403, "AccessDenied", message), FIRST, LIMITS, 0.5).reason == "access-denied"


@pytest.mark.parametrize("name", ["ciphertext", "kms:x", "AWSKMS-ciphertext"])
def test_the_names_of_roles_and_policies_are_no_reason(name):
    role = f"arn:aws:sts::111111111111:assumed-role/{name}/me"
    policy = f"arn:aws:iam::111111111111:policy/{name} ({name} secure connection)"
    message = (
        f'User: {role} is not authorized to perform: s3:GetObject on resource: "r"{NOT_ALLOWED}: {policy}'
    )
    assert decide(http(403, "AccessDenied", message), FIRST, LIMITS, 0.5).reason == "access-denied"
