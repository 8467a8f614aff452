"""What Prometheus is told follows the run; help and dashboard name metrics that exist, and all of them."""

import itertools
import json
import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from s3haul.cli.help_topics import topic_text
from s3haul.core.stats import Stats
from s3haul.events import AlreadyDone, CredentialsRenewed, Finished, Listed, ListingEnded, Received, Retrying
from s3haul.metrics import RequestMetrics, RunCollector, registry_of
from s3haul.models import ObjectRef, Outcome, State, Verdict
from s3haul.options import SourceOptions
from s3haul.store.protocol import RequestTiming

NAME = re.compile(r"\bs3haul_\w+")


def ended(state: State, **fields) -> Finished:
    return Finished(Outcome(ObjectRef("k", 10, '"e"', 0.0), state, **fields))


EVENTS = [
    Listed(5, 50, 2),
    ListingEnded(),
    AlreadyDone(1, 10),
    Received(30),
    Received(-10),
    ended(State.DONE, verdict=Verdict.VERIFIED, fetched=10),
    ended(State.FAILED, reason="access-denied"),
    ended(State.SKIPPED, reason="archived"),
    ended(State.VANISHED, reason="vanished"),
    Retrying("k", "throttled", "Please slow down", 1, 0.1),
    CredentialsRenewed(1_900_000_000.0, 1_800_000_000.0),
]


TIMINGS = [
    RequestTiming(0.02, 0.04, 0.1),
    RequestTiming(None, 0.3, 0.4),
    RequestTiming(None, 0.01, 0.01, 503),
]


@pytest.fixture
def samples():
    """Name and labels to value, as a scrape brings them."""
    stats = Stats()
    collector = RunCollector(stats, SourceOptions(bucket='a"b', prefix="p/\n"))
    registry = registry_of(collector)
    requests = RequestMetrics(registry)
    for timing in TIMINGS:
        requests.observe(timing)
    for event in EVENTS:
        stats.observe(event)
        collector.observe(event)
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_scrape_returns_the_counts_of_the_run(samples):
    wanted = {
        ("s3haul_listing_complete",): 1,
        ("s3haul_selected_objects",): 5,
        ("s3haul_selected_bytes",): 50,
        ("s3haul_filtered_objects_total",): 2,
        ("s3haul_objects_total", "done"): 1,
        ("s3haul_objects_total", "unchanged"): 1,
        ("s3haul_objects_total", "failed"): 1,
        ("s3haul_objects_total", "skipped"): 1,
        ("s3haul_objects_total", "vanished"): 1,
        ("s3haul_verdicts_total", "verified"): 1,
        ("s3haul_failed_objects_total", "access-denied"): 1,
        ("s3haul_skipped_objects_total", "archived"): 1,
        ("s3haul_retries_total", "throttled"): 1,
        ("s3haul_requests_total", "200"): 2,
        ("s3haul_requests_total", "503"): 1,
        ("s3haul_connections_total",): 1,
        ("s3haul_first_byte_seconds_count",): 3,
        ("s3haul_first_byte_seconds_bucket", "0.05"): 2,
        ("s3haul_credential_renewals_total",): 1,
        ("s3haul_session_end_timestamp_seconds",): 1_900_000_000.0,
    }
    assert {name: samples[name] for name in wanted} == wanted


def test_the_states_add_up_to_the_selected_objects(samples):
    states = [value for (name, *_), value in samples.items() if name == "s3haul_objects_total"]
    assert sum(states) == samples["s3haul_selected_objects",]


def test_a_counter_never_goes_down_when_an_attempt_is_thrown_away(samples):
    assert samples["s3haul_received_bytes_total",] == 30
    assert samples["s3haul_discarded_bytes_total",] == 10


def test_the_names_of_the_run_come_through_whatever_is_in_them(samples):
    (info,) = [labels for name, *labels in samples if name == "s3haul_run_info"]
    assert 'a"b' in info
    assert "p/\n" in info


def test_the_help_names_every_metric_and_no_other(samples):
    there = {name for name, *_ in samples}
    in_help = set(NAME.findall(topic_text("metrics"))) - {"s3haul_process_"}
    own = {name for name in there if not name.startswith("s3haul_process_") and not name.endswith("_created")}
    assert in_help == own - {"s3haul_first_byte_seconds_sum", "s3haul_first_byte_seconds_count"}


def test_every_metric_that_the_dashboard_asks_for_exists(samples):
    there = {name for name, *_ in samples}
    panels = json.loads(topic_text("dashboard"))["panels"]
    asked = {name for panel in panels for target in panel["targets"] for name in NAME.findall(target["expr"])}
    assert len(asked) > 10
    assert asked <= there


def test_labels_in_the_dashboard_are_those_of_the_metrics(samples):
    states = {state for name, *rest in samples if name == "s3haul_objects_total" for state in rest}
    found = set(re.findall(r'state=\\?"(\w+)', topic_text("dashboard")))
    assert found
    assert found <= states


def test_the_dashboard_is_one_that_grafana_takes():
    board = json.loads(topic_text("dashboard"))
    assert board["uid"] == "s3haul"
    assert {one["name"] for one in board["templating"]["list"]} == {"datasource", "instance"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            assert target["expr"].count("{") == target["expr"].count("}")
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in panels) == 24
