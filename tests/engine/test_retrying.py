"""Retries, renewals and back-off with the real engine: nothing is lost, nothing is retried without end."""

import asyncio

import pytest

from contract.memory import MemoryStore, refused, stored
from engine.harness import DONE, VirtualClock, run_once, states, tree
from s3haul.errors import (
    CredentialsError,
    DestinationError,
    Fault,
    FaultKind,
    SourceError,
    StoreError,
    TlsError,
)
from s3haul.events import Retrying


class OneRole:
    """Credentials that count their renewals; a stale key is renewed once."""

    trusted = True

    def __init__(self):
        self.number = 0
        self.calls = 0
        self.never_worked = []

    @property
    def access_key_id(self):
        return f"ASIA{self.number}"

    async def run(self):
        await asyncio.get_running_loop().create_future()

    async def renew(self, stale, *, never_worked=False):
        self.never_worked.append(never_worked)
        self.calls += 1
        if stale == self.access_key_id:
            self.number += 1


def objects(count):
    return {f"k{n:03}": stored(b"%d" % n) for n in range(count)}


async def test_a_short_period_of_503_loses_nothing_and_slows_the_run(tmp_path):
    def storm(call):
        if call.operation == "get" and call.n <= 3:
            raise refused(503, "SlowDown", "Please reduce your request rate.")

    store = MemoryStore(objects(40), fault=storm)
    done = await run_once(store, tmp_path, clock=VirtualClock())
    assert set(states(tmp_path).values()) == {DONE}
    assert done.stats.retries["throttled"] == 120
    assert all(event.everyone for event in done.events if isinstance(event, Retrying))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(FaultKind.BROKEN, "reset"), "network"),
        (Fault(FaultKind.STALL, "slow"), "stalled"),
        (Fault(FaultKind.HTTP, "oops", code="InternalError", status=500), "server-error"),
        (Fault(FaultKind.CONNECT, "refused"), "network"),
    ],
)
async def test_temporary_faults_are_retried_and_permanent_ones_fail_only_that_object(tmp_path, fault, reason):
    def trouble(call):
        if call.operation == "get" and (call.key == "k001" or call.n == 1):
            raise StoreError(fault)

    done = await run_once(MemoryStore(objects(3), fault=trouble), tmp_path, retry_timeout=5.0)
    assert states(tmp_path) == {"k000": DONE, "k001": ("failed", reason), "k002": DONE}
    assert done.stats.exit_code == 1


async def test_expired_tokens_are_renewed_and_the_objects_fetched(tmp_path):
    role = OneRole()

    def expire(call):
        if call.operation == "get" and role.number == 0:
            raise refused(400, "ExpiredToken", "The provided token has expired.")

    done = await run_once(MemoryStore(objects(40), fault=expire), tmp_path, credentials=role)
    assert (set(states(tmp_path).values()), role.number) == ({DONE}, 1)
    assert done.stats.exit_code == 0


async def test_a_renewal_without_a_successful_request_after_it_is_useless(tmp_path):
    role = OneRole()

    def refuse(call):
        if call.operation == "get" and role.number in {0, 1, 2, 4}:
            raise refused(400, "InvalidToken")
        if call.operation == "get" and call.key == "k001" and role.number == 3:
            role.number = 4

    await run_once(MemoryStore(objects(3), fault=refuse), tmp_path, credentials=role, concurrency=1)
    assert role.never_worked == [False, True, True, False]


async def test_a_listing_page_survives_an_expired_token_and_a_server_error(tmp_path):
    role = OneRole()

    def trouble(call):
        if call.operation == "list" and call.n == 2:
            raise refused(400, "ExpiredToken")
        if call.operation == "list" and call.n == 4:
            raise refused(500, "InternalError")

    store = MemoryStore(objects(30), fault=trouble, page_size=10)
    await run_once(store, tmp_path, credentials=role)
    assert len(tree(tmp_path)) == 30


async def test_a_token_that_expires_again_and_again_ends_the_run(tmp_path):
    def expire(call):
        if call.operation == "get":
            raise refused(400, "ExpiredToken")

    with pytest.raises(CredentialsError) as caught:
        await run_once(MemoryStore(objects(3), fault=expire), tmp_path, credentials=OneRole())
    assert caught.value.exit_code == 4


async def test_an_expired_token_without_a_role_ends_the_run(tmp_path):
    def expire(call):
        raise refused(400, "ExpiredToken")

    with pytest.raises(CredentialsError, match="expired"):
        await run_once(MemoryStore(objects(3), fault=expire), tmp_path)


class Unproven(OneRole):
    """Keys of a profile, which nobody has vouched for."""

    trusted = False


async def test_credentials_that_were_valid_are_renewed_when_they_are_refused(tmp_path):
    keys = Unproven()

    def refuse(call):
        if call.operation == "get" and call.n == 1:
            raise refused(400, "ExpiredToken")

    await run_once(MemoryStore(objects(3), fault=refuse), tmp_path, credentials=keys)
    assert set(states(tmp_path).values()) == {DONE}


async def test_credentials_that_were_never_valid_end_the_run_at_once(tmp_path):
    keys = Unproven()

    def refuse(call):
        raise refused(403, "InvalidAccessKeyId")

    with pytest.raises(CredentialsError):
        await run_once(MemoryStore(objects(3), fault=refuse), tmp_path, credentials=keys)
    assert keys.calls == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(FaultKind.TLS, "hostname mismatch"), TlsError),
        (Fault(FaultKind.LOCAL, "EMFILE"), DestinationError),
        (Fault(FaultKind.HTTP, "", code="NoSuchBucket", status=404), SourceError),
        (Fault(FaultKind.HTTP, "", code="PermanentRedirect", status=301, region="eu-west-1"), SourceError),
    ],
)
async def test_a_fault_that_no_retry_can_fix_ends_the_run_at_once(tmp_path, fault, error):
    def trouble(call):
        raise StoreError(fault)

    store = MemoryStore(objects(3), fault=trouble)
    with pytest.raises(error):
        await run_once(store, tmp_path)
    assert store.count("list") == 1


async def test_a_bug_in_a_worker_is_never_silent(tmp_path):
    def bug(call):
        if call.operation == "get":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_once(MemoryStore(objects(3), fault=bug), tmp_path)


async def test_a_refused_listing_names_the_missing_permission(tmp_path):
    def deny(call):
        raise refused(403, "AccessDenied", "not authorized to perform: s3:ListBucket")

    with pytest.raises(Exception, match="s3:ListBucket") as caught:
        await run_once(MemoryStore(objects(3), fault=deny), tmp_path)
    assert (caught.value.exit_code, caught.value.id) == (4, "S3H-S3-02")
