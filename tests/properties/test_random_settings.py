"""Whatever stands in files, variables and flags: it works,
or one error says what to do; never a traceback."""

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract.demo_access import only_this_aws
from fuzzing import EXAMPLES
from s3haul.aws.bucket_location import choose
from s3haul.aws.clients import s3_client, sts_client
from s3haul.aws.faults import settings_errors
from s3haul.aws.sdk_settings import SDK_SETTINGS
from s3haul.aws.session import checked_settings
from s3haul.aws.settings import effective
from s3haul.cli.errors import error_lines
from s3haul.cli.flags import AccessFlags
from s3haul.cli.parsing import parse_source, role_options
from s3haul.errors import S3HaulError
from s3haul.options import AccessOptions
from s3haul.s3.endpoint import Credentials

SECRET = "hunter2hunter2"
ROLE = "arn:aws:iam::111111111111:role/R"
SANE = {
    "region": ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1"],
    "endpoint_url": [
        "https://s3.example",
        "http://127.0.0.1:9000",
        "https://[::1]:9000",
        "http://plain.example",
    ],
    "role_arn": [ROLE, "arn:aws-cn:iam::111111111111:role/R"],
    "source_profile": ["p", "q", "default", "gone"],
    "credential_source": ["Environment", "Ec2InstanceMetadata", "Moon"],
    "duration_seconds": ["900", "3600", "1h"],
    "external_id": [SECRET, f"{SECRET} "],
    "aws_access_key_id": ["AKIAEXAMPLE"],
    "aws_secret_access_key": [SECRET, f"{SECRET}\x07"],
    "services": ["srv"],
    "ca_bundle": ["/nowhere.pem", "/"],
    "signature_version": ["s3v4", "s3"],
    "web_identity_token_file": ["/nowhere"],
    "sso_session": ["corp"],
    "mfa_serial": ["arn:aws:iam::111111111111:mfa/u"],
    "api_versions": ["2006-03-01", "\n  s3 = 2006-03-01"],
    "proxies_config": ["x", "\n  proxy_ca_bundle = x"],
    "s3": ["", "signature_version = s3v4", "path"],
    "sdk_ua_app_id": ["app", "app with spaces", "ü"],
    "sigv4a_signing_region_set": ["*", "a,b"],
    "auth_scheme_preference": ["sigv4", "sigv4a", "nonsense", ","],
    "max_bandwidth": ["50MB/s"],
}
CHECKED = [one for one in SDK_SETTINGS if one.checked]
for known in CHECKED:
    for name in filter(None, (known.key.removeprefix("s3."), known.top_level)):
        SANE.setdefault(name, [*known.words, "7", "TRUE"])
NESTED = [known.key.removeprefix("s3.") for known in CHECKED if known.key.startswith("s3.")]
BUCKETS = [
    *(
        "plain",
        "with.dots",
        "UPPER_case",
        "b--use1-az4--x-s3",
        "door-abc-s3alias",
        "x" * 64,
        "ü",
        "192.168.1.1",
    ),
    "arn:aws:s3:us-east-1:111111111111:accesspoint/door",
    "arn:aws:s3::111111111111:accesspoint/mfzwi23gnjvgw.mrap",
    "arn:aws:s3-object-lambda:us-east-1:111111111111:accesspoint/door",
    "arn:aws:s3-outposts:us-east-1:111111111111:outpost:op-1:accesspoint:door",
    "arn:aws:s3:us-east-1:111111111111:acesspoint/door",
    "arn:aws:s3-outposts:::",
]

no_nul = st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00")
junk = st.text(no_nul, max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "a b",
        "\ufeff",
        "%s",
        "${HOME}",
        "~",
        "http://[",
        "https://h:99999",
        "-1",
        "0",
        "true ",
        "\n  x = y",
        "\n  x",
    ]
)
any_key = st.sampled_from([*SANE, "output", "cli_pager", "login_session"])


def values_of(key: str):
    return st.sampled_from(SANE.get(key, ["json"])) | junk


entries = any_key.flatmap(lambda key: st.tuples(st.just(key), values_of(key)))
nested = st.lists(
    st.sampled_from(NESTED).flatmap(lambda key: st.tuples(st.just(key), values_of(key))),
    min_size=1,
    max_size=3,
)


