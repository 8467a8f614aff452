"""AssumeRole and GetCallerIdentity: what is refused, in which words, and when sessions end."""

from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from demo.harness import OWNER_A, Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.model import Role, User

ASK = {"RoleArn": seed.ROLE_ARN, "RoleSessionName": "tester", "ExternalId": seed.EXTERNAL_ID}
USER_ARN = "arn:aws:iam::222222222222:user/user-b"
REFUSED = f"User: {USER_ARN} is not authorized to perform: sts:AssumeRole on resource: {seed.ROLE_ARN}"


def refusal(sts: Any, **ask: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        sts.assume_role(**{name: value for name, value in ask.items() if value is not None})
    response = caught.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def as_credentials(answer: dict[str, Any]) -> Credentials:
    given = answer["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def test_the_right_external_id_gives_a_session_of_the_role(clients: Clients) -> None:
    answer = clients.sts().assume_role(**ASK)
    arn = "arn:aws:sts::111111111111:assumed-role/export-role/tester"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    identity = clients.sts(as_credentials(answer)).get_caller_identity()
    assert (identity["Arn"], identity["Account"]) == (arn, "111111111111")


def test_the_caller_identity_is_the_user_before_the_role(clients: Clients) -> None:
    identity = clients.sts().get_caller_identity()
    assert (identity["Arn"], identity["Account"]) == (USER_ARN, "222222222222")


@pytest.mark.parametrize("external_id", [None, "wrong", seed.EXTERNAL_ID + "x", seed.EXTERNAL_ID.upper()])
def test_a_missing_or_wrong_external_id_is_refused_without_naming_a_policy(
    clients: Clients, external_id: str | None
) -> None:
    assert refusal(clients.sts(), **ASK | {"ExternalId": external_id}) == (403, "AccessDenied", REFUSED)


def test_an_own_policy_without_the_right_is_named(cloud: Cloud, clients: Clients) -> None:
    cloud.users[seed.USER_B_KEY_ID].policies.clear()
    message = f"{REFUSED} because no identity-based policy allows the sts:AssumeRole action"
    assert refusal(clients.sts(), **ASK) == (403, "AccessDenied", message)


def test_a_principal_that_the_trust_policy_does_not_name_is_refused(cloud: Cloud, clients: Clients) -> None:
    trust = cloud.roles[seed.ROLE_ARN].trust["Statement"][0]
    trust["Principal"] = {"AWS": "arn:aws:iam::222222222222:user/other"}
    assert refusal(clients.sts(), **ASK)[2] == REFUSED
    trust["Principal"] = {"AWS": "AIDAEXAMPLEORPHAN"}
    assert refusal(clients.sts(), **ASK)[2] == REFUSED
    trust["Principal"] = {"AWS": "arn:aws:iam::222222222222:root"}
    assert clients.sts().assume_role(**ASK)["Credentials"]


def test_a_role_that_does_not_exist_looks_like_one_that_refuses(clients: Clients) -> None:
    arn = seed.ROLE_ARN.replace("export-role", "Export-Role")
    status, code, message = refusal(clients.sts(), **ASK | {"RoleArn": arn})
    assert (status, code) == (403, "AccessDenied")
    assert message == REFUSED.replace(seed.ROLE_ARN, arn)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"DurationSeconds": 899},
            "'durationSeconds' failed to satisfy constraint: Member must have value gr",
        ),
        ({"DurationSeconds": 43201}, "Member must have value less than or equal to 43200"),
        ({"DurationSeconds": 3601}, "exceeds the MaxSessionDuration set for this role."),
        ({"RoleSessionName": "no spaces"}, "'roleSessionName' failed to satisfy constraint"),
        ({"RoleSessionName": "x"}, "'roleSessionName' failed to satisfy constraint"),
        ({"ExternalId": "with space"}, "'externalId' failed to satisfy constraint"),
        ({"ExternalId": "x"}, "'externalId' failed to satisfy constraint"),
        ({"RoleArn": "short"}, "'roleArn' failed to satisfy constraint"),
    ],
)
def test_what_breaks_a_limit_is_a_validation_error(
    clients: Clients, change: dict[str, Any], words: str
) -> None:
    status, code, message = refusal(clients.sts(), **ASK | change)
    assert (status, code) == (400, "ValidationError")
    assert words in message


