"""The diagnosis row of one failed request."""

import pytest

from s3haul.diagnose.symptoms import RequestKind, diagnosis_id, names_in
from s3haul.diagnose.table import DIAGNOSES, fill_placeholders
from s3haul.errors import Fault, FaultKind

WHO = "User: x is not authorized to perform:"
KMS = f"{WHO} kms:Decrypt on the resource associated with this ciphertext"


def http(status, code, message=""):
    return Fault(FaultKind.HTTP, message, code=code, status=status)


def denied(message="Access Denied"):
    return http(403, "AccessDenied", message)


SCP = "arn:aws:organizations::1:policy/o-1/service_control_policy/p-1"


TABLE = [
    (RequestKind.ROLE, http(403, "ExpiredToken"), "S3H-STS-02"),
    (RequestKind.ROLE, http(403, "InvalidClientTokenId"), "S3H-STS-01"),
    (RequestKind.ROLE, http(403, "SignatureDoesNotMatch"), "S3H-NET-01"),
    (RequestKind.ROLE, http(403, "RegionDisabledException"), "S3H-STS-12"),
    (
        RequestKind.ROLE,
        http(400, "ValidationError", "the 1 hour session limit … role chaining."),
        "S3H-STS-11",
    ),
    (RequestKind.ROLE, http(400, "ValidationError", "exceeds the MaxSessionDuration set"), "S3H-STS-10"),
    (RequestKind.ROLE, http(400, "ValidationError", "'5' at 'durationSeconds' failed"), "S3H-STS-10"),
    (RequestKind.ROLE, http(400, "ValidationError", "'x' at 'externalId' failed"), "S3H-STS-09"),
    (RequestKind.ROLE, http(400, "ValidationError", "'x' at 'roleArn' failed"), "S3H-STS-07"),
    (RequestKind.ROLE, denied("MultiFactorAuthentication failed with invalid code"), "S3H-STS-08"),
    (RequestKind.ROLE, denied(f"{WHO} sts:AssumeRole on resource: arn:aws:iam::1:role/r"), "S3H-STS-03"),
    (
        RequestKind.ROLE,
        denied(
            f"{WHO} sts:AssumeRole on resource: r because no identity-based policy allows the sts:AssumeRole action"
        ),
        "S3H-STS-04",
    ),
    (
        RequestKind.ROLE,
        denied(
            f"{WHO} sts:AssumeRole on resource: arn:aws:iam::1:role/r with an explicit deny in a service control policy"
        ),
        "S3H-S3-08",
    ),
    (RequestKind.ROLE, http(503, "ServiceUnavailable"), "S3H-NET-05"),
    (RequestKind.BUCKET, http(404, "404"), "S3H-S3-01"),
    (RequestKind.BUCKET, http(301, "301"), "S3H-NET-02"),
    (RequestKind.BUCKET, denied(), "S3H-S3-02"),
    (RequestKind.LISTING, http(404, "NoSuchBucket"), "S3H-S3-01"),
    (RequestKind.LISTING, http(400, "AuthorizationHeaderMalformed"), "S3H-NET-02"),
    (RequestKind.LISTING, denied(), "S3H-S3-02"),
    (RequestKind.VERSIONS, denied(), "S3H-S3-25"),
    (RequestKind.LISTING, http(503, "SlowDown"), "S3H-S3-11"),
    (RequestKind.LISTING, http(500, "InternalError"), "S3H-S3-17"),
    (RequestKind.OBJECT, denied(), "S3H-S3-04"),
    (RequestKind.OBJECT, http(404, "NoSuchKey"), "S3H-S3-16"),
    (
        RequestKind.OBJECT,
        denied(
            f'{WHO} s3:ListBucket on resource: "arn:aws:s3:::b" because no identity-based policy allows the '
            "s3:ListBucket action"
        ),
        "S3H-S3-05",
    ),
    (RequestKind.OBJECT, http(403, "InvalidObjectState"), "S3H-S3-10"),
    (RequestKind.OBJECT, http(412, "PreconditionFailed"), "S3H-S3-12"),
    (RequestKind.OBJECT, http(416, "InvalidRange"), "S3H-S3-14"),
    (RequestKind.OBJECT, http(503, "SlowDown", "… for operations involving AWS KMS."), "S3H-KMS-08"),
    (RequestKind.OBJECT, http(400, "KMS.ThrottlingException"), "S3H-KMS-08"),
    (RequestKind.OBJECT, http(400, "KMS.DisabledException"), "S3H-KMS-07"),
    (RequestKind.OBJECT, http(400, "KMS.NotFoundException"), "S3H-KMS-07"),
    (RequestKind.OBJECT, http(400, "InvalidArgument", "… require AWS Signature Version 4."), "S3H-NET-03"),
    (RequestKind.OBJECT, http(400, "InvalidArgument", "… over a secure connection."), "S3H-NET-03"),
    (RequestKind.OBJECT, http(400, "InvalidArgument", "x-amz-server-side-encryption …"), "S3H-S3-06"),
    (
        RequestKind.OBJECT,
        denied(f"{KMS} because no identity-based policy allows the kms:Decrypt action"),
        "S3H-KMS-01",
    ),
    (
        RequestKind.OBJECT,
        denied(f"{KMS} because no resource-based policy allows the kms:Decrypt action"),
        "S3H-KMS-02",
    ),
    (
        RequestKind.OBJECT,
        denied("The ciphertext refers to a customer master key that does not exist, …"),
        "S3H-KMS-03",
    ),
    (
        RequestKind.OBJECT,
        denied(f"{KMS} because … no resource-based policies allow access, or …"),
        "S3H-KMS-03",
    ),
    (RequestKind.OBJECT, denied(f"{KMS} with an explicit deny in a resource-based policy"), "S3H-KMS-04"),
    (RequestKind.OBJECT, denied(f"{KMS} with an explicit deny in a service control policy"), "S3H-S3-08"),
    (
        RequestKind.OBJECT,
        denied(f"{KMS} with an explicit deny in a service control policy: {SCP} (name)"),
        "S3H-S3-08",
    ),
    (
        RequestKind.OBJECT,
        denied(f"{KMS} because no identity-based policy allows the kms:Decrypt action: {SCP}"),
        "S3H-KMS-01",
    ),
    (
        RequestKind.OBJECT,
        denied(
            f'{WHO} s3:GetObject on resource: "r" with an explicit deny in a resource control policy: {SCP}'
        ),
        "S3H-S3-08",
    ),
    (
        RequestKind.LISTING,
        denied(
            f'{WHO} s3:ListBucket on resource: "r" because no permissions boundary allows the s3:ListBucket action: {SCP}'
        ),
        "S3H-S3-08",
    ),
    (
        RequestKind.ROLE,
        denied(
            f"{WHO} sts:AssumeRole on resource: arn:aws:iam::1:role/r with an explicit deny in a session policy: {SCP}"
        ),
        "S3H-S3-08",
    ),
    (
        RequestKind.ROLE,
        denied(
            f"{WHO} sts:AssumeRole on resource: arn:aws:iam::1:role/r because no identity-based policy allows the sts:AssumeRole action: {SCP}"
        ),
        "S3H-STS-04",
    ),
    *(
        (RequestKind.LISTING, http(404, code), "S3H-S3-01")
        for code in ("NoSuchBucket", "NoSuchAccessPoint", "NoSuchMultiRegionAccessPoint")
    ),
    (
        RequestKind.OBJECT,
        http(
            400,
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct …",
        ),
        "S3H-KMS-10",
    ),
    (
        RequestKind.OBJECT,
        denied(f"{WHO} s3:GetObject on resource: x because public access is prevented by the … setting"),
        "S3H-S3-22",
    ),
    (RequestKind.LISTING, denied(f"{WHO} s3:ListBucket because public access is blocked by …"), "S3H-S3-22"),
    (RequestKind.LISTING, http(501, "NotImplemented"), "S3H-S3-20"),
    (RequestKind.LISTING, http(405, "MethodNotAllowed"), "S3H-S3-20"),
    (RequestKind.OBJECT, http(405, "MethodNotAllowed"), "S3H-S3-18"),
    (RequestKind.ROLE, http(404, "NoSuchBucket"), "S3H-STS-15"),
    (RequestKind.OBJECT, http(400, "SomethingNew"), "S3H-S3-18"),
    (RequestKind.OBJECT, Fault(FaultKind.REDIRECT, "x", status=307), "S3H-NET-07"),
    (RequestKind.BUCKET, Fault(FaultKind.REDIRECT, "x", code="PermanentRedirect", status=301), "S3H-NET-02"),
    (RequestKind.OBJECT, Fault(FaultKind.TLS, "x"), "S3H-NET-06"),
    (RequestKind.OBJECT, Fault(FaultKind.CREDENTIALS, "x", code="S3H-STS-08"), "S3H-STS-08"),
    (RequestKind.OBJECT, Fault(FaultKind.CREDENTIALS, "x"), "S3H-CFG-05"),
]


