"""The credentials of the role over days of virtual time: renewed one at a time,
before expiry, with events."""

import asyncio

import pytest

from s3haul.aws.credentials import RoleCredentials
from s3haul.aws.source_credentials import advisory_window, mandatory_window
from s3haul.aws.sts import RoleSession
from s3haul.errors import AssumeRoleError, CredentialsError
from s3haul.events import CredentialsRenewed, Warned
from s3haul.s3.endpoint import Credentials

START = 1_000_000.0


class Timeline:
    """A clock that only `advance` moves. Sleeping tasks wake in order."""

    def __init__(self) -> None:
        self.now = START
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, wake))
        await wake

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while due := [one for one in self._sleepers if one[0] <= end]:
            first = min(due, key=lambda one: one[0])
            self._sleepers.remove(first)
            self.now = max(self.now, first[0])
            if not first[1].done():
                first[1].set_result(None)
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Sts:
    """Returns sessions of `duration` seconds, or raises `trouble` if set; `limiter` delays responses."""

    def __init__(self, timeline: Timeline, duration: float = 3600.0) -> None:
        self.timeline = timeline
        self.duration = duration
        self.calls = 0
        self.times: list[float] = []
        self.trouble: Exception | None = None
        self.limiter = asyncio.Event()
        self.limiter.set()

    async def __call__(self) -> RoleSession:
        self.calls += 1
        self.times.append(self.timeline.now - START)
        number = self.calls
        await self.limiter.wait()
        if self.trouble:
            raise self.trouble
        ends = self.timeline.now + self.duration
        keys = Credentials(f"ASIA{number}", f"secret-{number}", f"token-{number}", ends)
        return RoleSession(keys, "arn:aws:sts::111111111111:assumed-role/r/s", ends, self.duration)


class Rig:
    """Credentials on a timeline, with their events."""

    def __init__(self, duration: float = 3600.0, **options) -> None:
        self.timeline = Timeline()
        self.sts = Sts(self.timeline, duration)
        self.events = []
        self.credentials = RoleCredentials(
            self.sts,
            on_event=self.events.append,
            clock=self.timeline.clock,
            sleep=self.timeline.sleep,
            jitter=lambda: 0.5,
            **options,
        )

    @property
    def renewals(self) -> list[CredentialsRenewed]:
        return [event for event in self.events if isinstance(event, CredentialsRenewed)]

    def warnings(self, words: str) -> list[Warned]:
        return [event for event in self.events if isinstance(event, Warned) and words in event.message]

    async def running(self) -> asyncio.Task[None]:
        await self.credentials.start()
        task = asyncio.create_task(self.credentials.run())
        await settle()
        return task


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("duration", "advisory", "mandatory"),
    [(43200, 900, 600), (3600, 900, 450), (1800, 450, 225), (900, 225, 112.5), (20, 5, 2.5)],
)
def test_the_renewal_times_depend_on_the_length_of_the_session(duration, advisory, mandatory):
    assert advisory_window(duration) == advisory
    assert mandatory_window(duration) == mandatory


async def test_only_the_refresher_renews_a_session_before_it_expires():
    rig = Rig()
    task = await rig.running()
    (first,) = rig.renewals
    assert first.expires == START + 3600
    assert 900 <= first.expires - first.next_refresh <= 990
    await rig.timeline.advance(first.next_refresh - START - 1)
    assert rig.sts.calls == 1
    await rig.timeline.advance(1)
    assert rig.sts.calls == 2
    assert (await rig.credentials.current()).access_key == "ASIA2"
    await ended(task)


async def test_three_days_of_short_sessions_take_one_call_each():
    rig = Rig(duration=900)
    task = await rig.running()
    for _ in range(3 * 24 * 60):
        await rig.timeline.advance(60)
        await rig.credentials.current()
    assert len(rig.renewals) == rig.sts.calls
    assert [event.first for event in rig.renewals].index(False) == 1
    assert 380 <= rig.sts.calls <= 400
    await ended(task)


async def test_valid_credentials_are_returned_without_waiting():
    rig = Rig()
    await rig.credentials.start()
    for _ in range(1000):
        await rig.credentials.current()
    assert rig.sts.calls == 1


async def test_sixty_four_workers_with_the_same_expired_session_cause_one_renewal():
    rig = Rig()
    task = await rig.running()
    rig.sts.limiter.clear()
    renewals = [asyncio.create_task(rig.credentials.renew("ASIA1")) for _ in range(64)]
    await settle()
    rig.sts.limiter.set()
    await asyncio.gather(*renewals)
    assert rig.sts.calls == 2
    await rig.credentials.renew("ASIA1")
    assert rig.sts.calls == 2
    await ended(task)


async def test_a_cancelled_worker_does_not_cancel_the_renewal():
    rig = Rig()
    await rig.credentials.start()
    rig.sts.limiter.clear()
    first, second = (asyncio.create_task(rig.credentials.renew("ASIA1")) for _ in range(2))
    await settle()
    await ended(first)
    rig.sts.limiter.set()
    await second
    assert (await rig.credentials.current()).access_key == "ASIA3"


