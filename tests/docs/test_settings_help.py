"""Each row of `s3haul help settings` is held to a test."""

import re
from pathlib import Path

import pytest

from s3haul.aws.sdk_settings import SDK_SETTINGS
from s3haul.cli.help_topics import topic_text

TESTS = Path(__file__).parent.parent / "unit"
HOSTS = "test_aws_setting_effects.py::test_the_settings_of_endpoints_select_the_host"
METADATA = "test_aws_setting_effects.py::test_the_settings_of_instance_metadata_are_used"
NOT_USED = "test_aws_setting_effects.py::test_a_setting_that_is_not_used_causes_one_warning_with_the_reason"
NO_NEWS = "test_aws_setting_effects.py::test_a_setting_that_is_used_causes_no_warning"
OF_POINTS = "test_aws_setting_effects.py::test_an_access_point_of_another_region_is_refused_where_its_region_may_not_be_used"
OBEYED = {
    "region": "test_aws_profile.py::test_flags_override_the_environment_which_overrides_the_profile",
    "endpoint_url": "test_aws_profile.py::test_flags_override_the_environment_which_overrides_the_profile",
    "services": "test_aws_setting_effects.py::test_each_service_has_a_variable_for_its_endpoint",
    "ignore_configured_endpoint_urls": "test_aws_setting_effects.py::"
    "test_each_service_has_a_variable_for_its_endpoint",
    **dict.fromkeys(("use_fips_endpoint", "use_dualstack_endpoint", "sts_regional_endpoints"), HOSTS),
    "ca_bundle": "test_aws_profile.py::test_a_ca_bundle_that_cannot_be_used_is_named_before_any_call",
    "signature_version": "test_aws_profile.py::test_every_form_of_the_signature_version_line_is_accepted",
    "max_attempts": "test_aws_profile.py::test_attempts_are_limited_only_if_the_user_configures_it",
    "api_versions": "test_aws_setting_effects.py::test_a_version_of_the_api_that_is_unknown_is_refused",
    "metadata_service_num_attempts": METADATA,
    "ec2_metadata_service_endpoint": METADATA,
    "ec2_metadata_v1_disabled": METADATA,
    "s3.addressing_style": "test_aws_settings.py::"
    "test_the_addressing_style_of_the_profile_is_used_and_auto_means_path_for_other_endpoints",
    "s3.use_accelerate_endpoint": HOSTS,
    "s3.use_dualstack_endpoint": HOSTS,
    "s3.us_east_1_regional_endpoint": "test_aws_settings.py::"
    "test_us_east_1_has_its_regional_host_unless_legacy_is_configured",
    "s3.use_arn_region": OF_POINTS,
    "s3.s3_disable_multiregion_access_points": "test_aws_setting_effects.py::"
    "test_multi_region_access_points_can_be_disabled",
    "s3.max_bandwidth": "test_aws_profile.py::test_the_bandwidth_of_the_profile_is_read_as_the_aws_cli_reads_it",
    "tcp_keepalive": "test_aws_setting_effects.py::test_idle_connections_are_kept_alive",
    "response_checksum_validation": "test_aws_setting_effects.py::"
    "test_stored_checksums_are_requested_whatever_the_sdk_is_configured_to_do",
    "sdk_ua_app_id": "test_aws_setting_effects.py::test_the_identifier_of_an_application_goes_to_sts",
    "defaults_mode": "test_aws_setting_effects.py::"
    "test_the_mode_auto_does_not_read_the_region_from_instance_metadata",
    "sigv4a_signing_region_set": "../faults/test_multi_region.py::"
    "test_requests_for_the_bucket_and_its_objects_are_signed_with_version_4a",
}


def test_every_setting_has_its_row():
    text = topic_text("settings")
    for one in SDK_SETTINGS:
        variable = f" ({one.variable})" if one.variable else ""
        assert f"  {one.key}{variable}\n      {one.does}" in text


@pytest.mark.parametrize("effect", SDK_SETTINGS, ids=lambda one: one.key)
def test_the_test_of_a_row_exists(effect):
    """What is not used is told, what asks for nothing is no news;
    whatever is obeyed has a test of its own."""
    node = OBEYED.get(effect.key, NOT_USED if effect.unused else NO_NEWS)
    file, _, name = node.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE)


def test_every_setting_that_is_documented_as_used_has_its_own_test():
    obeyed = {one.key for one in SDK_SETTINGS if one.does.startswith("obeyed")}
    # The same reading of instance metadata, with values that only time or the machine's network would show.
    assert obeyed - OBEYED.keys() == {
        "metadata_service_timeout", "ec2_metadata_service_endpoint_mode", "imds_use_ipv6"
    }  # fmt: skip
