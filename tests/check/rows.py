"""Every row of the diagnosis table that the embedded cloud can produce:
exactly that mistake, set up honestly.

A scenario changes one thing. `ROWS` says what `check` and `cp` must end with.
"""

import time
from typing import NamedTuple

from check.world import BUCKET_ARN, MFA, URL, Setup, World, allow, deny, policy
from s3haul.demo import seed
from s3haul.demo.model import KmsKey, Role

THIRD_ACCOUNT = "333333333333"
ELSEWHERE = "eu-central-1"
ENDPOINT = "vpce-0123456789abcdef0"
VIA_S3 = {"StringEquals": {"kms:ViaService": f"s3.{seed.REGION}.amazonaws.com"}}
PRINCIPAL = {"Principal": "*"}


def section_without_the_word_profile(world: World) -> None:
    world.flags = ["--profile", "exprot"]


def source_profile_missing(world: World) -> None:
    world.configure(source="source_profile = user-x")


def nobody_assumes_the_role(world: World) -> None:
    world.configure(source="")


def two_sources(world: World) -> None:
    world.configure(source="source_profile = user-b\ncredential_source = Environment")


def no_credentials(world: World) -> None:
    world.flags = []
    world.environment = {"AWS_ENDPOINT_URL": world.server.endpoint_url, "AWS_CA_BUNDLE": world.server.ca_path}


def exported_keys_override_profile(world: World) -> None:
    world.flags = []
    world.environment = {
        "AWS_PROFILE": "export",
        "AWS_ACCESS_KEY_ID": seed.USER_B_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": seed.USER_B_SECRET,
    }


def unknown_access_key(world: World) -> None:
    world.configure(key="AKIANOBODY0000000000")


def temporary_key_without_its_token(world: World) -> None:
    session = world.cloud.start_session(world.role, "lost", 3600)
    world.configure(key=session.access_key_id, secret=session.secret)


def expired_login(world: World) -> None:
    login = world.cloud.add_role(Role(seed.ACCOUNT_B, "login", policy()))
    session = world.cloud.start_session(login, "yesterday", -60)
    token = f"aws_session_token = {session.token}"
    world.configure(key=session.access_key_id, secret=session.secret, token=token)


def clock_off(world: World) -> None:
    world.cloud.clock = lambda: time.time() + 200_000  # up to a day, requests are signed by the server's


def wrong_secret(world: World) -> None:
    world.configure(secret="not-the-secret")


def wrong_external_id(world: World) -> None:
    world.configure(external_id="external_id = some-other-id")


def missing_external_id(world: World) -> None:
    world.configure(external_id="")


def wrong_external_id_seen_by_the_owner(world: World) -> None:
    wrong_external_id(world)
    world.flags += ["--owner-profile", "owner"]


def own_policy_lacks_assume_role(world: World) -> None:
    world.user.policies = [policy(allow("sts:AssumeRole", f"{seed.ROLE_ARN}-2"))]


def trust_names_somebody_else(world: World) -> None:
    world.role.trust["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{seed.ACCOUNT_B}:user/user-c"}
    world.flags += ["--owner-profile", "owner"]


def worker_role_is_not_trusted(world: World) -> None:
    worker = world.cloud.add_role(Role(seed.ACCOUNT_B, "worker", policy(), [policy(allow())]))
    session = world.cloud.start_session(worker, "node-1", 3600)
    token = f"aws_session_token = {session.token}"
    world.configure(key=session.access_key_id, secret=session.secret, token=token)
    world.flags += ["--owner-profile", "owner"]


def user_was_made_again(world: World) -> None:
    world.cloud.make_again(world.user)
    world.flags += ["--owner-profile", "owner"]


def role_name_in_other_case(world: World) -> None:
    arn = seed.ROLE_ARN.replace("export-role", "Export-Role")
    world.user.policies = [policy(allow("sts:AssumeRole"))]
    world.configure(role=arn)
    world.flags += ["--owner-profile", "owner"]


