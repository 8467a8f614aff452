"""The AWS configuration is read as the AWS CLI reads it, and every mistake in it is named."""

from pathlib import Path

import pytest
import trustme

from s3haul.aws.chain import Base, BaseKind
from s3haul.aws.settings import Origin, Setting, Settings, resolve
from s3haul.errors import ProfileError, UsageError
from s3haul.options import AccessOptions, RoleOptions
from surroundings import aws_variables

ROLE = "arn:aws:iam::111111111111:role/EXPORT-ROLE"
SECRET_ID = "Secret-External-Id-42"

BASE = f"""
[profile user-b]
region = eu-west-3
aws_access_key_id = AKIAUSERB
aws_secret_access_key = user-b-secret

[profile export]
role_arn = {ROLE}
source_profile = user-b
external_id = {SECRET_ID}
role_session_name = s3haul-user-b
duration_seconds = 1800
mfa_serial = arn:aws:iam::222222222222:mfa/user-b
region = eu-central-1
"""


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Write a config file, and remove everything else that botocore would read."""
    for name in aws_variables():
        monkeypatch.delenv(name)

    def write(config: str, credentials: str = "") -> Path:
        (tmp_path / "config").write_text(config)
        (tmp_path / "credentials").write_text(credentials)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        return tmp_path

    return write


def effective(profile: str | None = "export", **flags) -> Settings:
    return resolve(AccessOptions(profile=profile, **flags))


def refused(profile: str | None = "export", **flags) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        effective(profile, **flags)
    return caught.value


def test_all_settings_of_a_role_profile_are_read_with_their_origin(configure):
    configure(BASE)
    settings = effective()
    assert settings.role == RoleOptions(
        role_arn=ROLE,
        external_id=SECRET_ID,
        session_name="s3haul-user-b",
        duration_seconds=1800,
        mfa_serial="arn:aws:iam::222222222222:mfa/user-b",
    )
    assert settings.base == Base(BaseKind.PROFILE, "user-b")
    assert settings.region == Setting("eu-central-1", Origin.PROFILE)
    assert settings.profile == Setting("export", Origin.FLAG)


def test_no_record_of_the_settings_shows_the_external_id(configure):
    configure(BASE)
    assert SECRET_ID not in repr(effective())


def test_a_profile_may_live_in_the_credentials_file(configure):
    configure(
        "",
        f"[base]\naws_access_key_id=AK\naws_secret_access_key=SK\n[r]\nrole_arn={ROLE}\nsource_profile=base\n",
    )
    assert effective("r").base == Base(BaseKind.PROFILE, "base")


def test_roles_chain_through_source_profiles_in_the_order_in_which_they_are_assumed(configure):
    middle = "arn:aws:iam::333333333333:role/MIDDLE"
    configure(f"{BASE}\n[profile a]\nrole_arn={middle}\nsource_profile=export\n")
    settings = effective("a")
    assert [step.role.role_arn for step in settings.roles] == [ROLE, middle]
    assert settings.base == Base(BaseKind.PROFILE, "user-b")


def test_a_profile_with_keys_may_be_its_own_source(configure):
    configure(
        f"[profile x]\nrole_arn={ROLE}\nsource_profile=x\naws_access_key_id=AK\naws_secret_access_key=SK\n"
    )
    settings = effective("x")
    assert settings.base == Base(BaseKind.PROFILE, "x")
    assert len(settings.roles) == 1


def test_a_credential_source_is_the_base_of_the_chain(configure):
    configure(f"[profile x]\nrole_arn={ROLE}\ncredential_source=Ec2InstanceMetadata\n")
    assert effective("x").base == Base(BaseKind.SOURCE, "Ec2InstanceMetadata")


def test_a_web_identity_role_is_left_to_botocore(configure):
    configure(f"[profile x]\nrole_arn={ROLE}\nweb_identity_token_file=/token\n")
    settings = effective("x")
    assert settings.roles == ()
    assert settings.base == Base(BaseKind.CHAIN, "x")


def test_an_explicit_profile_overrides_keys_in_the_environment(configure, monkeypatch):
    configure(BASE)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    assert len(effective("export").roles) == 1


def test_keys_in_the_environment_override_aws_profile_with_a_warning(configure, monkeypatch):
    configure(BASE)
    monkeypatch.setenv("AWS_PROFILE", "export")
    assert len(effective(None).roles) == 1
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    settings = effective(None)
    assert settings.roles == ()
    assert settings.base == Base(BaseKind.CHAIN)
    assert "--profile export" in settings.warnings[0].message


def test_a_role_by_flags_is_assumed_with_the_named_source_profile(configure):
    configure(BASE)
    other = RoleOptions(role_arn="arn:aws:iam::444444444444:role/OTHER")
    settings = effective(None, role=other, source_profile="user-b")
    assert [step.role for step in settings.roles] == [other]
    assert settings.base == Base(BaseKind.PROFILE, "user-b")


def test_a_role_by_flags_replaces_the_profiles_own_role(configure):
    configure(BASE)
    other = RoleOptions(role_arn="arn:aws:iam::444444444444:role/OTHER")
    settings = effective("export", role=other)
    assert [step.role for step in settings.roles] == [other]
    assert settings.base == Base(BaseKind.PROFILE, "user-b")


def test_a_role_by_flags_is_assumed_with_the_profiles_own_keys(configure):
    configure(BASE)
    settings = effective("user-b", role=RoleOptions(role_arn=ROLE))
    assert settings.base == Base(BaseKind.CHAIN, "user-b")


def test_a_role_by_flags_is_assumed_with_keys_in_the_environment(configure, monkeypatch):
    configure(BASE)
    monkeypatch.setenv("AWS_PROFILE", "export")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    settings = effective(None, role=RoleOptions(role_arn=ROLE))
    assert settings.base == Base(BaseKind.CHAIN)
    assert len(settings.roles) == 1


def test_a_source_profile_without_a_role_is_a_usage_error(configure):
    configure(BASE)
    with pytest.raises(UsageError, match="--role-arn"):
        effective(None, source_profile="user-b")


@pytest.mark.parametrize(
    "lines",
    [
        "s3 =\n    signature_version = s3v4",
        "s3 = signature_version = s3v4",
        "s3.signature_version = s3v4",
        "s3 =\nsignature_version = s3v4",
        "s3 =\n    signature_version = S3V4\n    addressing_style = path",
        "s3 =\n    addressing_style = path",
    ],
)
def test_every_form_of_the_signature_version_line_is_accepted(configure, lines):
    configure(f"{BASE}{lines}\n")
    assert effective().role is not None


@pytest.mark.parametrize(
    "lines",
    [
        "s3 =\n    signature_version = s3",
        "s3 = signature_version = s3",
        "s3.signature_version = anonymous",
        "s3 =\n    signature_version = none",
    ],
)
def test_another_signature_version_is_refused_because_kms_needs_version_4(configure, lines):
    configure(f"{BASE}{lines}\n")
    error = refused()
    assert error.id == "S3H-NET-03"
    assert "KMS" in error.message
    assert "Signature Version 4" in error.message


def test_a_missing_profile_lists_those_that_exist(configure):
    configure(BASE)
    error = refused("exprot")
    assert error.id == "S3H-CFG-01"
    assert "export, user-b" in error.hint


@pytest.mark.parametrize("section", ["export", " profile export ", "Profile export"])
def test_a_section_that_is_written_otherwise_is_pointed_out(configure, section):
    configure(BASE.replace("[profile export]", f"[{section}]"))
    error = refused("export")
    assert f"[{section}] to [profile export]" in error.hint


def test_a_missing_file_is_said_to_be_missing(configure, monkeypatch, tmp_path):
    configure(BASE)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "cofnig"))
    hint = refused("export").hint
    assert "cofnig (which does not exist)" in hint
    assert "credentials:" in hint


def test_the_word_profile_in_the_credentials_file_is_pointed_out(configure):
    configure(BASE, "[profile other]\naws_access_key_id=AK\naws_secret_access_key=SK\n")
    assert "credentials rename the section [profile other] to [other]" in refused("other").hint


def test_a_missing_aws_profile_is_named(configure, monkeypatch):
    configure(BASE)
    monkeypatch.setenv("AWS_PROFILE", "gone")
    assert refused(None).id == "S3H-CFG-01"


@pytest.mark.parametrize(
    ("profile", "id_", "words"),
    [
        (f"role_arn={ROLE}\nsource_profile=nobody", "S3H-CFG-02", "nobody"),
        (f"role_arn={ROLE}", "S3H-CFG-03", "source_profile"),
        (f"role_arn={ROLE}\nsource_profile=user-b\ncredential_source=Environment", "S3H-CFG-04", "both"),
        (f"role_arn={ROLE}\nsource_profile=x", "S3H-CFG-04", "leads back"),
        (f"role_arn={ROLE}\ncredential_source=Moon", "S3H-CFG-02", "Ec2InstanceMetadata"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nduration_seconds=1h", "S3H-STS-10", "whole number"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nduration_seconds=60", "S3H-STS-10", "900 and 43200"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nduration_seconds=43201", "S3H-STS-10", "900 and 43200"),
        ("role_arn=EXPORT-ROLE\nsource_profile=user-b", "S3H-STS-07", "not the ARN of a role"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nexternal_id=x", "S3H-STS-09", "1 characters"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nexternal_id=two words", "S3H-STS-09", "9 characters"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nrole_session_name=a b", "S3H-USE-01", "role_session_name"),
        (f"role_arn={ROLE}\nsource_profile=user-b\nmfa_serial=a b", "S3H-STS-08", "mfa_serial"),
    ],
)
def test_each_mistake_in_a_profile_has_its_id(configure, profile, id_, words):
    configure(f"{BASE}\n[profile x]\n{profile}\n")
    error = refused("x")
    assert error.id == id_
    assert words in error.message
    assert "two words" not in error.message


def test_a_comment_after_the_source_profile_is_explained(configure):
    configure(f"{BASE}\n[profile x]\nrole_arn={ROLE}\nsource_profile = user-b  # mine\n")
    assert "comment" in refused("x").hint


def test_a_cycle_of_two_profiles_is_found(configure):
    configure(
        f"[profile x]\nrole_arn={ROLE}\nsource_profile=y\n[profile y]\nrole_arn={ROLE}\nsource_profile=x\n"
    )
    assert refused("x").id == "S3H-CFG-04"


@pytest.mark.parametrize(
    "flags",
    [
        {"role_arn": "nonsense"},
        {"role_arn": ROLE, "external_id": "é" * 3},
        {"role_arn": ROLE, "external_id": "a" * 1225},
        {"role_arn": ROLE, "duration_seconds": 899},
        {"role_arn": ROLE, "session_name": "a"},
        {"role_arn": ROLE, "mfa_serial": "short"},
    ],
)
def test_a_bad_role_by_flags_is_a_usage_error(configure, flags):
    configure(BASE)
    with pytest.raises(UsageError):
        effective(None, role=RoleOptions(**flags), source_profile="user-b")


def test_an_external_id_with_a_trailing_space_is_refused_without_showing_it(configure):
    configure(BASE)
    with pytest.raises(UsageError) as caught:
        effective("user-b", role=RoleOptions(role_arn=ROLE, external_id=SECRET_ID + " "))
    assert SECRET_ID not in caught.value.message
    assert f"{len(SECRET_ID) + 1} characters" in caught.value.message


def test_a_line_that_cannot_be_parsed_is_named_by_number_and_never_shown(configure):
    configure("[profile x]\naws_secret_access_key hunter2hunter2\n")
    error = refused("x")
    assert "line 2" in error.message
    assert "hunter2" not in error.message + str(error.__cause__) + error.hint


@pytest.fixture
def ca_file(tmp_path):
    path = str(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(path)
    return path


def test_flags_override_the_environment_which_overrides_the_profile(configure, monkeypatch, ca_file):
    configure(f"{BASE}endpoint_url = https://profile.example\nca_bundle = {ca_file}\n")
    settings = effective()
    assert settings.endpoint_url == Setting("https://profile.example", Origin.PROFILE)
    assert settings.sts_endpoint_url == Setting("https://profile.example", Origin.PROFILE)
    assert settings.ca_bundle == Setting(ca_file, Origin.PROFILE)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://all.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.example")
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    settings = effective()
    assert settings.region == Setting("sa-east-1", Origin.ENVIRONMENT)
    assert settings.endpoint_url == Setting("https://all.example", Origin.ENVIRONMENT)
    assert settings.sts_endpoint_url == Setting("https://sts.example", Origin.ENVIRONMENT)
    assert settings.ca_bundle == Setting(ca_file, Origin.ENVIRONMENT)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert effective().region.value == "us-west-2"
    settings = effective(
        region="ap-south-1",
        endpoint_url="https://flag",
        sts_endpoint_url="https://flag-sts",
        ca_bundle=ca_file,
    )
    assert settings.region == Setting("ap-south-1", Origin.FLAG)
    assert settings.endpoint_url == Setting("https://flag", Origin.FLAG)
    assert settings.sts_endpoint_url == Setting("https://flag-sts", Origin.FLAG)
    assert settings.ca_bundle == Setting(ca_file, Origin.FLAG)


def test_the_ca_bundle_of_the_requests_library_is_the_last_resort_as_for_botocore(
    configure, monkeypatch, ca_file
):
    configure(BASE)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    assert effective().ca_bundle == Setting(ca_file, Origin.ENVIRONMENT)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert "/nowhere/ca.pem (REQUESTS_CA_BUNDLE) cannot be used" in refused().message
    configure(f"{BASE}ca_bundle = {ca_file}\n")
    assert effective().ca_bundle == Setting(ca_file, Origin.PROFILE)


def test_a_services_section_names_one_endpoint_each(configure):
    configure(f"{BASE}services = local\n[services local]\ns3 =\n    endpoint_url = https://s3.example\n")
    settings = effective()
    assert settings.endpoint_url == Setting("https://s3.example", Origin.PROFILE)
    assert settings.sts_endpoint_url == Setting(None, Origin.DEFAULT)


@pytest.mark.parametrize("service", ["s3", "sts"])
@pytest.mark.parametrize(
    "lines", [" = endpoint_url = https://x.example", " =\nendpoint_url = https://x.example", " ="]
)
def test_a_services_section_without_indentation_is_pointed_out(configure, service, lines):
    configure(f"{BASE}services = local\n[services local]\n{service}{lines}\n")
    error = refused()
    assert f"{service} in the section [services local]" in error.message
    assert "indented" in error.hint


def test_a_services_section_that_does_not_exist_is_an_error(configure):
    configure(f"{BASE}services = local\n")
    assert "local" in refused().message


def test_configured_endpoints_can_be_ignored_as_with_the_aws_cli(configure, monkeypatch):
    configure(f"{BASE}endpoint_url = https://profile.example\n")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert effective().endpoint_url == Setting(None, Origin.DEFAULT)


def test_a_ca_bundle_that_cannot_be_used_is_named_before_any_call(configure, monkeypatch):
    configure(BASE)
    for path in ("/nowhere/ca.pem", __file__):
        with pytest.raises(UsageError, match="cannot be used"):
            effective(ca_bundle=path)
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/ca.pem")
    assert "/nowhere/ca.pem (AWS_CA_BUNDLE) cannot be used" in refused().message


def test_without_any_configuration_the_chain_and_a_default_region_remain(configure):
    configure("")
    settings = effective(None)
    assert settings.base == Base(BaseKind.CHAIN)
    assert settings.region == Setting("us-east-1", Origin.DEFAULT)
    assert settings.role is None


def test_an_external_id_by_flag_goes_with_the_profiles_role(configure):
    configure(BASE.replace(f"external_id = {SECRET_ID}\n", ""))
    assert effective().role.external_id is None
    assert effective(external_id="By-Flag-1").role.external_id == "By-Flag-1"
    with pytest.raises(UsageError):
        effective(external_id="two words")


def test_attempts_are_limited_only_if_the_user_configures_it(configure, monkeypatch):
    configure(BASE)
    assert effective().max_attempts is None
    configure(BASE + "max_attempts = 4\n")
    assert effective().max_attempts == 4
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    assert effective().max_attempts == 7


@pytest.mark.parametrize("attempts", ["0", "-1", "many"])
def test_an_invalid_number_of_attempts_is_refused(configure, monkeypatch, attempts):
    configure(BASE)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", attempts)
    with pytest.raises(UsageError, match="AWS_MAX_ATTEMPTS"):
        effective()


@pytest.mark.parametrize("lines", ["s3 =\n    max_bandwidth = 10MB/s\n", "s3.max_bandwidth = 80Mb/s\n"])
def test_the_bandwidth_of_the_profile_is_read_as_the_aws_cli_reads_it(configure, lines):
    configure(BASE + lines)
    assert effective().max_bandwidth == 10 << 20


def test_an_invalid_bandwidth_is_refused(configure):
    configure(BASE + "s3 =\n    max_bandwidth = fast\n")
    assert "10MB/s" in refused().hint