@pytest.mark.parametrize(("asked", "fault", "row"), TABLE, ids=lambda value: str(value)[:40])
def test_each_refusal_has_its_row(asked, fault, row):
    assert diagnosis_id(fault, asked) == row


# What the rows that match on the message look for.
WORDS = [
    "secure connection",
    "Signature Version 4",
    "x-amz-server-side-encryption",
    "stored using a form of Server Side Encryption",
    "because public access is blocked",
    "ciphertext refers to",
    "no resource-based policies allow access",
    "kms:Decrypt on the resource associated with this ciphertext",
    "AWS KMS",
    'b" with an explicit deny in a service control policy',
    'b" is not authorized to perform: kms:Decrypt on resource: "k',
    'b" is not authorized to perform: s3:ListBucket on resource: "k',
]
OF_ROLES = [
    "role chaining",
    "MaxSessionDuration",
    "'durationSeconds'",
    "'externalId'",
    "MultiFactorAuthentication",
]
WHY = "because no identity-based policy allows the x:Y action"


@pytest.mark.parametrize("words", WORDS)
def test_a_key_that_contains_the_words_of_a_row_does_not_lead_there(words):
    message = f'{WHO} s3:GetObject on resource: "arn:aws:s3:::b/{words}\n" {WHY}'
    assert diagnosis_id(denied(message), RequestKind.OBJECT) == "S3H-S3-04"
    assert diagnosis_id(http(503, "SlowDown", message), RequestKind.OBJECT) == "S3H-S3-11"
    bucket = f'{WHO} s3:ListBucket on resource: "arn:aws:s3:::{words}" {WHY}'
    assert diagnosis_id(denied(bucket), RequestKind.LISTING) == "S3H-S3-02"


