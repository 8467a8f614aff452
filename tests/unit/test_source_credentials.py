"""Keys of a source: asked for again when S3 refuses them, waited for as long as is allowed, then given up."""

import pytest

from s3haul.aws.source_credentials import SourceCredentials
from s3haul.errors import CredentialsError
from s3haul.events import Warned
from s3haul.s3.endpoint import Credentials


class Source:
    """What a profile says now; time passes only while somebody sleeps."""

    def __init__(self, key: str = "AKIA1"):
        self.key, self.now, self.loads = key, 0.0, 0
        self.events: list[Warned] = []

    async def load(self):
        self.loads += 1

        async def fetch():
            return Credentials(self.key, "secret")

        return fetch

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def started(self, seconds: float = 900.0) -> SourceCredentials:
        made = SourceCredentials(self.load, on_event=self.events.append, timeout=seconds, sleep=self.sleep)
        await made.start()
        return made


async def test_newer_source_credentials_are_used_at_once():
    source = Source()
    credentials = await source.started()
    source.key = "AKIA2"
    await credentials.renew("AKIA1")
    assert (credentials.access_key_id, (await credentials.current()).access_key, source.now) == (
        "AKIA2",
        "AKIA2",
        0.0,
    )


async def test_a_token_that_was_refused_for_a_moment_is_tried_again_after_a_pause():
    source = Source()
    credentials = await source.started()
    await credentials.renew("AKIA1")
    assert 1.0 <= source.now <= 2.0
    assert len(source.events) == 1


async def test_a_source_without_other_keys_is_given_up_after_the_time_that_is_allowed():
    source = Source()
    credentials = await source.started(60.0)
    await credentials.renew("AKIA1")
    while source.now < 60.0:
        await credentials.renew("AKIA1", never_worked=True)
    with pytest.raises(CredentialsError, match="S3 has refused") as caught:
        await credentials.renew("AKIA1", never_worked=True)
    assert (caught.value.exit_code, 60.0 <= source.now <= 75.0) == (4, True)


async def test_the_time_begins_anew_once_something_was_served():
    source = Source()
    credentials = await source.started(10.0)
    for _ in range(100):
        await credentials.renew("AKIA1", never_worked=False)


async def test_a_report_about_keys_that_are_already_replaced_causes_no_request():
    source = Source()
    credentials = await source.started()
    await credentials.renew("AKIA0")
    assert source.loads == 1
