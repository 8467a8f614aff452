"""What goes wrong on the way to the bucket: wrong names, regions, certificates, redirects, listings."""

import json

import pytest

from e2e.harness import SOURCE, Machine, expected, small_cloud, tree
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.demo.model import Bucket, KmsKey
from s3haul.demo.server import DemoServer

ELSEWHERE = "eu-central-1"


def copy(machine, dest, *arguments, source=SOURCE, **options):
    return machine.run("cp", source, str(dest), "--profile", "export", *arguments, **options)


def assert_refused(ran, code, error_id, *words):
    assert ran.code == code, ran.text
    assert f"[{error_id}]" in ran.text
    for word in words:
        assert word in ran.text, ran.text


def test_a_bucket_that_does_not_exist_is_exit_code_6(server, machine, dest):
    ran = copy(machine, dest, source="s3://demo-exprot")
    assert_refused(ran, 6, "S3H-S3-01", "'demo-exprot' does not exist", "check the name")


def test_an_object_that_does_not_exist_is_exit_code_6_and_a_prefix_is_recognised(server, machine, dest):
    ran = copy(machine, dest, source=f"{SOURCE}/no-such-key")
    assert_refused(ran, 6, "S3H-S3-16", "no-such-key")
    ran = copy(machine, dest, source=f"{SOURCE}/data")
    assert_refused(ran, 6, "S3H-S3-16", "add --recursive")


def test_an_empty_bucket_is_exit_code_0_with_a_warning(machine, server, dest):
    ran = copy(machine, dest, source=f"{SOURCE}/nothing/below/")
    assert ran.code == 0
    assert "Nothing is there" in ran.err


def test_a_bucket_in_another_region_than_configured_works(server, machine, dest):
    cloud = server.cloud
    arn = f"arn:aws:kms:{ELSEWHERE}:{seed.ACCOUNT_A}:key/elsewhere"
    policy = cloud.kms_keys[seed.KMS_KEY_ARN].policy
    cloud.add_kms_key(KmsKey(seed.ACCOUNT_A, ELSEWHERE, "elsewhere", policy))
    cloud.add_bucket(Bucket("demo-elsewhere", seed.ACCOUNT_A, ELSEWHERE, default_key=arn))
    role = cloud.roles[seed.ROLE_ARN]
    text = json.dumps(role.policies).replace(seed.KMS_KEY_ARN, arn)
    text = text.replace(f"s3.{seed.REGION}", f"s3.{ELSEWHERE}").replace(seed.BUCKET, "demo-elsewhere")
    role.policies = json.loads(text)
    cloud.put("demo-elsewhere", "a/b.bin", Generated(1, 10_000))
    ran = copy(machine, dest, source="s3://demo-elsewhere")
    assert ran.code == 0, ran.text
    assert tree(dest) == {"a/b.bin": Generated(1, 10_000).read(0, 10_000)}
    assert ELSEWHERE in ran.err


def test_a_certificate_of_an_unknown_authority_is_refused(server, machine, dest):
    machine.configure(without="ca_bundle")
    assert_refused(copy(machine, dest), 6, "S3H-NET-06", "certificate", "--ca-bundle")
    assert not server.calls


def test_a_certificate_for_another_name_is_refused(tmp_path, dest):
    with DemoServer(small_cloud(3), names=("s3.example.com",)) as server:
        (tmp_path / "home").mkdir()
        machine = Machine(server, tmp_path / "home")
        assert_refused(copy(machine, dest), 6, "S3H-NET-06", "certificate")
        assert not server.calls


def test_a_plain_http_endpoint_beyond_this_machine_is_refused(server, machine, dest):
    machine.configure(endpoint_url="http://192.0.2.1:9000")
    assert_refused(copy(machine, dest), 2, "S3H-NET-03", "http://192.0.2.1:9000", "use https://")


