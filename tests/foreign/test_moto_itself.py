"""What moto does, as far as other tests rely on it, and where it departs from S3 in a way that a run meets.

Plain botocore asks; nothing of s3haul takes part.
"""

import pytest

from contract.stored import digest, text
from foreign.asking import body_of, refusal

FIRST_PART = bytes(5 * 1024 * 1024)
LAST_PART = b"the last part"


def test_moto_refuses_a_wrong_external_id(moto):
    assert refusal(moto.assume, ExternalId="wrong") == (403, "AccessDenied")


def test_moto_lets_the_role_read_and_no_more(moto):
    moto.seed({"role": b"body"})
    session = moto.client("s3", moto.assume())
    assert body_of(session, moto.bucket, "role") == b"body"
    denied = refusal(session.put_object, Bucket=moto.bucket, Key="role", Body=b"")
    assert denied == (403, "AccessDenied")


def test_moto_closes_the_connection_after_each_answer(moto):
    answer = moto.client("s3").list_objects_v2(Bucket=moto.bucket)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["connection"] == "close"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_moto_gives_a_checksum_of_checksums_with_the_number_of_parts_to_get_alone(moto, algorithm):
    where = {"Bucket": moto.bucket, "Key": f"composite/{algorithm}"}
    moto.seed_multipart(where["Key"], [FIRST_PART, LAST_PART], algorithm, "COMPOSITE")
    s3 = moto.client("s3")
    whole = text(digest(algorithm, digest(algorithm, FIRST_PART) + digest(algorithm, LAST_PART)))
    for call, number in ((s3.get_object, "-2"), (s3.head_object, "")):
        answer = call(**where, ChecksumMode="ENABLED")
        assert (answer[f"Checksum{algorithm}"], answer["ChecksumType"]) == (whole + number, "COMPOSITE")
        # A header that begins like that of a checksum and is none.
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-checksum-algorithm"] == algorithm


def test_moto_gives_the_whole_object_for_a_part(moto):
    moto.seed_multipart("parts", [FIRST_PART, LAST_PART], "SHA256", "COMPOSITE")
    answer = moto.client("s3").get_object(Bucket=moto.bucket, Key="parts", PartNumber=2)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["ContentLength"]) == (
        200,
        len(FIRST_PART + LAST_PART),
    )
