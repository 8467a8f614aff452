"""A fault that ends the run is mapped to an error with the right class, id and hint."""

import pytest

from s3haul.diagnose.reasons import REASONS, listing_of, reading_of, run_error
from s3haul.errors import (
    AccessError,
    CredentialsError,
    DestinationError,
    Fault,
    FaultKind,
    RedirectRefusedError,
    SourceError,
    TlsError,
)

KMS = "User: x is not authorized to perform: kms:Decrypt on resource: y because no identity-based policy allows it"


def http(status, code, message="said", **more):
    return Fault(FaultKind.HTTP, message, code=code, status=status, **more)


@pytest.mark.parametrize(
    ("fault", "kind", "id_", "words"),
    [
        (http(404, "NoSuchBucket"), SourceError, "S3H-S3-01", "does not exist"),
        (http(403, "RequestTimeTooSkewed", skew=-1200.0), AccessError, "S3H-NET-01", "wrong by 20 min"),
        (http(403, "SignatureDoesNotMatch"), AccessError, "S3H-NET-01", "signature"),
        (http(400, "ExpiredToken"), CredentialsError, "S3H-STS-02", "expired"),
        (http(403, "InvalidAccessKeyId"), CredentialsError, "S3H-STS-01", "unknown"),
        (http(301, "PermanentRedirect", region="eu-west-1"), SourceError, "S3H-NET-02", "eu-west-1"),
        (http(400, "AuthorizationHeaderMalformed"), SourceError, "S3H-NET-02", "another region"),
        (http(403, "AccessDenied", region="us-east-1"), AccessError, "S3H-S3-02", "s3:ListBucket"),
        (http(403, "AccessDenied", KMS), AccessError, "S3H-KMS-01", "kms:Decrypt"),
        (http(500, "InternalError"), SourceError, "S3H-S3-17", "failed"),
        (http(501, "NotImplemented"), SourceError, "S3H-S3-20", "does not know"),
        (http(405, "MethodNotAllowed"), SourceError, "S3H-S3-20", "does not know"),
        (http(403, "AllAccessDisabled"), SourceError, "S3H-S3-21", "closed by AWS"),
        (http(403, "AccountProblem"), SourceError, "S3H-S3-21", "closed by AWS"),
        (http(503, "SlowDown"), SourceError, "S3H-S3-11", ": S3 throttles requests"),
        (Fault(FaultKind.TLS, "x"), TlsError, "S3H-NET-06", "certificate"),
        (
            Fault(FaultKind.REDIRECT, "x", region="eu-west-1", status=307),
            RedirectRefusedError,
            "S3H-NET-07",
            "eu-west-1",
        ),
        (Fault(FaultKind.CREDENTIALS, "x"), CredentialsError, "S3H-CFG-05", "credentials"),
        (Fault(FaultKind.LOCAL, "x"), DestinationError, "S3H-DST-08", "descriptors"),
        (Fault(FaultKind.CONNECT, "x"), SourceError, "S3H-NET-05", "reached"),
        (Fault(FaultKind.STALL, "x"), SourceError, "S3H-NET-08", "too long"),
    ],
)
def test_each_fault_is_named(fault, kind, id_, words):
    error = run_error(fault, listing_of("s3://bucket/"))
    assert (type(error), error.id) == (kind, id_)
    assert words in error.message
    assert "s3://bucket/" in error.message
    assert error.hint


def test_a_refused_read_is_about_getobject():
    error = run_error(http(403, "AccessDenied"), reading_of("s3://bucket/"))
    assert (error.id, error.exit_code) == ("S3H-S3-04", 4)
    assert "s3:GetObject" in error.message


def test_the_policy_that_aws_names_is_in_the_hint():
    arn = "arn:aws:organizations::3:policy/o-1/resource_control_policy/p-1"
    said = f'User: x is not authorized to perform: s3:ListBucket on resource: "b" with an explicit deny in a resource control policy: {arn}'
    error = run_error(http(403, "AccessDenied", said), listing_of("s3://bucket/"))
    assert error.id == "S3H-S3-08"
    assert arn in error.hint


def test_the_kind_of_request_decides_and_not_the_bucket_name():
    assert run_error(http(403, "AccessDenied"), reading_of("s3://list/list")).id == "S3H-S3-04"


def test_the_hint_names_the_bucket_the_principal_and_the_key_instead_of_placeholders():
    session = "arn:aws:sts::111111111111:assumed-role/export/me"
    key = "arn:aws:kms:us-east-1:111111111111:key/k"
    said = f"User: {session} is not authorized to perform: kms:Decrypt on resource: {key} because no identity-based policy allows the kms:Decrypt action"
    assert run_error(http(403, "AccessDenied", said), reading_of("s3://data/x/")).hint.startswith(
        f"Allow kms:Decrypt on {key},"
    )
    public = f"User: {session} is not authorized to perform: s3:GetObject because public access is blocked"
    assert (
        "arn:aws:iam::111111111111:role/export"
        in run_error(http(403, "AccessDenied", public), reading_of("s3://data/x/")).hint
    )
    assert "arn:aws:s3:::data," in run_error(http(403, "AccessDenied"), listing_of("s3://data/x/")).hint


def test_the_hint_names_the_arn_of_an_access_point_and_that_of_its_objects():
    point = "arn:aws:s3:eu-west-1:111111111111:accesspoint/p"
    assert f"{point}/object/*" in run_error(http(403, "AccessDenied"), reading_of(f"s3://{point}/x/")).hint
    assert (
        f"bucket, {point}, not" in run_error(http(403, "AccessDenied"), listing_of(f"s3://{point}/x/")).hint
    )


def test_the_fix_of_a_reason_names_bucket_and_key():
    assert "arn:aws:s3:::data/*" in REASONS["access-denied"].fix_for("s3://data/x/", "")
    key = "arn:aws:kms:us-east-1:111111111111:key/k"
    assert f"Enable {key} " in REASONS["kms-key-unusable"].fix_for("s3://data/", f"{key} is disabled.")
