"""The access layer against servers that we did not write: the role of another account,
its sessions' ends, TLS."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import trustme

from contract.demo_access import read
from foreign.access import keys_profile, role_profile
from s3haul.aws.session import open_store
from s3haul.errors import AssumeRoleError, StoreError, TlsError
from s3haul.events import CredentialsRenewed
from s3haul.options import AccessOptions, RoleOptions, SourceOptions, TransferOptions

RECIPE = AccessOptions(profile="export")


@asynccontextmanager
async def opened(server, profile, *, access=RECIPE, on_event=lambda _: None):
    server.seed({"a": b"data"})
    source = SourceOptions(bucket=server.bucket)
    with profile:
        async with open_store(access, source, TransferOptions(), on_event=on_event) as store:
            yield store


async def test_the_right_external_id_opens_the_other_accounts_bucket(ministack, tmp_path):
    async with opened(ministack, role_profile(ministack, tmp_path)) as store:
        assert await read(store) == b"data"
        identity = store.identity
    assert identity.startswith(f"arn:aws:sts::{ministack.account_a}:assumed-role/exporter/")


@pytest.mark.parametrize("external_id", ["wrong-id", None], ids=["wrong", "missing"])
async def test_a_wrong_or_missing_external_id_is_explained(ministack, tmp_path, external_id):
    access = AccessOptions(
        source_profile="user-b",
        role=RoleOptions(role_arn=ministack.role_arn, external_id=external_id),
        endpoint_url=ministack.endpoint,
        sts_endpoint_url=ministack.endpoint,
        ca_bundle=str(ministack.ca_bundle),
    )
    with pytest.raises(AssumeRoleError) as caught:
        async with opened(ministack, role_profile(ministack, tmp_path), access=access):
            pass
    assert "is not authorized to perform: sts:AssumeRole" in caught.value.said
    assert "External ID" in caught.value.hint


async def test_a_session_that_ends_under_a_running_client_is_an_expired_token_until_it_is_renewed(
    ministack, tmp_path
):
    async with opened(ministack, role_profile(ministack, tmp_path)) as store:
        assert await read(store) == b"data"
        ended = store.credentials.session.keys.access_key
        ministack.expire_sessions()
        with pytest.raises(StoreError) as caught:
            await read(store)
        assert caught.value.fault.code == "ExpiredToken"
        await store.credentials.renew(ended)
        assert await read(store) == b"data"
        assert store.credentials.session.keys.access_key != ended


async def test_short_sessions_are_renewed_before_they_end(ministack, tmp_path):
    sessions = asyncio.Queue()

    def keep(event):
        if isinstance(event, CredentialsRenewed):
            sessions.put_nowait(event.expires)

    with ministack.sessions_of(4):
        async with opened(ministack, role_profile(ministack, tmp_path), on_event=keep) as store:
            refresher = asyncio.create_task(store.credentials.run())
            async with asyncio.timeout(30):
                ends = [await sessions.get() for _ in range(2)]
            refresher.cancel()
            assert await read(store) == b"data"
    assert 0 < ends[1] - ends[0] <= 4


@pytest.mark.parametrize("kind", ["static", "session"])
async def test_seaweedfs_takes_static_and_session_keys(seaweedfs, tmp_path, kind):
    keys = seaweedfs.reader if kind == "static" else seaweedfs.assume()
    async with opened(seaweedfs, keys_profile(seaweedfs, tmp_path, keys)) as store:
        assert await read(store) == b"data"


async def test_a_certificate_of_another_ca_is_refused(seaweedfs, tmp_path):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    profile = keys_profile(seaweedfs, tmp_path, seaweedfs.reader)
    access = AccessOptions(profile="export", ca_bundle=str(other))
    with pytest.raises(TlsError):
        async with opened(seaweedfs, profile, access=access):
            pass