def role_wants_mfa(world: World) -> None:
    world.role.trust["Statement"][0]["Condition"]["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
    world.flags += ["--owner-profile", "owner"]


def nobody_to_give_the_mfa_code(world: World) -> None:
    world.user.mfa_serial, world.user.mfa_code = MFA, "123456"
    world.configure(more=f"mfa_serial = {MFA}")


def external_id_that_sts_cannot_take(world: World) -> None:
    world.configure(external_id="external_id = has a space")


def session_longer_than_the_role_allows(world: World) -> None:
    world.configure(more="duration_seconds = 7200")


def source_is_a_role(world: World) -> None:
    login = world.cloud.add_role(Role(seed.ACCOUNT_B, "login", policy(), [policy(allow("sts:AssumeRole"))]))
    world.role.trust["Statement"][0]["Principal"] = {"AWS": login.arn}
    world.role.max_session = 43200
    session = world.cloud.start_session(login, "me", 3600)
    token = f"aws_session_token = {session.token}"
    world.configure(key=session.access_key_id, secret=session.secret, token=token)
    world.configure(more="duration_seconds = 43200")


def sts_is_off_in_the_region(world: World) -> None:
    world.cloud.sts_regions_off.add(seed.REGION)


def external_id_is_not_demanded(world: World) -> None:
    del world.role.trust["Statement"][0]["Condition"]


def no_such_bucket(world: World) -> None:
    world.url = "s3://demo-exprot"


def bucket_elsewhere_and_the_server_does_not_tell(world: World) -> None:
    world.cloud.tells_regions = False
    world.cloud.buckets[seed.BUCKET].region = ELSEWHERE


def list_right_on_the_objects(world: World) -> None:
    world.statements[0]["Resource"] = f"{BUCKET_ARN}/*"


def list_right_under_a_prefix_only(world: World) -> None:
    world.statements[0]["Condition"] = {"StringLike": {"s3:prefix": "logs/*"}}
    # Not --exclude "*": then only logs/ would be listed, which is allowed.
    world.flags += ["--exclude", "data/*", "--include", "logs/*"]


def list_right_at_the_root_only(world: World) -> None:
    world.statements[0]["Condition"] = {"StringEquals": {"s3:prefix": ""}}
    world.url = f"{URL}/logs/"


def read_right_on_the_bucket(world: World) -> None:
    world.statements[1]["Resource"] = BUCKET_ARN


def read_right_under_another_prefix(world: World) -> None:
    world.statements[1]["Resource"] = f"{BUCKET_ARN}/logs/*"


def missing_key_without_the_list_right(world: World) -> None:
    del world.statements[0]
    world.url = f"{URL}/data/missing.bin"


def no_decrypt_right(world: World) -> None:
    del world.statements[2]


def decrypt_right_on_an_alias(world: World) -> None:
    world.decrypt["Resource"] = f"arn:aws:kms:{seed.REGION}:{seed.ACCOUNT_A}:alias/export"


def decrypt_right_through_another_region(world: World) -> None:
    world.decrypt["Condition"]["StringEquals"]["kms:ViaService"] = f"s3.{ELSEWHERE}.amazonaws.com"


def key_policy_without_root_statement(world: World) -> None:
    world.cloud.kms_keys[seed.KMS_KEY_ARN].policy = policy(
        allow("kms:*", Principal={"AWS": f"arn:aws:iam::{seed.ACCOUNT_A}:user/admin"})
    )


def key_of_a_third_account(world: World) -> None:
    key = world.cloud.add_kms_key(KmsKey(THIRD_ACCOUNT, seed.REGION, "third", policy()))
    for versions in world.cloud.buckets[seed.BUCKET].objects.values():
        versions[-1].kms_key = key.arn
    world.decrypt["Resource"] = [seed.KMS_KEY_ARN, key.arn]


def caller_reads_without_the_role(world: World) -> None:
    """The bucket policy lets user-b in, and the key is not shared with account B."""
    world.flags = ["--profile", "user-b"]
    world.environment = {"AWS_ENDPOINT_URL": world.server.endpoint_url, "AWS_CA_BUNDLE": world.server.ca_path}
    world.cloud.buckets[seed.BUCKET].policy = policy(allow(Principal={"AWS": world.user.arn}))
    world.user.policies = [policy(allow())]


def key_policy_wants_an_endpoint(world: World) -> None:
    statements = world.cloud.kms_keys[seed.KMS_KEY_ARN].policy["Statement"]
    wanted = {"StringNotEquals": {"aws:SourceVpce": ENDPOINT}}
    statements.append(deny("kms:Decrypt", **PRINCIPAL, Condition=wanted))


def context_of_plain_objects_only(world: World) -> None:
    world.decrypt["Condition"]["StringLike"] = {"kms:EncryptionContext:aws:s3:arn": f"{BUCKET_ARN}/*"}


def context_of_bucket_keys_only(world: World) -> None:
    world.decrypt["Condition"]["StringLike"] = {"kms:EncryptionContext:aws:s3:arn": BUCKET_ARN}


def second_key(world: World) -> None:
    root = world.cloud.kms_keys[seed.KMS_KEY_ARN].policy
    key = world.cloud.add_kms_key(KmsKey(seed.ACCOUNT_A, seed.REGION, "second", root))
    world.cloud.put(seed.BUCKET, "data/other.bin", b"other", kms_key=key.arn)


def key_disabled(world: World) -> None:
    world.cloud.kms_keys[seed.KMS_KEY_ARN].state = "Disabled"


def key_pending_deletion(world: World) -> None:
    world.cloud.kms_keys[seed.KMS_KEY_ARN].state = "PendingDeletion"


def key_gone(world: World) -> None:
    world.cloud.kms_keys.clear()


def signature_version_2(world: World) -> None:
    world.configure(more="s3 =\n    signature_version = s3")


def proxy_adds_an_encryption_header(world: World) -> None:
    message = "x-amz-server-side-encryption header is not supported for this operation."
    world.server.faults.add(
        "error", operation="GetObject", status=400, code="InvalidArgument", message=message
    )


def objects_of_another_account(world: World) -> None:
    world.cloud.put(seed.BUCKET, "data/foreign.bin", b"foreign", owner=THIRD_ACCOUNT)


def service_control_policy(world: World) -> None:
    world.cloud.service_control[seed.ACCOUNT_A] = policy(allow(), deny("s3:GetObject"))


def resource_control_policy(world: World) -> None:
    statement = deny("s3:*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, **PRINCIPAL)
    world.cloud.resource_control[seed.ACCOUNT_A] = policy(allow(**PRINCIPAL), statement)


def permissions_boundary(world: World) -> None:
    world.role.boundary = policy(allow(["s3:ListBucket", "kms:Decrypt"]))


def endpoint_policy(world: World) -> None:
    world.cloud.endpoint_policy = policy(allow(resource="arn:aws:s3:::company-*", **PRINCIPAL))


def session_policy(world: World) -> None:
    """Keys of a broker, which narrowed the session that it gives out."""
    narrow = policy(allow("s3:ListBucket"))
    session = world.cloud.start_session(world.role, "brokered", 3600, policy=narrow)
    token = f"aws_session_token = {session.token}"
    world.configure(key=session.access_key_id, secret=session.secret, token=token)
    world.flags = ["--profile", "user-b"]
    world.environment = {"AWS_ENDPOINT_URL": world.server.endpoint_url, "AWS_CA_BUNDLE": world.server.ca_path}


def bucket_policy_wants_an_endpoint(world: World) -> None:
    wanted = {"StringNotEquals": {"aws:SourceVpce": ENDPOINT}}
    world.cloud.buckets[seed.BUCKET].policy = policy(deny("s3:*", **PRINCIPAL, Condition=wanted))


def service_control_policy_on_decrypt(world: World) -> None:
    world.cloud.service_control[seed.ACCOUNT_A] = policy(allow(), deny("kms:Decrypt"))


def service_control_policy_of_the_caller(world: World) -> None:
    world.cloud.service_control[seed.ACCOUNT_B] = policy(allow(), deny("sts:AssumeRole"))


def requester_pays(world: World) -> None:
    world.cloud.buckets[seed.BUCKET].requester_pays = True


def one_object_and_the_requester_pays(world: World) -> None:
    requester_pays(world)
    world.url = f"{URL}/data/1.bin"


def archived_objects(world: World) -> None:
    world.cloud.put(seed.BUCKET, "data/cold.bin", b"cold", storage_class="DEEP_ARCHIVE")


def archived_tier(world: World) -> None:
    world.cloud.put(
        seed.BUCKET,
        "data/cold.bin",
        b"cold",
        storage_class="INTELLIGENT_TIERING",
        archive_status="ARCHIVE_ACCESS",
    )


def s3_throttles(world: World) -> None:
    slow = "Please reduce your request rate."
    world.server.faults.add(
        "error", operation="GetObject", first=2, status=503, code="SlowDown", message=slow
    )


def kms_throttles(world: World) -> None:
    slow = "Please reduce your request rate for operations involving AWS KMS."
    world.server.faults.add(
        "error", operation="GetObject", first=2, status=503, code="SlowDown", message=slow
    )


def objects_change(world: World) -> None:
    world.server.faults.add("change", operation="GetObject", key="data/1.bin")


def owner_is_somebody_else(world: World) -> None:
    world.flags += ["--expected-bucket-owner", THIRD_ACCOUNT]


def only_empty_objects(world: World) -> None:
    world.cloud.put(seed.BUCKET, "empty/a", b"")
    world.url = f"{URL}/empty/"


class Row(NamedTuple):
    """How `check` and `cp` end. `level` is that of the finding; `cp_names` whether cp shows the id."""

    id: str
    check: int
    cp: int
    level: str = "error"
    cp_names: bool = True


ROWS: dict[Setup, Row] = {
    section_without_the_word_profile: Row("S3H-CFG-01", 4, 4),
    source_profile_missing: Row("S3H-CFG-02", 4, 4),
    nobody_assumes_the_role: Row("S3H-CFG-03", 4, 4),
    two_sources: Row("S3H-CFG-04", 4, 4),
    no_credentials: Row("S3H-CFG-05", 4, 4),
    exported_keys_override_profile: Row("S3H-CFG-06", 4, 4),
    unknown_access_key: Row("S3H-STS-01", 4, 4),
    temporary_key_without_its_token: Row("S3H-STS-01", 4, 4),
    expired_login: Row("S3H-STS-02", 4, 4),
    clock_off: Row("S3H-NET-01", 4, 4),
    wrong_secret: Row("S3H-NET-01", 4, 4),
    wrong_external_id: Row("S3H-STS-03", 4, 4),
    missing_external_id: Row("S3H-STS-03", 4, 4),
    wrong_external_id_seen_by_the_owner: Row("S3H-STS-03", 4, 4),
    own_policy_lacks_assume_role: Row("S3H-STS-04", 4, 4),
    trust_names_somebody_else: Row("S3H-STS-05", 4, 4),
    worker_role_is_not_trusted: Row("S3H-STS-05", 4, 4),
    user_was_made_again: Row("S3H-STS-06", 4, 4),
    role_name_in_other_case: Row("S3H-STS-07", 4, 4),
    role_wants_mfa: Row("S3H-STS-08", 4, 4),
    nobody_to_give_the_mfa_code: Row("S3H-STS-08", 4, 4),
    external_id_that_sts_cannot_take: Row("S3H-STS-09", 4, 4),
    session_longer_than_the_role_allows: Row("S3H-STS-10", 4, 4),
    source_is_a_role: Row("S3H-STS-11", 0, 0, "note"),
    sts_is_off_in_the_region: Row("S3H-STS-12", 4, 4),
    external_id_is_not_demanded: Row("S3H-STS-13", 0, 0, "note", cp_names=False),
    no_such_bucket: Row("S3H-S3-01", 6, 6),
    bucket_elsewhere_and_the_server_does_not_tell: Row("S3H-NET-02", 6, 6),
    list_right_on_the_objects: Row("S3H-S3-02", 4, 4),
    list_right_under_a_prefix_only: Row("S3H-S3-03", 4, 4),
    list_right_at_the_root_only: Row("S3H-S3-03", 4, 4),
    read_right_on_the_bucket: Row("S3H-S3-04", 4, 4),
    read_right_under_another_prefix: Row("S3H-S3-04", 4, 1),
    missing_key_without_the_list_right: Row("S3H-S3-05", 4, 4),
    no_decrypt_right: Row("S3H-KMS-01", 4, 4),
    decrypt_right_on_an_alias: Row("S3H-KMS-01", 4, 4),
    decrypt_right_through_another_region: Row("S3H-KMS-01", 4, 4),
    key_policy_without_root_statement: Row("S3H-KMS-02", 4, 4),
    key_of_a_third_account: Row("S3H-KMS-03", 4, 4),
    caller_reads_without_the_role: Row("S3H-KMS-03", 4, 4),
    key_policy_wants_an_endpoint: Row("S3H-KMS-04", 4, 4),
    context_of_plain_objects_only: Row("S3H-KMS-05", 4, 1),
    context_of_bucket_keys_only: Row("S3H-KMS-05", 4, 1),
    second_key: Row("S3H-KMS-06", 4, 1),
    key_disabled: Row("S3H-KMS-07", 4, 4),
    key_pending_deletion: Row("S3H-KMS-07", 4, 4),
    key_gone: Row("S3H-KMS-07", 4, 4),
    signature_version_2: Row("S3H-NET-03", 4, 4),
    proxy_adds_an_encryption_header: Row("S3H-S3-06", 4, 1),
    objects_of_another_account: Row("S3H-S3-07", 4, 1),
    service_control_policy: Row("S3H-S3-08", 4, 4),
    resource_control_policy: Row("S3H-S3-08", 4, 4),
    permissions_boundary: Row("S3H-S3-08", 4, 4),
    endpoint_policy: Row("S3H-S3-08", 4, 4),
    session_policy: Row("S3H-S3-08", 4, 4),
    bucket_policy_wants_an_endpoint: Row("S3H-S3-08", 4, 4),
    service_control_policy_on_decrypt: Row("S3H-S3-08", 4, 4),
    service_control_policy_of_the_caller: Row("S3H-S3-08", 4, 4),
    requester_pays: Row("S3H-S3-09", 4, 4),
    one_object_and_the_requester_pays: Row("S3H-S3-09", 4, 4),
    archived_objects: Row("S3H-S3-10", 3, 3, "warning"),
    archived_tier: Row("S3H-S3-10", 3, 3, "warning"),
    s3_throttles: Row("S3H-S3-11", 0, 0, "note", cp_names=False),
    kms_throttles: Row("S3H-KMS-08", 0, 0, "note", cp_names=False),
    objects_change: Row("S3H-S3-12", 3, 1, "warning"),
    owner_is_somebody_else: Row("S3H-S3-13", 4, 4),
    only_empty_objects: Row("S3H-S3-14", 0, 0, "note", cp_names=False),
}
