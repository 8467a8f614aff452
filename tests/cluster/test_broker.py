"""The driver assumes the role for its workers: on one machine, and with TLS between machines."""

import asyncio
import contextlib
import ssl
import stat
from pathlib import Path

import pytest
import trustme

from cluster.test_node import home, planned
from s3haul.aws.session import ask_mfa
from s3haul.cluster.broker import BrokeredSessions, brokering
from s3haul.cluster.plan import Attempt
from s3haul.cluster.shard import attempt_shard, open_node
from s3haul.demo import seed
from s3haul.errors import AccessError, CredentialsError, UsageError
from s3haul.options import AccessOptions

__all__ = ["home"]  # a fixture

LOOPBACK = "127.0.0.1"
EXPORT = AccessOptions(profile="export")


def broker(host: str = "", access: AccessOptions = EXPORT):
    return brokering(access, host, on_event=lambda _: None, ask_mfa=ask_mfa)


@pytest.fixture
def certificates(tmp_path, monkeypatch):
    """TLS as Ray wants it, in the environment; the function makes that of another cluster."""

    def use(name: str) -> None:
        authority, path = trustme.CA(), tmp_path / name
        path.mkdir()
        mine = authority.issue_cert(LOOPBACK)
        authority.cert_pem.write_to_path(str(path / "ca"))
        mine.private_key_pem.write_to_path(str(path / "key"))
        mine.cert_chain_pems[0].write_to_path(str(path / "cert"))
        monkeypatch.setenv("RAY_USE_TLS", "1")
        for variable, file in (("SERVER_CERT", "cert"), ("SERVER_KEY", "key"), ("CA_CERT", "ca")):
            monkeypatch.setenv(f"RAY_TLS_{variable}", str(path / file))

    use("ours")
    return use


def forget_the_source(home: Path) -> None:
    """From now on nobody on this machine has credentials of its own."""
    config = home / "home" / "config"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if "aws_" not in line))


def test_one_session_of_the_driver_serves_all_workers_and_is_renewed_for_all(cluster, server):
    server.cloud.session_seconds = 3
    server.cloud.announce_session_seconds = True
    cluster.plan("--shard-objects", "40", "--concurrency", "3")
    server.faults.add("delay", operation="GetObject", seconds=0.35)
    began = server.count("AssumeRole")
    ran = cluster.drive("--broker")
    assert ran.code == 0, ran.text
    cluster.assert_exact()
    calls = [call for call in server.calls if call.operation == "GetObject"]
    sessions = {call.access_key_id for call in calls}
    assert 2 <= len(sessions) <= server.count("AssumeRole") - began
    for path in (path for path in cluster.home.rglob("*") if path.is_file()):
        data = path.read_bytes()
        assert not any(each.token.encode() in data for each in server.cloud.sessions.values()), path


@pytest.mark.parametrize("host", ["", LOOPBACK], ids=["socket", "TLS"])
async def test_a_worker_without_credentials_of_its_own_works_with_sessions_of_the_broker(
    home, server, certificates, host
):
    directory = await planned(home)
    with broker(host) as address:
        if not host:
            assert not stat.S_IMODE(Path(address).parent.stat().st_mode) & 0o077
        forget_the_source(home)
        async with open_node(directory, directory.describe(), home / "local", broker=address) as node:
            assert (await attempt_shard(node, Attempt(0, 1))).exit_code == 0
    with pytest.raises(CredentialsError):
        async with open_node(directory, directory.describe(), home / "local"):
            pass


async def test_a_session_that_one_worker_replaces_is_replaced_for_all(home, server):
    with broker() as address:
        one, other = BrokeredSessions(address), BrokeredSessions(address)
        first = await one()
        assert (await other()).keys.access_key == first.keys.access_key
        renewed = await one()
        assert renewed.keys.access_key != first.keys.access_key
        assert (await other()).keys.access_key == renewed.keys.access_key
        assert server.count("AssumeRole") == 2
        refusal = {
            "status": 403,
            "code": "AccessDenied",
            "message": "not authorized to perform: sts:AssumeRole",
        }
        server.faults.add("error", operation="AssumeRole", **refusal)
        with pytest.raises(AccessError) as refused:
            await one()
        assert refused.value.id.startswith("S3H-STS-")
        server.faults.clear()
        assert (await one()).keys.access_key != renewed.keys.access_key
    with pytest.raises(CredentialsError, match="does not answer"):
        await one()


async def test_only_the_driver_is_asked_for_mfa_codes_once_for_each_session(home, server):
    directory = await planned(home)
    user = server.cloud.users[seed.USER_B_KEY_ID]
    user.mfa_serial, user.mfa_code = "arn:aws:iam::222222222222:mfa/user-b", "123456"
    config = home / "home" / "config"
    config.write_text(config.read_text().replace("role_arn", f"mfa_serial = {user.mfa_serial}\nrole_arn"))
    asked = []

    async def ask(serial: str) -> str:
        asked.append(serial)
        return user.mfa_code

    with brokering(EXPORT, "", on_event=lambda _: None, ask_mfa=ask) as address:
        for shard in (0, 1):
            async with open_node(directory, directory.describe(), home / "local", broker=address) as node:
                assert (await attempt_shard(node, Attempt(shard, 1))).exit_code == 0
                await node.bucket.credentials.renew(node.bucket.credentials.access_key_id)
    assert asked == [user.mfa_serial] * 3, "at the start, and for each renewal"


async def test_a_client_without_a_certificate_of_the_cluster_gets_no_session(home, certificates, capfd):
    with broker(LOOPBACK) as address:
        port = int(address.rpartition(":")[2])
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=context)
            writer.write(b"\n")
            assert await reader.read() == b"", "nothing without a certificate"
        certificates("others")
        with pytest.raises(CredentialsError, match="does not answer"):
            await BrokeredSessions(address)()
    assert seed.USER_B_SECRET not in capfd.readouterr().err


def test_without_tls_or_without_a_role_there_is_no_broker(home, certificates, monkeypatch):
    with pytest.raises(UsageError, match="role"), broker(access=AccessOptions(no_sign_request=True)):
        pass
    monkeypatch.setenv("RAY_TLS_SERVER_KEY", str(home / "missing"))
    with pytest.raises(UsageError, match="certificates"), broker(LOOPBACK):
        pass
    monkeypatch.delenv("RAY_USE_TLS")
    with pytest.raises(UsageError, match="encrypt") as refused, broker(LOOPBACK):
        pass
    assert "RAY_USE_TLS=1" in refused.value.hint
