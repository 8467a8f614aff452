"""Who may list, read and decrypt: bucket, role and key policies, with AWS's codes and sentences."""

from typing import Any

import pytest

from demo.harness import OWNER_A, USER_B, Answer, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.model import KmsKey, Policy

ROLE_SESSION = "arn:aws:sts::111111111111:assumed-role/export-role/tester"
BUCKET_ARN = f"arn:aws:s3:::{seed.BUCKET}"
KEY = f"/{seed.BUCKET}/k"
LIST = f"/{seed.BUCKET}?list-type=2"
CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}
CONTEXT = "on the resource associated with this ciphertext"


@pytest.fixture
def statements(cloud: Cloud) -> list[dict[str, Any]]:
    """The role's statements: list, read, decrypt."""
    cloud.put(seed.BUCKET, "k", b"body")
    found: list[dict[str, Any]] = cloud.roles[seed.ROLE_ARN].policies[0]["Statement"]
    return found


def denied(answer: Answer) -> str:
    assert (answer.status, answer.code) == (403, "AccessDenied"), answer.text
    return answer.message.replace("&quot;", '"')


def sentence(action: str, resource: str, reason: str) -> str:
    return f'User: {ROLE_SESSION} is not authorized to perform: {action} on resource: "{resource}" {reason}'


def test_the_least_policies_are_enough_to_list_and_to_read(
    statements: list[dict[str, Any]], clients: Clients
) -> None:
    assert len(statements) == 3
    assert clients.raw("GET", LIST).status == 200
    assert clients.raw("GET", KEY).body == b"body"
    assert clients.raw("HEAD", KEY, headers=CHECKSUM).status == 200
    assert clients.raw("HEAD", f"/{seed.BUCKET}").status == 200


def test_listing_needs_the_right_on_the_bucket_itself(
    statements: list[dict[str, Any]], clients: Clients
) -> None:
    statements[0]["Resource"] = f"{BUCKET_ARN}/*"
    reason = "because no identity-based policy allows the s3:ListBucket action"
    assert denied(clients.raw("GET", LIST)) == sentence("s3:ListBucket", BUCKET_ARN, reason)
    head = clients.raw("HEAD", f"/{seed.BUCKET}")
    assert (head.status, head.body, head.headers["x-amz-bucket-region"]) == (403, b"", seed.REGION)


def test_reading_needs_the_right_on_the_objects(statements: list[dict[str, Any]], clients: Clients) -> None:
    statements[1]["Resource"] = BUCKET_ARN
    reason = "because no identity-based policy allows the s3:GetObject action"
    assert denied(clients.raw("GET", KEY)) == sentence("s3:GetObject", f"{BUCKET_ARN}/k", reason)
    assert clients.raw("HEAD", KEY).status == 403


def test_a_missing_key_is_404_only_to_those_who_may_list(
    statements: list[dict[str, Any]], clients: Clients
) -> None:
    answer = clients.raw("GET", KEY + "-missing")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert clients.raw("HEAD", KEY + "-missing").status == 404
    del statements[0]
    assert "s3:ListBucket" in denied(clients.raw("GET", KEY + "-missing"))
    assert clients.raw("HEAD", KEY + "-missing").status == 403


def test_a_missing_decrypt_right_shows_on_get_and_on_head_in_checksum_mode_only(
    statements: list[dict[str, Any]], clients: Clients
) -> None:
    del statements[2]
    reason = "because no identity-based policy allows the kms:Decrypt action"
    expected = f"User: {ROLE_SESSION} is not authorized to perform: kms:Decrypt {CONTEXT} {reason}"
    assert denied(clients.raw("GET", KEY)) == expected
    assert denied(clients.raw("GET", KEY, headers={"Range": "bytes=0-0"})) == expected
    assert clients.raw("HEAD", KEY).status == 200
    assert clients.raw("HEAD", KEY, headers=CHECKSUM).status == 403