@pytest.mark.parametrize("words", OF_ROLES)
def test_a_role_that_contains_the_words_of_a_row_does_not_lead_there(words):
    message = f"{WHO} sts:AssumeRole on resource: arn:aws:iam::1:role/{words.replace(' ', '-')}/{words}"
    assert diagnosis_id(denied(message), RequestKind.ROLE) == "S3H-STS-03"


def test_a_kms_key_in_the_name_of_an_object_is_not_the_one_to_allow():
    arn, other = (f"arn:aws:kms:us-east-1:{account}:key/k" for account in (1, 666))
    for resource in (f'"{arn}"', arn):
        assert names_in(f"{WHO} kms:Decrypt on resource: {resource} {WHY}")["KEY-ARN"] == arn
    assert names_in(f"the key {arn} is disabled")["KEY-ARN"] == arn
    assert names_in(f'{WHO} s3:GetObject on resource: "arn:aws:s3:::b/{other}" {WHY}')["KEY-ARN"] == ""


def test_every_kind_of_fault_of_every_request_has_a_row_with_a_page():
    for kind in FaultKind:
        for asked in RequestKind:
            for status in (0, 200, 301, 400, 403, 404, 412, 416, 429, 500, 503):
                assert diagnosis_id(Fault(kind, "words", status=status), asked) in DIAGNOSES


@pytest.mark.parametrize(
    ("row", "code"),
    [("S3H-STS-03", 4), ("S3H-S3-02", 4), ("S3H-S3-01", 6), ("S3H-NET-02", 6), ("S3H-DST-02", 5)],
)
def test_a_row_knows_the_exit_code_of_the_run_that_it_ends(row, code):
    assert DIAGNOSES[row].error.exit_code == code


def test_placeholders_are_replaced_if_the_value_is_known():
    assert fill_placeholders("on arn:aws:s3:::BUCKET for ROLE-ARN", {"BUCKET": "b", "ROLE-ARN": ""}) == (
        "on arn:aws:s3:::b for ROLE-ARN"
    )