def test_a_longer_session_needs_a_longer_maximum(cloud: Cloud, clients: Clients) -> None:
    cloud.roles[seed.ROLE_ARN].max_session = 43_200
    answer = clients.sts().assume_role(**ASK, DurationSeconds=43_200)
    assert answer["Credentials"]["Expiration"].timestamp() == pytest.approx(cloud.clock() + 43_200, abs=60)


def test_a_chained_role_is_capped_at_one_hour(cloud: Cloud, clients: Clients) -> None:
    first = Role("222222222222", "worker", {"Statement": []}, [allow("sts:AssumeRole")])
    cloud.add_role(first)
    role = cloud.roles[seed.ROLE_ARN]
    role.max_session = 43_200
    role.trust["Statement"][0]["Principal"] = {"AWS": first.arn}
    session = cloud.start_session(first, "w", 3600)
    sts = clients.sts(Credentials(session.access_key_id, session.secret, session.token))
    assert refusal(sts, **ASK, DurationSeconds=3601) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    assert sts.assume_role(**ASK, DurationSeconds=3600)["Credentials"]


def test_a_session_ends_when_the_clock_says_so(cloud: Cloud, clients: Clients) -> None:
    role = as_credentials(clients.sts().assume_role(**ASK, DurationSeconds=900))
    cloud.put(seed.BUCKET, "k", b"body")
    target = f"/{seed.BUCKET}/k"
    now = cloud.clock()
    cloud.clock = lambda: now + 890
    assert clients.raw("GET", target, credentials=role).status == 200
    for session in cloud.sessions.values():
        session.expires = now + 889
    answer = clients.raw("GET", target, credentials=role)
    assert (answer.status, answer.code, answer.message) == (
        400,
        "ExpiredToken",
        "The provided token has expired.",
    )
    assert clients.raw("HEAD", target, credentials=role).status == 400


def test_sts_refuses_expired_source_credentials(cloud: Cloud, clients: Clients) -> None:
    role = as_credentials(clients.sts().assume_role(**ASK))
    cloud.expire_sessions()
    with pytest.raises(ClientError) as caught:
        clients.sts(role).get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "ExpiredToken"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("announced", [False, True])
def test_sessions_can_be_shorter_than_asked_with_or_without_saying_so(
    cloud: Cloud, clients: Clients, announced: bool
) -> None:
    cloud.session_seconds, cloud.announce_session_seconds = 3, announced
    answer = clients.sts().assume_role(**ASK)
    lifetime = answer["Credentials"]["Expiration"].timestamp() - cloud.clock()
    assert (lifetime < 10) == announced
    session = cloud.sessions[answer["Credentials"]["AccessKeyId"]]
    assert session.expires - cloud.clock() < 10


def test_a_deleted_key_is_an_invalid_client_token(cloud: Cloud, clients: Clients) -> None:
    sts = clients.sts()
    cloud.users.clear()
    with pytest.raises(ClientError) as caught:
        sts.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert (
        caught.value.response["Error"]["Message"] == "The security token included in the request is invalid."
    )


def test_a_session_key_without_its_token_is_an_invalid_client_token(clients: Clients) -> None:
    role = clients.role()
    with pytest.raises(ClientError) as caught:
        clients.sts(Credentials(role.access_key, role.secret_key)).get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"


