"""Each row of `s3haul help compatibility` has a test."""

import re
from pathlib import Path

import pytest

from s3haul.cli.help_topics import topic_text

OTHER_TABLES = "Other stores"  # the tables from here on are written by other tests
TESTS = Path(__file__).parent.parent
ROW = re.compile(r"^  (?P<what>\S.{35})(?P<does>\S.*)$", re.MULTILINE)

HELD = {
    "--profile, AWS_PROFILE": "unit/test_aws_profile.py::test_an_explicit_profile_overrides_keys_in_the_environment",
    "source_profile, credential_source": "unit/test_aws_profile.py::"
    "test_roles_chain_through_source_profiles_in_the_order_in_which_they_are_assumed",
    "region": "unit/test_aws_settings.py::test_a_role_without_a_region_uses_the_default_region_of_its_partition",
    "endpoint_url, services": "unit/test_aws_profile.py::test_a_services_section_names_one_endpoint_each",
    "addressing_style": "unit/test_aws_settings.py::"
    "test_the_addressing_style_of_the_profile_is_used_and_auto_means_path_for_other_endpoints",
    "signature_version": "unit/test_aws_profile.py::"
    "test_every_form_of_the_signature_version_line_is_accepted",
    "us_east_1_regional_endpoint": "unit/test_aws_settings.py::"
    "test_us_east_1_has_its_regional_host_unless_legacy_is_configured",
    "use_fips, use_dualstack, accelerate": "unit/test_aws_settings.py::"
    "test_contradicting_settings_are_a_usage_error_with_botocores_message",
    "max_attempts, max_bandwidth": "unit/test_aws_profile.py::"
    "test_the_bandwidth_of_the_profile_is_read_as_the_aws_cli_reads_it",
    "HTTPS_PROXY, NO_PROXY": "unit/test_aws_settings.py::test_the_proxies_of_the_environment_are_used",
    "ca_bundle": "unit/test_aws_profile.py::test_a_ca_bundle_that_cannot_be_used_is_named_before_any_call",
    "a BOM, UTF-16, Latin-1 in a file": "unit/test_aws_settings.py::"
    "test_a_file_that_cannot_be_read_says_how_to_write_it",
    "a value that a setting cannot have": "unit/test_aws_settings.py::"
    "test_a_line_of_the_profile_that_cannot_be_used_is_named_with_its_file_and_section",
    "keys in variables or files": "unit/test_aws_session.py::test_keys_of_the_environment_can_assume_the_role",
    "credential_process": "unit/test_aws_sources.py::"
    "test_short_lived_credentials_are_fetched_once_and_not_for_every_request",
    "SSO": "unit/test_aws_sources.py::test_each_kind_of_source_has_its_own_hint",
    "web identity token": "unit/test_aws_sources.py::test_each_kind_of_source_has_its_own_hint",
    "container, instance metadata": "unit/test_aws_sources.py::test_each_kind_of_source_has_its_own_hint",
    "aws login sessions": "unit/test_aws_sources.py::test_each_kind_of_source_has_its_own_hint",
    "bucket, access point alias": "unit/test_aws_settings.py::test_bucket_names_of_other_stores_and_valid_arns_are_accepted",
    "access point ARN": "unit/test_flags.py::test_a_typo_in_a_bucket_or_access_point_is_refused_before_any_request",
    "multi-region access point ARN": "faults/test_multi_region.py::"
    "test_requests_for_the_bucket_and_its_objects_are_signed_with_version_4a",
    **dict.fromkeys(
        ("access point of an Outpost", "access point of FSx or AWS Backup"),
        "faults/test_access_points.py::test_objects_outside_of_buckets_are_read_through_an_access_point",
    ),
    **dict.fromkeys(
        ("Object Lambda access point", "directory bucket (--x-s3, --xa-s3)", "table bucket, vector bucket"),
        "unit/test_access_points.py::test_a_bucket_type_without_readable_objects_is_refused_with_an_alternative",
    ),
    "- as DEST": "e2e/test_stdout.py::test_what_cannot_go_to_standard_output_is_refused",
    "a web page instead of a response": "faults/test_transports.py::"
    "test_a_web_page_of_a_proxy_is_a_network_error_and_not_a_refusal",
    "307 with a Location": "faults/test_transports.py::"
    "test_the_region_is_taken_from_the_redirect_of_a_new_bucket_which_is_not_followed",
    "StartAfter has no effect": "engine/test_parallel_listing.py::"
    "test_if_start_after_has_no_effect_one_reader_lists_all",
    "IsTruncated in another spelling": "faults/test_transports.py::"
    "test_a_token_is_followed_and_keys_that_are_no_utf8_stay_apart",
    "ETag without quotes, or weak": "unit/test_etags.py::test_quotes_and_the_weak_mark_do_not_count",
    "a range in chunks": "unit/test_etags.py::test_a_range_in_chunks_has_the_length_that_content_range_gives",
    "keys that are not UTF-8": "unit/test_list_pages.py::"
    "test_keys_that_are_not_utf8_stay_different_and_show_their_bytes",
    "LastModified in another format": "unit/test_list_pages.py::"
    "test_a_time_in_another_format_is_parsed_or_only_the_time_is_lost",
    "quotes, comments in a value": "unit/test_aws_slips.py::test_quotes_and_comments_in_a_value_are_named",
    "blanks, BOM, gzip around the XML": "e2e/test_odd_stores.py::"
    "test_a_store_that_differs_in_harmless_details_works",
    "an entry without a usable size": "e2e/test_odd_stores.py::"
    "test_an_entry_that_names_no_object_fails_alone_and_is_counted",
    "a listing of version 1": "e2e/test_odd_stores.py::"
    "test_a_store_that_cannot_be_read_is_refused_with_an_explanation",
    "a header that a server refuses": "e2e/test_odd_stores.py::"
    "test_a_header_that_a_server_does_not_support_is_left_out_from_then_on",
    "https:// to a server without TLS": "unit/test_aws_refusals.py::"
    "test_a_server_without_tls_is_not_reported_as_a_bad_certificate",
    "has no modes or times, no syncfs": "unit/test_disk_limitations.py::test_a_check_tests_all_limitations",
    "has no locks": "unit/test_disk_limitations.py::test_a_disk_without_locks_is_refused_with_the_cause",
    "does not rename or remove": "unit/test_disk_limitations.py::"
    "test_a_disk_on_which_nothing_can_be_renamed_or_removed_is_refused_before_anything_is_fetched",
    "reports no free space (statvfs)": "unit/test_disk_limitations.py::test_a_disk_that_reports_no_free_space_has_no_limit",
    "cannot sync directories": "unit/test_disk_limitations.py::"
    "test_a_directory_that_cannot_be_synced_holds_a_journal",
    "A and a are the same name": "unit/test_disk_names.py::test_the_first_name_is_kept_and_the_others_are_encoded",
    "names the policy that refuses": "unit/test_denial.py::test_the_arn_of_the_policy_is_parsed_and_changes_nothing_else",
    **dict.fromkeys(
        ("Block Public Access", "an SSE-C object", "an access point that does not exist"),
        "unit/test_symptoms.py::test_each_refusal_has_its_row",
    ),
    "an account or bucket that is closed": "e2e/test_odd_stores.py::"
    "test_a_store_that_cannot_be_read_is_refused_with_an_explanation",
    "any random response": "properties/test_random_answers.py::test_any_answers_end_in_results_or_in_one_error",
}


def rows() -> dict[str, str]:
    text, _, _ = topic_text("compatibility").partition(OTHER_TABLES)
    found = {row["what"].strip(): row["does"] for row in ROW.finditer(text)}
    return {what: does for what, does in found.items() if does != "what happens"}


def test_every_row_has_a_test_and_every_test_has_a_row():
    assert set(rows()) == set(HELD)


@pytest.mark.parametrize("node", sorted(set(HELD.values())))
def test_the_test_of_a_row_exists(node):
    file, _, name = node.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE)
