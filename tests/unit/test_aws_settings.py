"""An invalid setting is an error that shows its value and location, before anything is sent."""

import pytest

from contract.demo_access import only_this_aws
from s3haul.aws.bucket_location import choose
from s3haul.aws.clients import s3_client
from s3haul.aws.endpoints import proxy_for
from s3haul.aws.faults import settings_errors
from s3haul.aws.session import checked_settings
from s3haul.aws.settings import Origin, Setting
from s3haul.errors import ProfileError, UsageError
from s3haul.options import AccessOptions, RoleOptions
from s3haul.policies.buckets import check_bucket
from s3haul.s3.endpoint import Credentials

MULTI_REGION = "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap"


@pytest.fixture
def config(tmp_path):
    """Write the config file, and return the effective settings."""
    path = tmp_path / "config"

    def write(text: str | bytes, access=None, **variables):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with only_this_aws(AWS_CONFIG_FILE=str(path), AWS_SHARED_CREDENTIALS_FILE="/nowhere", **variables):
            return checked_settings(access or AccessOptions())

    write.path = path
    return write


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "US East (N. Virginia)"),
        ("AWS_REGION", "us-east-1 "),
        ("AWS_DEFAULTS_MODE", "bogus"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_needed"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "bogus"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_USE_FIPS_ENDPOINT", "yes"),
        ("AWS_ENDPOINT_URL", "https://[::1"),
        ("AWS_ENDPOINT_URL", "https://s3.example:99999"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.exa mple"),
        ("AWS_SESSION_TOKEN", "two\nlines"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(config, name, value):
    with pytest.raises(UsageError, match=name):
        config("", **{name: value})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("region = eu west 1", "'eu west 1'"),
        ("region =\n  eu = west", "region"),
        ("retry_mode = eager", "retry_mode"),
        ("endpoint_url = https://s3.example:port", "'https://s3.example:port'"),
        ("s3 =\n  addressing_style = vhost", "'vhost'"),
        ("s3 =\n  use_accelerate_endpoint = on", "use_accelerate_endpoint"),
        ("s3 = path", "'path'"),
        ("use_dualstack_endpoint = 1", "use_dualstack_endpoint"),
        ("max_attempts = 3\n  4", "max_attempts"),
    ],
)
def test_a_line_of_the_profile_that_cannot_be_used_is_named_with_its_file_and_section(config, line, words):
    with pytest.raises(UsageError) as caught:
        config(f"[profile p]\n{line}\n", AccessOptions(profile="p"))
    assert words in caught.value.message
    assert f"{config.path} [profile p]" in caught.value.message


def test_a_flag_that_cannot_be_used_is_named(config):
    with pytest.raises(UsageError, match="--region"):
        config("", AccessOptions(region="eu_west_1"))
    with pytest.raises(UsageError, match="--sts-endpoint-url"):
        config("", AccessOptions(sts_endpoint_url="sts.example"))


def test_the_title_of_a_region_leads_to_its_name(config):
    with pytest.raises(UsageError) as caught:
        config("", AWS_REGION="US East (N. Virginia)")
    assert "us-east-1" in caught.value.hint


def test_a_secret_is_never_repeated(config):
    with pytest.raises(UsageError) as caught:
        config("", AWS_SECRET_ACCESS_KEY="hunter2\x07")
    assert "hunter2" not in caught.value.message + str(caught.value.hint)
    with pytest.raises(UsageError) as caught:
        config("", AWS_ENDPOINT_URL="https://user:hunter2@s3.example")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\ufeff[default]\nregion = us-east-1\n".encode(), "BOM"),
        ("[default]\nregion = us-east-1\n".encode("utf-16"), "UTF-16"),
        ("[default]\n# für\n".encode("latin-1"), "save the file as UTF-8"),
        (b"region = us-east-1\n", "key = value"),
    ],
)
def test_a_file_that_cannot_be_read_says_how_to_write_it(config, text, words):
    with pytest.raises(ProfileError) as caught:
        config(text)
    assert words in caught.value.hint
    assert caught.value.id == "S3H-CFG-07"


