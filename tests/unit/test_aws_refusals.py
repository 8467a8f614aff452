"""Assuming the role at the embedded cloud: special cases, and the message for each error of STS."""

import gzip
import time
import traceback
from contextlib import asynccontextmanager

import pytest

from contract.demo_access import Entry, endpoints, read, role_options
from faults.canned import answer, canned
from s3haul.aws.session import ask_mfa
from s3haul.demo import seed
from s3haul.demo.model import Role
from s3haul.demo.server import DemoServer
from s3haul.errors import AssumeRoleError, CredentialsError, SourceError
from s3haul.options import AccessOptions, RoleOptions

SESSION = (
    '<?xml version="1.0"?><AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
    f"<AssumedRoleUser><Arn>arn:aws:sts::{seed.ACCOUNT_A}:assumed-role/r/me</Arn></AssumedRoleUser><Credentials>"
    "<AccessKeyId>ASIA-of-a-session</AccessKeyId><SecretAccessKey>secret-of-a-session</SecretAccessKey>"
    "<SessionToken>token-of-a-session</SessionToken><Expiration>2096-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
).encode()


@pytest.fixture
def server():
    with DemoServer() as running:
        running.cloud.put(seed.BUCKET, "a", b"data")
        yield running


@pytest.fixture
def entry(server, tmp_path):
    return Entry(server, tmp_path)


async def test_a_wrong_external_id_is_refused_with_its_likely_causes_and_without_being_shown(entry):
    error = await entry.refused(external_id="wrong-external-id")
    assert isinstance(error, AssumeRoleError)
    assert (error.exit_code, error.id) == (4, "S3H-STS-03")
    assert "External ID" in error.hint
    assert "17 characters" in error.hint
    for id_ in ("S3H-STS-05", "S3H-STS-06", "S3H-STS-07", "S3H-STS-08"):
        assert id_ in error.hint
    assert "sts:AssumeRole" in error.said
    assert "wrong-external-id" not in error.message + error.hint + error.said


async def test_a_missing_external_id_is_refused_and_said_to_be_missing(entry):
    error = await entry.refused(
        AccessOptions(profile="user-b", role=role_options(external_id=None), **endpoints(entry.server))
    )
    assert error.id == "S3H-STS-03"
    assert "none was given" in error.hint


async def test_an_external_id_in_the_message_of_sts_is_removed(entry, server):
    echo = f"1 validation error detected: Value '{seed.EXTERNAL_ID}' at 'externalId' failed to satisfy constraint"
    server.faults.add("error", operation="AssumeRole", status=400, code="ValidationError", message=echo)
    error = await entry.refused()
    assert error.id == "S3H-STS-09"
    assert seed.EXTERNAL_ID not in error.said
    assert f"<External ID, {len(seed.EXTERNAL_ID)} characters>" in error.said


async def test_a_missing_permission_in_the_callers_policy_is_reported(entry, server):
    server.cloud.users[seed.USER_B_KEY_ID].policies.clear()
    error = await entry.refused()
    assert error.id == "S3H-STS-04"
    assert "administrator" in error.hint


async def test_an_unknown_access_key_is_a_fault_of_the_source_credentials(entry):
    error = await entry.refused(key="AKIANOBODY0000000000")
    assert isinstance(error, CredentialsError)
    assert error.id == "S3H-STS-01"


async def test_a_wrong_secret_is_named_with_the_measured_clock_skew(entry):
    error = await entry.refused(secret="not-the-secret")
    assert isinstance(error, CredentialsError)
    assert error.id == "S3H-NET-01"
    assert "the clocks agree" in error.message


async def test_a_clock_that_is_wrong_by_days_is_reported_with_the_difference(entry, server):
    server.cloud.clock = lambda: time.time() + 200_000
    error = await entry.refused()
    assert error.id == "S3H-NET-01"
    assert "+200000 s" in error.message or "+199999 s" in error.message


@pytest.mark.parametrize("off", [-7200, 1200, 7200])
async def test_a_clock_that_is_wrong_by_less_is_corrected_from_the_server(entry, server, off):
    server.cloud.clock = lambda: time.time() + off
    async with entry.open() as opened:
        session = opened.credentials.session
        assert session.expires_at == pytest.approx(time.time() + session.duration, abs=10)
        assert server.count("AssumeRole") == 2
        await opened.credentials.renew(session.keys.access_key)
        assert server.count("AssumeRole") == 3  # only once
    assert [warning.id for warning in entry.warnings] == ["S3H-NET-01"]


async def test_expired_source_credentials_say_that_a_new_login_helps(entry, server):
    server.faults.add(
        "error", operation="AssumeRole", status=403, code="ExpiredToken", message="The token has expired"
    )
    error = await entry.refused()
    assert isinstance(error, CredentialsError)
    assert error.id == "S3H-STS-02"
    assert "Log in" in error.hint


async def test_sts_that_stays_down_is_a_source_error(entry, server):
    server.faults.add("error", operation="AssumeRole", status=503, code="ServiceUnavailable", message="Busy")
    error = await entry.refused()
    assert isinstance(error, SourceError)
    assert server.count("AssumeRole") == 3


@pytest.mark.parametrize(
    ("status", "code"), [(404, "NoSuchBucket"), (405, "MethodNotAllowed"), (501, "NotImplemented")]
)
async def test_a_store_without_sts_is_not_reported_as_a_wrong_role(entry, server, status, code):
    server.faults.add("error", operation="AssumeRole", status=status, code=code)
    error = await entry.refused()
    assert (error.exit_code, error.id, error.said) == (4, "S3H-STS-15", None)
    assert "--sts-endpoint-url" in error.hint
    assert str(status) in error.seen