def test_kms_objects_over_plain_http_show_what_s3_says_to_that(tmp_path, dest):
    with DemoServer(small_cloud(3), tls=False) as server:
        (tmp_path / "home").mkdir()
        machine = Machine(server, tmp_path / "home")
        machine.configure(without="ca_bundle")
        ran = copy(machine, dest)
        assert ran.code == 1, ran.text
        assert "must be made over a secure connection" in ran.out
        assert "AWS KMS" in ran.out
        assert tree(dest) == {}


def test_a_refused_connection_to_the_endpoint_is_exit_code_6(server, machine, dest):
    with DemoServer(small_cloud(0)) as gone:
        nowhere = gone.endpoint_url
    machine.configure(endpoint_url=nowhere)
    assert_refused(copy(machine, dest), 6, "S3H-NET-05", "cannot be reached", "check the network")


@pytest.mark.parametrize("operation", ["AssumeRole", "ListObjectsV2", "GetObject"])
def test_a_redirect_is_refused_and_the_other_server_is_never_called(server, machine, dest, operation):
    with DemoServer(small_cloud(3), tls=False) as other:  # without a certificate that could stop a client
        server.faults.add("redirect", operation=operation, status=307, location=f"{other.endpoint_url}/x")
        ran = copy(machine, dest)
        assert_refused(ran, 1 if operation == "GetObject" else 6, "S3H-NET-07", "--endpoint-url")
        assert other.calls == []
    assert tree(dest) == {}


@pytest.mark.parametrize("effect", ["truncated-without-token", "repeated-token", "out-of-order"])
def test_a_listing_that_cannot_be_complete_is_exit_code_6(server, machine, dest, effect):
    server.faults.add(effect, operation="ListObjectsV2", since=2)
    ran = copy(machine, dest, "--page-size", "20")
    assert_refused(ran, 6, "S3H-S3-15", "listing")


def test_listing_pages_that_fail_once_are_requested_again(server, machine, dest):
    server.faults.add("error", operation="ListObjectsV2", exactly=2)
    server.faults.add("truncated-xml", operation="ListObjectsV2", exactly=4)
    server.faults.add("reset", operation="ListObjectsV2", exactly=6, after=100)
    server.faults.add("expire-sessions", operation="ListObjectsV2", exactly=8)
    ran = machine.cp(dest, "--page-size", "10")
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(server)
    assert ran.summary["retries"]


def test_keys_that_are_listed_twice_are_copied_once(server, machine, dest):
    server.faults.add("duplicate-key", operation="ListObjectsV2", exactly=1)
    server.faults.add("duplicate-key-across-pages", operation="ListObjectsV2", exactly=2)
    ran = machine.cp(dest, "--page-size", "20")
    assert ran.code == 0, ran.text
    assert ran.summary["done"]["objects"] == server.count("GetObject") == len(expected(server))
    assert tree(dest) == expected(server)


def test_archived_objects_are_skipped_with_exit_code_3_and_without_a_request(server, machine, dest):
    server.cloud.put(seed.BUCKET, "cold.bin", b"cold", storage_class="DEEP_ARCHIVE")
    ran = copy(machine, dest)
    assert ran.code == 3
    assert "[S3H-S3-10]" in ran.out
    assert "cold.bin" in ran.out
    assert "Restore them" in ran.out
    assert server.count("GetObject", "cold.bin") == 0


def test_objects_deleted_or_overwritten_after_they_were_listed_are_distinguished(server, machine, dest):
    server.faults.add("delete", operation="GetObject", key="data/5/object-0005.bin")
    server.faults.add("change", operation="GetObject", key="data/6/object-0006.bin", first=1)
    ran = machine.cp(dest)
    assert (ran.code, ran.failed) == (1, {"not-found": 1})
    assert tree(dest) == expected(server)  # without the deleted one, with the new version of the other


def test_a_bucket_that_makes_the_requester_pay_works_with_the_flag(server, machine, dest):
    server.cloud.buckets[seed.BUCKET].requester_pays = True
    ran = copy(machine, dest)
    assert ran.code == 4
    assert copy(machine, dest, "--request-payer", "requester").code == 0
    assert tree(dest) == expected(server)