@st.composite
def profiles(draw) -> str:
    names = st.sampled_from(["default", "profile p", "profile q", "p", "sso-session corp", "services srv"])
    lines = [f"[{draw(names | junk)}]"]
    lines += [f"{key} = {value}" for key, value in draw(st.lists(entries, max_size=5))]
    if draw(st.booleans()):
        lines += ["s3 =", *(f"  {key} = {value}" for key, value in draw(nested))]
    return "\n".join(lines) + "\n"


texts = st.lists(profiles(), max_size=3).map("".join)
files = (
    texts.map(str.encode)
    | st.tuples(st.sampled_from([b"\xef\xbb\xbf", b"\xff\xfe", b"\xff"]), texts).map(
        lambda two: two[0] + two[1].encode()
    )
    | texts.map(lambda text: text.encode("utf-16"))
    | st.binary(max_size=40)
)
names = st.sampled_from(
    [
        *(known.variable for known in CHECKED if known.variable),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        *("AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_SDK_UA_APP_ID"),
        *("AWS_SIGV4A_SIGNING_REGION_SET", "AWS_AUTH_SCHEME_PREFERENCE", "AWS_DATA_PATH"),
        *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    ]
)
every_value = st.sampled_from(
    sorted({one for values in SANE.values() for one in values if SECRET not in one})
)
secrets = st.fixed_dictionaries(
    {},
    optional={
        "AWS_SECRET_ACCESS_KEY": st.sampled_from([SECRET, f"{SECRET}\x07", f"{SECRET} "]),
        "AWS_SESSION_TOKEN": st.sampled_from([SECRET, f"{SECRET}\n"]),
        "HTTPS_PROXY": st.sampled_from([f"http://u:{SECRET}@proxy.example:3128", f"http://u:{SECRET}@[::1"]),
        "AWS_ENDPOINT_URL": st.sampled_from([f"https://u:{SECRET}@store.example"]),
    },
)
variables = st.builds(dict.__or__, st.dictionaries(names, every_value | junk, max_size=4), secrets)
flags = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.sampled_from(["p", "q", "default", "gone"]) | junk,
        "region": values_of("region"),
        "endpoint_url": values_of("endpoint_url"),
        "sts_endpoint_url": values_of("endpoint_url"),
        "ca_bundle": values_of("ca_bundle"),
        "source_profile": values_of("source_profile"),
        "allow_plain_http": st.booleans(),
        "transport": st.sampled_from(["auto", "curl", "sdk"]),
    },
)
roles = st.none() | st.tuples(values_of("role_arn"), st.none() | values_of("external_id"))
buckets = st.sampled_from(BUCKETS) | st.text(no_nul, max_size=30)


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES <= 1000,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(config=files, credentials=files, variables=variables, flags=flags, role=roles, bucket=buckets)
@example(b"[default]\ns3 =\n  x\n", b"", {}, {}, None, "plain")
@example(b"", b"[default]\napi_versions = \n", {}, {}, None, "plain")
@example(b"", b"", {"AWS_MAX_ATTEMPTS": "0"}, {}, None, "plain")
def test_any_settings_make_a_client_or_one_error(config, credentials, variables, flags, role, bucket):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("config", config), ("credentials", credentials)):
            Path(folder, name).write_bytes(content)
        given_files = {
            "AWS_CONFIG_FILE": str(Path(folder, "config")),
            "AWS_SHARED_CREDENTIALS_FILE": str(Path(folder, "credentials")),
        }
        with only_this_aws(**given_files):
            os.environ.update(variables)
            error = refusal(flags, role, bucket)
    if error is not None:
        assert error.message
        assert SECRET not in "\n".join(error_lines(error))
        assert error.exit_code in {2, 4, 6}


def refusal(flags, role, bucket) -> S3HaulError | None:
    try:
        settle(flags, role, bucket)
    except S3HaulError as error:
        return error
    return None


def settle(flags, role, bucket) -> None:
    """All that a run does with its settings before anything is sent."""
    source = parse_source(f"s3://{bucket}", recursive=False)
    given_role = role_options(AccessFlags(role_arn=role[0], external_id=role[1])) if role else None
    access = AccessOptions(role=given_role, external_id=role[1] if role else None, **flags)
    found = checked_settings(access)
    assert SECRET not in repr(found)
    assert all(isinstance(row.name, str) for row in effective(access))
    keys = Credentials("AK", "SK")
    sts_client(found, keys)
    client = s3_client(found, keys, bucket=source.bucket, region=found.region.value)
    with settings_errors(found.given):
        choose(client, source.bucket, access.transport)
