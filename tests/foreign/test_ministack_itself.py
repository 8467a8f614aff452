"""What ministack does, as far as other tests rely on it: External IDs, sessions that end, odd keys.

Plain botocore asks; nothing of s3haul takes part.
"""

import time

import pytest

from contract.suite import ODD_KEYS
from foreign.asking import body_of, listed, refusal
from foreign.clients import Credentials

MORE_ODD_KEYS = (
    ".",
    "..",
    "a/..",
    "//",
    "trailing/ ",
    " leading",
    "two  spaces",
    "\x7f",
    "carriage\rreturn\r\n",
    "~!@$^*()[]{}|;:,'",
    "%",
    "%00",
    "+",
    "nul%00.txt",
    "C:\\con",
    "\u202eright to left",
    "\U0010ffff",
)


def test_ministack_encrypts_with_the_bucket_s_key_by_default(ministack):
    s3 = ministack.client("s3")
    s3.put_object(Bucket=ministack.bucket, Key="default", Body=b"")
    answer = s3.head_object(Bucket=ministack.bucket, Key="default")
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", ministack.kms_key_arn)


def test_the_right_external_id_gives_a_session_that_lists_and_reads_and_no_more(ministack):
    ministack.seed({"role": b"body"})
    session = ministack.client("s3", ministack.assume())
    assert "role" in listed(session, ministack.bucket)
    assert body_of(session, ministack.bucket, "role") == b"body"
    denied = refusal(session.put_object, Bucket=ministack.bucket, Key="role", Body=b"")
    assert denied == (403, "AccessDenied")


@pytest.mark.parametrize("external_id", ["wrong", None], ids=["wrong", "missing"])
def test_a_wrong_or_missing_external_id_is_refused(ministack, external_id):
    assert refusal(ministack.assume, ExternalId=external_id) == (403, "AccessDenied")


def test_the_right_external_id_does_not_help_another_account(ministack):
    stranger = Credentials("333333333333", "any")
    assert refusal(ministack.assume, keys=stranger) == (403, "AccessDenied")


def test_the_caller_cannot_read_the_bucket_without_the_role(ministack):
    direct = ministack.client("s3", ministack.caller)
    assert refusal(direct.list_objects_v2, Bucket=ministack.bucket) == (403, "AccessDenied")


def test_expired_sessions_are_refused_and_a_new_one_continues(ministack):
    ministack.seed({"expiry": b"body"})
    old = ministack.client("s3", ministack.assume())
    assert body_of(old, ministack.bucket, "expiry") == b"body"
    ministack.expire_sessions()
    assert refusal(old.get_object, Bucket=ministack.bucket, Key="expiry") == (400, "ExpiredToken")
    new = ministack.client("s3", ministack.assume())
    assert body_of(new, ministack.bucket, "expiry") == b"body"
    assert refusal(old.list_objects_v2, Bucket=ministack.bucket) == (400, "ExpiredToken")


def test_a_session_of_a_second_ends_by_itself(ministack):
    s3 = ministack.client("s3", ministack.assume(duration=1))

    def list_for_at_most(seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            s3.list_objects_v2(Bucket=ministack.bucket, MaxKeys=1)

    assert refusal(list_for_at_most, seconds=20) == (400, "ExpiredToken")


def test_sessions_can_be_shorter_than_what_the_client_asks_for(ministack):
    sts = ministack.client("sts", ministack.caller)
    request = {
        "RoleArn": ministack.role_arn,
        "RoleSessionName": "test",
        "ExternalId": ministack.external_id,
        "DurationSeconds": 900,
    }
    with ministack.sessions_of(7):
        short = sts.assume_role(**request)
    full = sts.assume_role(**request)
    lasts = [answer["Credentials"]["Expiration"].timestamp() - time.time() for answer in (short, full)]
    assert lasts[0] <= 7
    assert 800 < lasts[1] <= 900


def test_every_odd_key_goes_to_ministack_and_back(ministack):
    keys = ODD_KEYS + MORE_ODD_KEYS
    bucket = ministack.fresh_bucket()
    ministack.seed({key: key.encode() for key in keys}, bucket=bucket)
    s3 = ministack.client("s3", ministack.assume())
    assert {key: body_of(s3, bucket, key) for key in keys} == {key: key.encode() for key in keys}
    assert listed(s3, bucket) == listed(s3, bucket, page_size=4) == sorted(keys, key=str.encode)


def test_ministack_lists_a_directory_among_its_siblings_in_utf8_order(ministack):
    bucket = ministack.fresh_bucket()
    keys = ["a!", "a-b", "a-b/c", "a.txt", "a/b", "a/b-c", "a/b/c", "ab", "b"]
    ministack.seed(dict.fromkeys(keys, b""), bucket=bucket)
    assert listed(ministack.client("s3"), bucket) == keys