async def test_while_sts_is_down_the_old_session_is_used_until_it_expires():
    rig = Rig()
    task = await rig.running()
    rig.sts.trouble = AssumeRoleError("no", id="S3H-STS-03")
    await rig.timeline.advance(3599)
    assert (await rig.credentials.current()).access_key == "ASIA1"
    assert len(rig.warnings("could not be renewed")) == rig.sts.calls - 1 > 5
    assert rig.warnings("requests wait") == []
    assert rig.sts.calls < 80
    await ended(task)


async def test_after_expiry_requests_wait_until_sts_responds_again():
    rig = Rig()
    task = await rig.running()
    rig.sts.trouble = AssumeRoleError("no")
    await rig.timeline.advance(3600)
    waiting = [asyncio.create_task(rig.credentials.current()) for _ in range(64)]
    await rig.timeline.advance(300)
    assert not any(one.done() for one in waiting)
    assert [event.id for event in rig.warnings("requests wait")] == ["S3H-STS-03"]
    rig.sts.trouble = None
    await rig.timeline.advance(60)
    assert len({(await one).access_key for one in waiting}) == 1
    assert len(rig.renewals) == 2
    await ended(task)


async def test_after_the_time_limit_the_run_ends_with_the_reason_and_how_to_resume():
    rig = Rig()
    task = await rig.running()
    rig.sts.trouble = CredentialsError("expired", hint="log in again", said="The token", id="S3H-STS-02")
    await rig.timeline.advance(3600)
    waiting = asyncio.create_task(rig.credentials.current())
    await rig.timeline.advance(901)
    for one in (task, waiting):
        with pytest.raises(CredentialsError) as caught:
            await one
        assert caught.value.id == "S3H-STS-02"
        assert caught.value.said == "The token"
        assert "resumes" in caught.value.hint
    calls = rig.sts.calls
    with pytest.raises(CredentialsError):
        await rig.credentials.current()
    assert rig.sts.calls == calls


async def test_a_session_that_is_refused_is_replaced_before_it_expires():
    rig = Rig()
    await rig.credentials.start()
    await rig.credentials.renew((await rig.credentials.current()).access_key)
    assert (await rig.credentials.current()).access_key == "ASIA2"


async def test_a_failing_first_call_is_raised_at_once():
    rig = Rig()
    rig.sts.trouble = AssumeRoleError("no")
    with pytest.raises(AssumeRoleError):
        await rig.credentials.start()
    assert rig.sts.calls == 1


async def test_an_mfa_session_is_never_renewed_and_its_end_is_announced():
    rig = Rig(renewable=False)
    task = await rig.running()
    assert [event.id for event in rig.warnings("MFA")] == ["S3H-STS-08"]
    await rig.timeline.advance(3601)
    with pytest.raises(CredentialsError) as caught:
        await task
    assert caught.value.id == "S3H-STS-08"
    assert rig.sts.calls == 1


async def test_new_sessions_that_s3_refuses_are_replaced_with_growing_pauses_for_a_limited_time():
    rig = Rig(duration=43200)
    task = await rig.running()

    async def refuse(never_worked: bool) -> None:
        while True:
            await rig.credentials.renew(rig.credentials.access_key_id, never_worked=never_worked)
            never_worked = True

    workers = [asyncio.create_task(refuse(number > 0)) for number in range(4)]
    await rig.timeline.advance(10)
    assert 4 <= rig.sts.calls <= 6
    await rig.timeline.advance(50)
    assert rig.sts.calls <= 12
    for _ in range(1000):
        await rig.timeline.advance(1)
    assert all(one.done() for one in workers)
    for one in workers:
        with pytest.raises(CredentialsError) as caught:
            await one
        assert (caught.value.id, caught.value.exit_code) == ("S3H-STS-14", 4)
        assert "source credentials are fine" in caught.value.hint
    assert 60 <= rig.sts.calls <= 100
    await ended(task)


async def test_a_session_that_worked_before_is_replaced_at_once_when_it_is_refused():
    rig = Rig()
    await rig.credentials.start()
    for number in range(1, 100):
        await rig.credentials.renew(f"ASIA{number}")
    assert (rig.sts.calls, rig.timeline.now) == (100, START)


async def test_the_wait_for_sts_is_measured_without_the_wall_clock():
    rig = Rig()
    task = await rig.running()
    rig.sts.trouble = AssumeRoleError("no")
    await rig.timeline.advance(3600)
    waiting = asyncio.create_task(rig.credentials.current())
    await rig.timeline.advance(60)
    rig.timeline.now += 7200
    rig.sts.trouble = None
    await rig.timeline.advance(120)
    assert (await waiting).access_key == rig.credentials.access_key_id
    await ended(task)


async def test_no_repr_of_the_credentials_contains_a_secret():
    rig = Rig()
    session = await rig.credentials.start()
    shown = repr(rig.credentials) + repr(session) + repr(session.keys) + repr(rig.events)
    assert "secret-1" not in shown
    assert "token-1" not in shown