async def test_a_server_without_tls_is_not_reported_as_a_bad_certificate(entry):
    with DemoServer(tls=False) as plain:
        url = plain.endpoint_url.replace("http://", "https://")
        error = await entry.refused(endpoint=url)
    assert (error.exit_code, error.id) == (6, "S3H-NET-06")
    assert "does not use TLS" in error.message
    assert "--ca-bundle" not in error.hint


async def test_a_short_outage_of_sts_is_overcome(entry, server):
    server.faults.add("error", operation="AssumeRole", first=1, status=500)
    async with entry.open() as opened:
        assert await read(opened) == b"data"
    assert server.count("AssumeRole") == 2


async def test_a_duration_above_the_roles_maximum_is_explained(entry):
    access = AccessOptions(
        profile="user-b", role=role_options(duration_seconds=7200), **endpoints(entry.server)
    )
    error = await entry.refused(access)
    assert error.id == "S3H-STS-10"


async def test_a_chain_of_roles_falls_back_to_one_hour_with_a_warning(entry, server):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{seed.ACCOUNT_A}:root"},
            }
        ],
    }
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    server.cloud.roles[seed.ROLE_ARN].policies.append(everything)
    last = server.cloud.add_role(Role(seed.ACCOUNT_A, "last", trust, [everything], max_session=43200))
    role = RoleOptions(role_arn=last.arn, duration_seconds=43200)
    access = AccessOptions(source_profile="export", role=role, **endpoints(server))
    async with entry.open(access) as opened:
        assert await read(opened) == b"data"
        assert "assumed-role/last/" in opened.identity
        asked = server.count("AssumeRole")
        await opened.credentials.renew(opened.credentials.session.keys.access_key)
        assert server.count("AssumeRole") == asked + 2
    assert [warning.id for warning in entry.warnings] == ["S3H-STS-11"]


async def test_an_mfa_role_asks_once_and_warns_that_it_cannot_be_renewed(entry, server):
    user = server.cloud.users[seed.USER_B_KEY_ID]
    user.mfa_serial, user.mfa_code = f"arn:aws:iam::{seed.ACCOUNT_B}:mfa/user-b", "123456"
    asked = []

    async def code(serial):
        asked.append(serial)
        return "123456"

    role = role_options(mfa_serial=user.mfa_serial)
    access = AccessOptions(profile="user-b", role=role, **endpoints(server))
    async with entry.open(access, ask_mfa=code) as opened:
        assert await read(opened) == b"data"
    assert asked == [user.mfa_serial]
    assert [warning.id for warning in entry.warnings] == ["S3H-STS-08"]


async def test_the_mfa_code_is_requested_until_it_is_valid(monkeypatch):
    typed = iter(["12345", "abcdef", " 123456 "])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert await ask_mfa("arn:aws:iam::222222222222:mfa/user-b") == "123456"


async def test_without_a_terminal_for_the_mfa_code_the_run_ends(monkeypatch):
    def nobody(_):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    with pytest.raises(CredentialsError) as caught:
        await ask_mfa("serial-number")
    assert caught.value.id == "S3H-STS-08"


async def test_an_expiry_is_read_by_the_servers_clock(entry, server):
    server.cloud.clock = lambda: time.time() + 200
    async with entry.open() as opened:
        assert 3500 < opened.credentials.session.duration <= 3601


async def test_a_session_that_has_already_ended_is_refused(entry, server):
    server.cloud.session_seconds, server.cloud.announce_session_seconds = -10.0, True
    error = await entry.refused()
    assert isinstance(error, AssumeRoleError)
    assert "already expired" in error.message


async def test_a_session_of_another_account_is_refused(entry, server):
    role = server.cloud.roles[seed.ROLE_ARN]
    server.cloud.roles[seed.ROLE_ARN] = Role("999999999999", role.name, role.trust, role.policies)
    server.cloud.users[seed.USER_B_KEY_ID].policies.append(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    error = await entry.refused()
    assert isinstance(error, AssumeRoleError)
    assert error.id == "S3H-CFG-06"


@asynccontextmanager
async def sts_sending(entry, document: bytes):
    """Options with an STS that sends this document for every request."""
    async with canned(lambda _: answer("200 OK", document)) as sts:
        urls = endpoints(entry.server) | {"sts_endpoint_url": f"http://127.0.0.1:{sts.port}"}
        yield AccessOptions(profile="user-b", role=role_options(), **urls)


@pytest.mark.parametrize(
    "change", [lambda text: text[:-9], lambda text: text + b"<", lambda text: b"{" + text]
)
async def test_a_session_that_cannot_be_parsed_is_not_shown(entry, change):
    async with sts_sending(entry, change(SESSION)) as access:
        error = await entry.refused(access)
    assert error.id == "S3H-NET-05"
    assert "cannot be parsed" in error.seen
    assert "of-a-session" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\r\n" + text,
        gzip.compress,
        lambda text: text.replace(b"-of-a-session<", b"-of-a-session\n <").replace(b">secret", b">\n secret"),
    ],
    ids=["a-line-end-first", "gzip", "blanks-around-values"],
)
async def test_a_session_in_another_form_is_read(entry, change):
    async with sts_sending(entry, change(SESSION)) as access, entry.open(access) as opened:
        keys = opened.credentials.session.keys
    assert (keys.access_key, keys.secret_key) == ("ASIA-of-a-session", "secret-of-a-session")
    assert keys.token == "token-of-a-session"