def test_settings_without_effect_are_listed_once_with_the_alternative(config):
    text = "[default]\nretry_mode = standard\naddressing_style = path\ns3 =\n  max_concurrent_requests = 20\n  speed = 9\n"
    (warning,) = config(text).warnings
    assert warning.id == "S3H-CFG-09"
    for words in ("retry_mode", "--concurrency", "s3.speed", "addressing_style (it belongs below s3"):
        assert words in warning.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("externalid = x", "did you mean external_id"),
        ("external-id = x", "did you mean external_id"),
        ("source_profil = x", "did you mean source_profile"),
        ("regoin = eu-west-1", "did you mean region"),
        ("rolearn = x", "did you mean role_arn"),
        ("s3.addressing_style = virtual", "below s3"),
    ],
)
def test_a_misspelt_setting_is_reported(config, line, words):
    (warning,) = config(f"[default]\n{line}\n").warnings
    assert words in warning.message


def test_settings_of_other_tools_are_ignored(config):
    lines = "output = json\ncli_pager =\nsso_auto_prompt = x\ncredential_cache = x\nregion_set = x\ntf_region = x\naws_account_id = 1\nlogin_session = x\nmfa_process = x\n"
    assert config(f"[default]\n{lines}").warnings == ()


def test_a_profile_whose_settings_are_all_used_causes_no_warning(config):
    text = "[default]\nregion = eu-west-1\noutput = json\ns3 =\n  addressing_style = path\n  signature_version = s3v4\n"
    text += "  max_bandwidth = 10MB/s\nmax_attempts = 3\n"
    assert config(text).warnings == ()


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        ("arn:aws-cn:iam::111111111111:role/R", "cn-northwest-1"),
        ("arn:aws-us-gov:iam::111111111111:role/R", "us-gov-west-1"),
        ("arn:aws-eusc:iam::111111111111:role/R", "eusc-de-east-1"),
        ("arn:aws:iam::111111111111:role/R", "us-east-1"),
    ],
)
def test_a_role_without_a_region_uses_the_default_region_of_its_partition(config, arn, region):
    settings = config("", AccessOptions(role=RoleOptions(role_arn=arn)))
    assert settings.region == Setting(region, Origin.DEFAULT)


def address(config, bucket, lines="", access=None, *, region="us-east-1", asked="auto", **variables):
    settings = config(f"[default]\n{lines}", access, **variables)
    with only_this_aws(AWS_CONFIG_FILE=str(config.path), AWS_SHARED_CREDENTIALS_FILE="/nowhere", **variables):
        client = s3_client(settings, Credentials("AK", "SK"), bucket=bucket, region=region)
        with settings_errors(settings.given):
            found = choose(client, bucket, asked).endpoint
    return found and found.origin + found.base


STORE = AccessOptions(endpoint_url="https://store.example")


@pytest.mark.parametrize(
    ("style", "bucket", "access", "url"),
    [
        ("", "plain", STORE, "https://store.example/plain"),
        ("auto", "plain", STORE, "https://store.example/plain"),
        ("virtual", "plain", STORE, "https://plain.store.example"),
        ("path", "plain", None, "https://s3.us-east-1.amazonaws.com/plain"),
        ("", "with.dots", None, "https://s3.us-east-1.amazonaws.com/with.dots"),
        ("virtual", "with.dots", None, "https://s3.us-east-1.amazonaws.com/with.dots"),
        ("", "plain", None, "https://plain.s3.us-east-1.amazonaws.com"),
    ],
)
def test_the_addressing_style_of_the_profile_is_used_and_auto_means_path_for_other_endpoints(
    config, style, bucket, access, url
):
    lines = f"s3 =\n  addressing_style = {style}\n" if style else ""
    assert address(config, bucket, lines, access) == url


