"""Results: rates and quantiles of runs, the way through JSON, and two of them side by side."""

import json
import re
from dataclasses import replace

import pytest

from bench.rows import row, spread
from s3haul.bench.measure import busy_share, machine_ticks
from s3haul.bench.plan import DestinationKind, Setting
from s3haul.bench.result import (
    Bottleneck,
    Limit,
    Listing,
    Quantiles,
    Report,
    Row,
    Run,
    Verdict,
    compare,
    differences,
)
from s3haul.cli.app import run as s3haul
from s3haul.cli.bench_output import remarks, report_lines
from s3haul.cli.help_topics import topic_text
from s3haul.store.protocol import RequestTiming


def report(*rows: Row, source: str = "s3://b/") -> Report:
    return Report(
        source=source,
        endpoint="https://s3.us-east-1.amazonaws.com",
        region="us-east-1",
        transport="curl",
        version="1",
        time=1.0,
        processors=2,
        objects=10,
        bytes=100,
        listing=Listing(pages=1, keys=10, seconds=0.1),
        planned=9,
        made=9,
        rows=rows,
        bottleneck=Bottleneck(Limit.DISK, "because of 3", "another disk"),
    )


def test_a_row_holds_the_medians_and_extremes_of_its_runs_and_the_quantiles_of_all_their_requests():
    timings = [RequestTiming(None, 0.001 * n, 0.002 * n) for n in range(1, 101)]
    timings.append(RequestTiming(0.5, 0.1, 0.2))
    runs = [
        Run(
            seconds=1.0, cpu_seconds=0.5, objects=rate, bytes=10 * rate, timings=timings if rate == 20 else ()
        )
        for rate in (10, 20, 40)
    ]
    found = Row.of(Setting(DestinationKind.NULL, 8), runs)
    assert found.objects_per_second == (20, 10, 40)
    assert found.bytes_per_second == (200, 100, 400)
    assert found.cpu_cores.median == 0.5
    assert found.connect_seconds == Quantiles(0.5, 0.5)
    assert found.first_byte_seconds == pytest.approx((0.051, 0.1))
    assert found.requests == 101


def test_refused_requests_are_counted_but_not_in_the_times():
    timings = [RequestTiming(None, 0.5, 0.6), RequestTiming(None, 0.001, 0.001, 503)]
    found = Row.of(
        Setting(DestinationKind.NULL, 8),
        [Run(seconds=1.0, cpu_seconds=0.1, objects=1, bytes=1, timings=timings)],
    )
    assert (found.requests, found.first_byte_seconds) == (2, Quantiles(0.5, 0.5))


def test_without_timings_there_are_no_quantiles():
    found = Row.of(Setting(DestinationKind.NULL, 8), [Run(seconds=1.0, cpu_seconds=0.1, objects=1, bytes=1)])
    assert found.total_seconds == Quantiles(None, None)


def test_a_report_comes_back_from_json_as_it_went():
    before = report(row("null", 100), row("disk", 90, connect_seconds=Quantiles(None, None)))
    again = Report.from_object(json.loads(json.dumps(before.as_object())))
    assert again.as_object() == before.as_object()


def test_the_help_names_every_field_of_the_result_and_every_limit():
    text = topic_text("measuring")
    found = report(row("null", 100)).as_object()
    (result,) = found["results"]
    for name in [*found, *found["sample"], *found["listing"], *found["runs"], *result, *found["bottleneck"]]:
        assert re.search(rf"\b{name}\b", text), name
    for limit in Limit:
        assert limit.value in text


@pytest.mark.parametrize(
    ("after", "verdict", "ratio"),
    [(150, Verdict.FASTER, 1.5), (50, Verdict.SLOWER, 0.5), (104, Verdict.SAME, 1.04)],
)
def test_a_change_counts_only_beyond_the_spread(after, verdict, ratio):
    (change,) = compare(report(row("null", 100)), report(row("null", after), row("disk", 5)))
    assert (change.verdict, round(change.ratio, 4)) == (verdict, ratio)
    assert change.before == spread(100)


def test_a_comparison_shows_what_else_differs():
    assert list(differences(report(), report())) == []
    assert list(differences(report(), report(source="s3://c/"))) == ["source: s3://b/, then s3://c/"]


def test_the_share_of_busy_processors_is_that_between_two_looks(tmp_path):
    looks = []
    for user, idle, steal in ((100, 900, 0), (150, 930, 20)):
        stat = tmp_path / f"{user}"
        stat.write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 7 7\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
        looks.append(machine_ticks(stat))
    assert busy_share(*looks) == pytest.approx(0.7)
    assert busy_share(looks[0], looks[0]) is None
    assert machine_ticks(tmp_path / "none") is None
    assert busy_share(None, looks[0]) is None


def test_a_result_says_why_its_figures_may_mean_less_than_they_seem_to():
    assert not list(remarks(report(row("null", 100))))
    doubtful = replace(report(row("null", 100, seconds=spread(0.2), failed=3)), made=4)
    assert list(remarks(doubtful)) == [
        "The time limit ended the benchmark after 4 of 9 runs (see --max-time).",
        "Runs took only 0.2 s: increase --max-objects and --max-bytes.",
        "3 objects were not fetched: s3haul check finds the cause.",
    ]
    for told in remarks(doubtful):
        assert f"! {told}" in report_lines(doubtful, markdown=False)


@pytest.fixture
def results(tmp_path):
    paths = []
    for name, rate in (("a", 100), ("b", 200)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(report(row("null", rate)).as_object()))
    return [str(path) for path in paths]


def test_the_command_compares_two_results_in_every_form(results, capsys):
    assert s3haul(["bench", "--compare", *results]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[-2:] == ["2.00", "faster"]
    assert all(len(line) <= 80 for line in lines)
    assert s3haul(["bench", "--compare", *results, "--markdown"]) == 0
    head, rule, cells = capsys.readouterr().out.splitlines()
    assert head.count("|") == rule.count("|") == cells.count("|") == 8
    assert s3haul(["bench", "--compare", *results, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["results"]
    assert (found["verdict"], found["ratio"]) == ("faster", 2.0)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "nothing", '{"schema": 1, "kind": "s3haul-bench"}', "[" * 100_000, '{"a": NaN}', "\0"],
)
def test_a_file_that_is_no_result_is_refused(results, tmp_path, capsys, text):
    (tmp_path / "bad.json").write_text(text)
    assert s3haul(["bench", "--compare", results[0], str(tmp_path / "bad.json")]) == 2
    assert "bad.json is not a result of s3haul bench --json" in capsys.readouterr().err


def test_results_that_measured_different_settings_are_refused(results, tmp_path, capsys):
    (tmp_path / "c.json").write_text(json.dumps(report(row("disk", 1)).as_object()))
    assert s3haul(["bench", "--compare", results[0], str(tmp_path / "c.json")]) == 2
    assert "no setting in common" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s3://bucket", "--destinations", "tape"], "not a destination"),
        (["s3://bucket", "--concurrency", "8,no"], "not a number of requests"),
        (["s3://bucket", "--concurrency", "5000"], "from 1 to 1024"),
        (["s3://bucket", "--part-size", "1K"], "1MiB is the least"),
        (["s3://bucket", "--max-bytes", "much"], "--max-bytes 'much' is not a size"),
        (["s3://bucket", "--json", "--markdown"], "leave one out"),
        ([], "needs a source"),
        (["s3://bucket", "--compare", "a", "b"], "no source"),
    ],
)
def test_a_contradictory_command_line_is_refused(capsys, arguments, said):
    assert s3haul(["bench", *arguments]) == 2
    assert said in capsys.readouterr().err
