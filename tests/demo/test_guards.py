"""What stands above plain permissions: organisations, boundaries, endpoints, grants,
recreated users, regions off."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.harness import OWNER_A, USER_B, Answer, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.model import Policy

KEY = f"/{seed.BUCKET}/k"
LIST = f"/{seed.BUCKET}?list-type=2"
ALL: Policy = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}
ASK = {"RoleArn": seed.ROLE_ARN, "RoleSessionName": "tester", "ExternalId": seed.EXTERNAL_ID}


@pytest.fixture(autouse=True)
def stored(cloud: Cloud) -> None:
    cloud.put(seed.BUCKET, "k", b"body")


def policy(*statements: Policy) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def deny(action: str) -> Policy:
    return {"Effect": "Deny", "Action": action, "Resource": "*", "Principal": "*"}


def allow(action: str) -> Policy:
    return {"Effect": "Allow", "Action": action, "Resource": "*", "Principal": "*"}


def reason(answer: Answer) -> str:
    assert (answer.status, answer.code) == (403, "AccessDenied"), answer.text
    for word in (" because ", " with "):
        if word in answer.message:
            return word.strip() + " " + answer.message.partition(word)[2]
    return answer.message


def put_in_force(cloud: Cloud, kind: str, given: Policy) -> None:
    role = cloud.roles[seed.ROLE_ARN]
    match kind:
        case "service control":
            cloud.service_control[seed.ACCOUNT_A] = given
        case "resource control":
            cloud.resource_control[seed.ACCOUNT_A] = given
        case "permissions boundary":
            role.boundary = given
        case "VPC endpoint":
            cloud.endpoint_policy = given


KINDS = ("service control", "resource control", "permissions boundary", "VPC endpoint")


@pytest.mark.parametrize("kind", KINDS)
def test_a_guard_that_allows_everything_changes_nothing(cloud: Cloud, clients: Clients, kind: str) -> None:
    put_in_force(cloud, kind, policy(ALL))
    assert clients.raw("GET", KEY).body == b"body"
    assert clients.raw("GET", LIST).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_guard_that_denies_is_named(cloud: Cloud, clients: Clients, kind: str) -> None:
    put_in_force(cloud, kind, policy(ALL, deny("s3:GetObject")))
    name = kind if kind == "permissions boundary" else f"{kind} policy"
    said, _, arn = reason(clients.raw("GET", KEY)).partition(": ")
    assert said == f"with an explicit deny in a {name}"
    assert arn.startswith("arn:aws:") == (kind != "VPC endpoint")
    assert clients.raw("GET", LIST).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_guard_that_does_not_allow_is_named(cloud: Cloud, clients: Clients, kind: str) -> None:
    put_in_force(cloud, kind, policy(allow("s3:ListBucket"), allow("kms:*")))
    name = kind if kind == "permissions boundary" else f"{kind} policy"
    assert (
        reason(clients.raw("GET", KEY)).partition(": ")[0]
        == f"because no {name} allows the s3:GetObject action"
    )


@pytest.mark.parametrize("kind", ["service control", "resource control", "permissions boundary"])
def test_a_guard_may_stop_the_decryption_alone(cloud: Cloud, clients: Clients, kind: str) -> None:
    put_in_force(cloud, kind, policy(ALL, deny("kms:Decrypt")))
    assert clients.raw("HEAD", KEY).status == 200
    answer = clients.raw("GET", KEY)
    assert "kms:Decrypt on the resource associated with this ciphertext" in answer.message
    assert "explicit deny" in reason(answer)


def test_an_organisation_may_forbid_its_users_to_assume_roles(cloud: Cloud, clients: Clients) -> None:
    cloud.service_control[seed.ACCOUNT_B] = policy(ALL, deny("sts:AssumeRole"))
    with pytest.raises(ClientError, match="with an explicit deny in a service control policy"):
        clients.sts().assume_role(**ASK)


def test_a_deny_in_the_trust_policy_is_named(cloud: Cloud, clients: Clients) -> None:
    cloud.roles[seed.ROLE_ARN].trust["Statement"].append({**deny("sts:AssumeRole")})
    with pytest.raises(ClientError, match="with an explicit deny in a role trust policy"):
        clients.sts().assume_role(**ASK)


def test_a_grant_lets_a_role_decrypt_that_the_key_policy_does_not_know(
    cloud: Cloud, clients: Clients
) -> None:
    key = cloud.kms_keys[seed.KMS_KEY_ARN]
    key.policy = policy()
    assert clients.raw("GET", KEY).status == 403
    key.grants.append((seed.ROLE_ARN, "kms:Decrypt"))
    assert clients.raw("GET", KEY).body == b"body"
    key.policy = policy(deny("kms:Decrypt"))
    assert clients.raw("GET", KEY).status == 403


def test_a_user_that_was_deleted_and_created_again_is_not_the_principal_of_the_trust_policy(
    cloud: Cloud, clients: Clients
) -> None:
    user = cloud.users[seed.USER_B_KEY_ID]
    before = clients.sts().get_caller_identity()["UserId"]
    cloud.make_again(user)
    (statement,) = cloud.roles[seed.ROLE_ARN].trust["Statement"]
    assert statement["Principal"] == {"AWS": before}
    assert before.startswith("AIDA")
    assert clients.sts().get_caller_identity()["UserId"] != before
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        clients.sts().assume_role(**ASK)
    statement["Principal"] = {"AWS": user.arn}
    assert clients.sts().assume_role(**ASK)["Credentials"]


def test_sts_may_be_off_in_a_region(cloud: Cloud, clients: Clients) -> None:
    cloud.sts_regions_off.add(seed.REGION)
    with pytest.raises(ClientError) as caught:
        clients.sts().get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "RegionDisabledException"


def test_a_server_may_keep_the_region_of_a_bucket_to_itself(cloud: Cloud, clients: Clients) -> None:
    cloud.buckets[seed.BUCKET].region = "eu-central-1"
    assert clients.raw("HEAD", f"/{seed.BUCKET}").headers["x-amz-bucket-region"] == "eu-central-1"
    cloud.tells_regions = False
    silent = clients.raw("HEAD", f"/{seed.BUCKET}")
    assert (silent.status, "x-amz-bucket-region" in silent.headers) == (301, False)
    wrong = clients.raw("GET", LIST, region="ap-south-1")
    assert (wrong.status, wrong.code) == (400, "AuthorizationHeaderMalformed")
    assert "eu-central-1" not in wrong.text


def role_of(clients: Clients, credentials: Any, name: str = seed.ROLE_NAME) -> dict[str, Any]:
    role: dict[str, Any] = clients.boto("iam", credentials).get_role(RoleName=name)["Role"]
    return role


def test_the_owner_may_read_the_trust_policy_and_others_may_not(cloud: Cloud, clients: Clients) -> None:
    role = role_of(clients, OWNER_A)
    assert (role["Arn"], role["AssumeRolePolicyDocument"]) == (
        seed.ROLE_ARN,
        cloud.roles[seed.ROLE_ARN].trust,
    )
    with pytest.raises(ClientError, match="iam:GetRole on resource"):
        role_of(clients, USER_B)
    with pytest.raises(ClientError) as caught:
        role_of(clients, OWNER_A, "Export-Role")
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"