def test_us_east_1_has_its_regional_host_unless_legacy_is_configured(config):
    old = "https://plain.s3.amazonaws.com"
    assert address(config, "plain") == "https://plain.s3.us-east-1.amazonaws.com"
    assert address(config, "plain", AWS_S3_US_EAST_1_REGIONAL_ENDPOINT="legacy") == old
    assert address(config, "plain", "s3 =\n  us_east_1_regional_endpoint = legacy\n") == old


@pytest.mark.parametrize("asked", ["auto", "sdk"])
@pytest.mark.parametrize(
    ("bucket", "lines", "access"),
    [
        (MULTI_REGION, "use_fips_endpoint = true\n", None),
        ("plain", "s3 =\n  use_accelerate_endpoint = true\n", STORE),
        ("plain", "use_fips_endpoint = true\ns3 =\n  use_accelerate_endpoint = true\n", None),
        (MULTI_REGION, "s3 =\n  use_accelerate_endpoint = true\n", None),
    ],
)
def test_contradicting_settings_are_a_usage_error_with_botocores_message(
    config, bucket, lines, access, asked
):
    with pytest.raises(UsageError) as caught:
        address(config, bucket, lines, access, asked=asked)
    assert caught.value.seen
    assert "use_" in caught.value.hint
    assert f"{config.path} [default]" in caught.value.hint


def test_every_exception_of_botocore_inside_guarded_is_a_usage_error():
    with pytest.raises(UsageError), settings_errors():
        raise ValueError("Invalid endpoint: x")


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ("arn:aws:s3:us-east-1:111111111111:acesspoint/door", "accesspoint/NAME"),
        ("arn:aws:s3:us-east-1:11111111111:accesspoint/door", "12 digits"),
        ("arn:aws:s3::111111111111:accesspoint/door", "region is missing"),
        ("arn:aws:s3:us-east-1:111111111111:accesspoint/abc.mrap", "no region"),
        ("arn:aws:s3:cn-north-1:111111111111:accesspoint/door", "partition"),
        ("arn:aws:s4:us-east-1:111111111111:accesspoint/door", "service"),
        ("arn:asw:s3:us-east-1:111111111111:accesspoint/door", "partition"),
        ("arn:aws:s3:us-east-1", "six fields"),
        ("bucket name", "not the name"),
        ("bücket", "not the name"),
    ],
)
def test_an_invalid_bucket_name_or_arn_is_refused_before_any_request(bucket, words):
    with pytest.raises(UsageError, match=words):
        check_bucket(bucket)


@pytest.mark.parametrize(
    "bucket",
    [
        "plain",
        "with.dots",
        "Upper_case",
        "door-abc123-s3alias",
        "arn:aws:s3:us-east-1:111111111111:accesspoint/door",
        "arn:aws:s3:us-east-1:111111111111:accesspoint:door",
        "arn:aws-cn:s3:cn-north-1:111111111111:accesspoint/door",
        MULTI_REGION,
    ],
)
def test_bucket_names_of_other_stores_and_valid_arns_are_accepted(bucket):
    check_bucket(bucket)


@pytest.mark.parametrize(
    "proxy", ["http://user:hunter2@[::1", "nonsense://proxy", "http://", "http://h:99999"]
)
def test_an_invalid_proxy_is_a_usage_error_that_does_not_show_its_password(proxy):
    with only_this_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("https_proxy", proxy)
        patch.delenv("HTTPS_PROXY", raising=False)
        with pytest.raises(UsageError) as caught:
            proxy_for("https://s3.example")
    assert "HTTPS_PROXY" in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("http://proxy.example", "http://proxy.example"),
        ("socks5h://proxy.example:1080", "socks5h://proxy.example:1080"),
    ],
)
def test_the_proxies_of_the_environment_are_used(named, used):
    with only_this_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("https_proxy", named)
        patch.delenv("no_proxy", raising=False)
        patch.delenv("NO_PROXY", raising=False)
        assert proxy_for("https://s3.example") == used