@pytest.mark.parametrize(
    ("ahead", "words"), [(400, "Signature expired: "), (-400, "Signature not yet current: ")]
)
def test_sts_tolerates_five_minutes_of_clock_skew(
    cloud: Cloud, clients: Clients, ahead: float, words: str
) -> None:
    sts, true_clock = clients.sts(), cloud.clock
    cloud.clock = lambda: true_clock() + ahead / 2
    assert sts.get_caller_identity()
    cloud.clock = lambda: true_clock() + ahead
    with pytest.raises(ClientError) as caught:
        sts.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert caught.value.response["Error"]["Message"].startswith(words)


def test_a_trust_policy_may_want_mfa(cloud: Cloud, clients: Clients) -> None:
    user = cloud.users[seed.USER_B_KEY_ID]
    user.mfa_serial, user.mfa_code = "arn:aws:iam::222222222222:mfa/user-b", "123456"
    trust = cloud.roles[seed.ROLE_ARN].trust["Statement"][0]
    trust["Condition"]["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
    sts = clients.sts()
    assert refusal(sts, **ASK)[1:] == ("AccessDenied", REFUSED)
    wrong = refusal(sts, **ASK, SerialNumber=user.mfa_serial, TokenCode="000000")
    assert wrong[1] == "AccessDenied"
    assert "invalid MFA one time pass code" in wrong[2]
    assert sts.assume_role(**ASK, SerialNumber=user.mfa_serial, TokenCode="123456")["Credentials"]


def test_a_session_policy_narrows_the_role(cloud: Cloud, clients: Clients) -> None:
    cloud.put(seed.BUCKET, "k", b"body")
    only = '{"Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}'
    s3 = clients.s3(as_credentials(clients.sts().assume_role(**ASK, Policy=only)))
    assert s3.list_objects_v2(Bucket=seed.BUCKET)["KeyCount"] == 1
    with pytest.raises(ClientError, match="because no session policy allows the s3:GetObject action"):
        s3.get_object(Bucket=seed.BUCKET, Key="k")
    assert refusal(clients.sts(), **ASK, Policy="no json")[1] == "MalformedPolicyDocument"


def test_a_role_of_the_same_account_may_trust_its_user_directly(cloud: Cloud, clients: Clients) -> None:
    owner = cloud.users[seed.OWNER_KEY_ID]
    owner.policies.clear()
    trust = cloud.roles[seed.ROLE_ARN].trust["Statement"][0]
    trust["Principal"] = {"AWS": owner.arn}
    assert clients.sts(OWNER_A).assume_role(**ASK)["Credentials"]
    trust["Principal"] = {"AWS": "arn:aws:iam::111111111111:root"}
    assert "no identity-based policy" in refusal(clients.sts(OWNER_A), **ASK)[2]


def test_secrets_are_not_in_the_repr_of_users_and_sessions(cloud: Cloud) -> None:
    session = cloud.start_session(cloud.roles[seed.ROLE_ARN], "x", 900)
    shown = repr(session) + repr(User("1", "u", "AKIA", "the-secret"))
    assert session.secret not in shown
    assert session.token not in shown
    assert "the-secret" not in shown


def test_a_policy_that_cannot_be_evaluated_is_a_500_and_allows_nothing(
    cloud: Cloud, clients: Clients, capfd: pytest.CaptureFixture[str]
) -> None:
    trust = cloud.roles[seed.ROLE_ARN].trust["Statement"][0]
    trust["Condition"] = {"DateBefore": {"aws:CurrentTime": "2100-01-01"}}
    assert refusal(clients.sts(), **ASK)[:2] == (500, "InternalError")
    trust["Principal"] = "*"
    cloud.buckets[seed.BUCKET].policy = {"Statement": [trust | {"Action": "s3:*", "Resource": "*"}]}
    assert clients.raw("GET", f"/{seed.BUCKET}/k").code == "InternalError"
    assert "DateBefore" in capfd.readouterr().err


def test_an_action_that_is_not_served_is_named(clients: Clients) -> None:
    with pytest.raises(ClientError) as caught:
        clients.sts().get_session_token()
    assert caught.value.response["Error"]["Code"] == "InvalidAction"


def allow(action: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