def test_a_key_policy_without_the_root_statement_is_named(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    key = cloud.kms_keys[seed.KMS_KEY_ARN]
    key.policy = {"Statement": []}
    reason = "because no resource-based policy allows the kms:Decrypt action"
    assert denied(clients.raw("GET", KEY)).endswith(f"kms:Decrypt {CONTEXT} {reason}")
    via_s3 = {"StringEquals": {"kms:ViaService": f"s3.{seed.REGION}.amazonaws.com"}}
    key.policy = allow("kms:Decrypt", principal=seed.ROLE_ARN, condition=via_s3)
    assert clients.raw("GET", KEY).status == 200
    del statements[2]
    assert clients.raw("GET", KEY).status == 200


def test_a_key_in_a_third_account_needs_both_policies_and_hides_its_own(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    policy = allow("kms:Decrypt", principal=seed.ACCOUNT_A)
    key = cloud.add_kms_key(KmsKey("333333333333", seed.REGION, "third", policy))
    cloud.put(seed.BUCKET, "k", b"body", kms_key=key.arn)
    assert "because no identity-based policy" in denied(clients.raw("GET", KEY))
    statements[2]["Resource"] = [seed.KMS_KEY_ARN, key.arn]
    assert clients.raw("GET", KEY).status == 200
    key.policy = {"Statement": []}
    assert denied(clients.raw("GET", KEY)).endswith(
        "because the resource does not exist in this Region, no resource-based policies allow access, "
        "or a resource-based policy explicitly denies access"
    )


def test_the_encryption_context_is_the_object_or_with_a_bucket_key_the_bucket(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    cloud.put(seed.BUCKET, "by-bucket-key", b"body", bucket_key=True)
    wanted = statements[2]["Condition"]["StringLike"]
    by_bucket_key = f"/{seed.BUCKET}/by-bucket-key"
    wanted["kms:EncryptionContext:aws:s3:arn"] = f"{BUCKET_ARN}/*"
    assert clients.raw("GET", KEY).status == 200
    assert "kms:Decrypt" in denied(clients.raw("GET", by_bucket_key))
    wanted["kms:EncryptionContext:aws:s3:arn"] = BUCKET_ARN
    assert "kms:Decrypt" in denied(clients.raw("GET", KEY))
    assert clients.raw("GET", by_bucket_key).status == 200


def test_a_via_service_of_another_region_does_not_match(
    statements: list[dict[str, Any]], clients: Clients
) -> None:
    statements[2]["Condition"]["StringEquals"]["kms:ViaService"] = "s3.eu-west-1.amazonaws.com"
    assert "kms:Decrypt" in denied(clients.raw("GET", KEY))


def test_a_key_policy_on_the_source_address_can_never_match(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    assert statements
    condition = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    cloud.kms_keys[seed.KMS_KEY_ARN].policy = allow("kms:*", principal=seed.ACCOUNT_A, condition=condition)
    assert "kms:Decrypt" in denied(clients.raw("GET", KEY))


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("Disabled", "KMS.DisabledException", f"{seed.KMS_KEY_ARN} is disabled."),
        ("PendingDeletion", "KMS.KMSInvalidStateException", f"{seed.KMS_KEY_ARN} is pending deletion."),
    ],
)
def test_a_key_that_is_out_of_use_is_a_400(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients, state: str, code: str, words: str
) -> None:
    assert statements
    cloud.kms_keys[seed.KMS_KEY_ARN].state = state
    answer = clients.raw("GET", KEY)
    assert (answer.status, answer.code, answer.message) == (400, code, words)
    assert clients.raw("HEAD", KEY).status == 200


def test_a_key_that_is_gone_is_not_found(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    assert statements
    cloud.kms_keys.clear()
    answer = clients.raw("GET", KEY)
    assert (answer.status, answer.code) == (400, "KMS.NotFoundException")


def test_an_explicit_deny_names_the_policy_that_denies(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    cloud.buckets[seed.BUCKET].policy = {
        "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": f"{BUCKET_ARN}/*"}
    }
    assert denied(clients.raw("GET", KEY)).endswith("with an explicit deny in a resource-based policy")
    statements.append({"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    assert denied(clients.raw("GET", KEY)).endswith("with an explicit deny in an identity-based policy")


def test_across_accounts_both_sides_must_allow_and_no_reason_is_given(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    assert statements
    cloud.put(seed.BUCKET, "plain", b"body", sse="AES256")
    target = f"/{seed.BUCKET}/plain"
    bucket, user = cloud.buckets[seed.BUCKET], cloud.users[seed.USER_B_KEY_ID]
    assert denied(clients.raw("GET", target, credentials=USER_B)) == "Access Denied"
    bucket.policy = allow("s3:GetObject", principal=seed.ACCOUNT_B)
    assert denied(clients.raw("GET", target, credentials=USER_B)) == "Access Denied"
    user.policies.append(allow("s3:GetObject"))
    assert clients.raw("GET", target, credentials=USER_B).body == b"body"
    bucket.policy = None
    assert denied(clients.raw("GET", target, credentials=USER_B)) == "Access Denied"


def test_an_object_that_another_account_owns_is_out_of_reach(cloud: Cloud, clients: Clients) -> None:
    cloud.put(seed.BUCKET, "k", b"body", owner="333333333333")
    assert denied(clients.raw("GET", KEY)) == "Access Denied"
    assert clients.raw("HEAD", KEY).status == 403


def test_a_prefix_condition_limits_the_listing(statements: list[dict[str, Any]], clients: Clients) -> None:
    statements[0]["Condition"] = {"StringLike": {"s3:prefix": "logs/*"}}
    assert "s3:ListBucket" in denied(clients.raw("GET", LIST))
    assert clients.raw("GET", LIST + "&prefix=logs%2F").status == 200


def test_a_version_needs_the_version_rights_instead(
    statements: list[dict[str, Any]], cloud: Cloud, clients: Clients
) -> None:
    cloud.buckets[seed.BUCKET].versioned = True
    version = cloud.put(seed.BUCKET, "k", b"new").version_id
    assert "s3:GetObjectVersion " in denied(clients.raw("GET", f"{KEY}?versionId={version}"))
    statements[1]["Action"] = "s3:GetObjectVersion"
    assert clients.raw("GET", f"{KEY}?versionId={version}").body == b"new"
    assert "s3:GetObject " in denied(clients.raw("GET", KEY))


def test_attributes_need_their_own_right(statements: list[dict[str, Any]], clients: Clients) -> None:
    headers = {"x-amz-object-attributes": "ETag"}
    assert "s3:GetObjectAttributes" in denied(clients.raw("GET", f"{KEY}?attributes", headers=headers))
    statements[1]["Action"] = ["s3:GetObject", "s3:GetObjectAttributes"]
    del statements[2]
    assert clients.raw("GET", f"{KEY}?attributes", headers=headers).status == 200


def test_the_owner_may_do_everything(statements: list[dict[str, Any]], clients: Clients) -> None:
    assert statements
    assert clients.raw("GET", KEY, credentials=OWNER_A).status == 200


def allow(action: str, *, principal: str = "", condition: dict[str, Any] | None = None) -> Policy:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": "*"}
    if principal:
        statement["Principal"] = {"AWS": principal}
    if condition:
        statement["Condition"] = condition
    return {"Statement": [statement]}
