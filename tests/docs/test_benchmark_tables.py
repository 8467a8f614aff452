"""The benchmark figures in the documentation are the recorded ones, and the parts that make them work.

nginx is not needed here: what it is given to serve is text, and what the clients left is files.
"""

import json
import os
import re
import socket
import sys
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from awscrt import checksums as crt

import baseline
import listing
import plot
import scenarios
import server
import tables
from contender import Task, base_environment
from measure import machine_cpu_seconds, measure
from rivals import CLIENTS, CONTENDERS, OURS, S3HAUL, of_revision, with_flags
from scenarios import SCENARIOS, Scenario, part, quick

NAMESPACE = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}
TINY = Scenario(name="small", groups=((3, 5000),), by="objects")


@pytest.fixture
def tree(tmp_path):
    stored = scenarios.make(TINY, tmp_path / "tree")
    return stored, tmp_path / "tree"


def run_of(contender, number, wall, cpu, problems=()):
    return {
        "contender": contender,
        "scenario": "small",
        "scheme": "https",
        "round": number,
        "objects": 1000,
        "bytes": 4_096_000,
        "status": 0,
        "wall": wall,
        "user": cpu,
        "system": 0.0,
        "peak_memory": 50_000_000,
        "server_cpu": 0.5,
        "other_cpu": 0.0,
        "load": 1.0,
        "problems": list(problems),
    }


def results_of(runs):
    return {
        "schema": 2,
        "revision": "abc1234",
        "recorded": "2026-01-01 00:00 UTC",
        "machine": {"processor": "P", "cores": 2, "memory_gib": 8, "system": "Linux 6", "python": "3.11"},
        "server": {"version": "nginx/1", "workers": 1, "cipher": "C"},
        "rounds": 3,
        "scenarios": [{"name": "small", "groups": [[1000, 4096]], "by": "objects"}],
        "contenders": [
            {
                "name": name,
                "version": "1",
                "checks": "no",
                "settings": "none",
                "source": "",
                "ours": name == S3HAUL,
            }
            for name in (S3HAUL, "other")
        ],
        "runs": runs,
    }


def test_the_tables_and_plots_of_the_benchmarks_are_those_of_the_recorded_runs():
    recorded = baseline.recorded_results()
    readme, front = baseline.README.read_text(), baseline.FRONT.read_text()
    assert readme == tables.into(readme, recorded)
    assert front == tables.brief_into(front, recorded["https"])
    for scheme, results in recorded.items():
        assert (baseline.RESULTS / f"{scheme}.md").read_text() == tables.details(results, scheme)
        assert (baseline.RESULTS / f"{scheme}.svg").read_text() == plot.plot(results, scheme)


@pytest.mark.parametrize("results", baseline.recorded_results().values(), ids=baseline.recorded_results())
def test_the_recorded_runs_are_complete_scenarios_in_which_s3haul_wrote_the_right_files(results):
    known = [json.loads(json.dumps(baseline.asdict(each))) for each in SCENARIOS]
    assert all(each in known for each in results["scenarios"])
    done = {(run["scenario"], run["round"]) for run in results["runs"] if run["contender"] == S3HAUL}
    names = [each["name"] for each in results["scenarios"]]
    assert done == {(name, number) for name in names for number in range(results["rounds"])}
    assert not [run for run in results["runs"] if run["contender"] == S3HAUL and run["problems"]]


def test_results_are_kept_as_they_were():
    results = results_of([run_of(S3HAUL, 0, 2.0, 1.0), run_of("other", 0, 1.0, 0.5)])
    assert json.loads(tables.dump(results)) == results


def test_rates_are_medians_and_ratios_are_taken_round_by_round():
    ours = [run_of(S3HAUL, number, wall, 1.0) for number, wall in enumerate((1.0, 2.0, 4.0))]
    others = [run_of("other", number, wall, 2.0) for number, wall in enumerate((0.5, 2.0, 1.0))]
    text = tables.details(results_of(ours + others), "https")
    s3haul, other = (line for line in text.splitlines() if line.startswith(("| s3haul", "| other")))
    assert "| 500 (250 to 1,000) |  |" in s3haul
    assert "| 1,000 (500 to 2,000) | 0.5 (0.25 to 1) | 2,000 (2,000 to 2,000) | 2 (2 to 2) |" in other
    overview = tables.into(f"{tables.BEGIN}{tables.END}", {"https": results_of(ours + others)})
    assert "| s3haul | 500 (1,000) |" in overview
    assert "| other | **1,000** (2,000) |" in overview


def test_a_client_that_copied_a_part_is_measured_by_that_part_and_the_table_says_so():
    fewer = {**run_of("other", 0, 1.0, 1.0), "objects": 125, "bytes": 512_000}
    results = results_of([run_of(S3HAUL, 0, 1.0, 1.0), fewer])
    text = tables.details(results, "https")
    assert "| other | 125 | 8 | 8,000 | 8 |" in text
    overview = tables.into(f"{tables.BEGIN}{tables.END}", {"https": results})
    for told in (text, overview):
        assert "One round only, and 125 objects of *small*, so that their start counts more: other." in told


def test_the_plot_orders_by_speed_escapes_names_and_shows_s3haul_apart():
    results = results_of([run_of(S3HAUL, 0, 2.0, 1.0), run_of("other", 0, 1.0, 4.0)])
    picture = plot.plot(results, "https")
    root = ET.fromstring(picture)
    words = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words.index("other") < words.index(S3HAUL)
    assert {"1,000", "500", "4,000"} <= set(words)
    widths = [
        (each.get("class"), each.get("width")) for each in root.iter("{http://www.w3.org/2000/svg}rect")
    ]
    bars = [(kinds.split()[0], width) for kinds, width in widths[3:]]
    assert bars == [("other", "260.0"), ("ours", "130.0"), ("other", "260.0"), ("ours", "65.0")]
    assert "prefers-color-scheme: dark" in picture


@pytest.mark.parametrize(
    ("checks", "kinds"),
    [
        ("CRC64NVME, before the rename", "other"),
        ("CRC64NVME, of objects fetched whole", "other partly"),
        ("no", "other unchecked"),
        ("no (CRC64NVME only with awscrt)", "other unchecked"),
    ],
)
def test_the_plot_shows_who_checks_what_was_copied(checks, kinds):
    results = results_of([run_of("other", 0, 1.0, 1.0)])
    results["contenders"][1]["checks"] = checks
    root = ET.fromstring(plot.plot(results, "https"))
    bars = [each.get("class") for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars[3:] == [kinds, kinds]


def test_the_plot_says_when_and_on_what_it_was_measured_and_shows_the_spread():
    picture = plot.plot(
        results_of([run_of("other", n, wall, 1.0) for n, wall in enumerate((1.0, 2.0))]), "https"
    )
    assert "2026-01-01 00:00 UTC, revision abc1234, 2 cores P" in picture
    lines = list(ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}line"))
    assert [float(each.get("x2")) - float(each.get("x1")) for each in lines] == [130.0, 0.0]


def test_the_picture_of_the_readme_shows_some_scenarios_of_the_recorded_runs():
    results = baseline.recorded_results()["https"]
    picture = plot.plot(results, "https", plot.HERO)
    assert (baseline.RESULTS / "hero.svg").read_text() == picture
    heads = [each for each in ET.fromstring(picture).iter() if each.get("class") == "head"]
    assert [each.text.partition(":")[0] for each in heads] == list(plot.HERO)
    assert "benchmarks/results/hero.svg" in baseline.FRONT.read_text()


def test_a_scenario_is_described_with_its_pace():
    capped = {"groups": [[2, 1 << 30]], "by": "bytes", "cap": 80_000_000, "first_byte": 0.03}
    assert tables.described(capped) == "2 x 1 GiB, first byte after 30 ms, 80 MB/s a connection"


def test_a_run_with_wrong_files_is_reported_and_is_in_no_table():
    runs = [run_of(S3HAUL, 0, 2.0, 1.0), run_of("other", 0, 1.0, 0.5, problems=["a: missing"])]
    text = tables.details(results_of(runs), "https")
    assert "- other, small, https, round 1: a: missing" in text
    assert "| other" not in text


def test_a_text_without_the_markers_is_refused():
    with pytest.raises(ValueError, match="markers"):
        tables.into("# Benchmarks\n", {"https": results_of([])})


def test_canned_pages_list_every_key_once_in_order_and_point_to_each_other():
    objects = {f"{index:04d}": scenarios.Stored(1, "x", 0) for index in range(2500)}
    pages = dict(server.list_pages("bench-small", objects))
    token, keys = server.FIRST_PAGE, []
    while token:
        root = ET.fromstring(pages[token])
        keys += [key.text for key in root.findall("s3:Contents/s3:Key", NAMESPACE)]
        token = root.findtext("s3:NextContinuationToken", namespaces=NAMESPACE)
        assert root.findtext("s3:IsTruncated", namespaces=NAMESPACE) == ("true" if token else "false")
    assert keys == sorted(objects)
    assert len(pages) == 3


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1000, 1), (1001, 2)])
def test_a_full_page_is_followed_by_another_only_if_keys_are_left(count, pages):
    objects = {f"{index:04d}": scenarios.Stored(1, "x", 0) for index in range(count)}
    assert len(list(server.list_pages("bench-small", objects))) == pages


def test_keys_and_etags_are_escaped_in_a_listing():
    key = "a&b<c>'\".bin"
    stored = scenarios.Stored(0x1000, "x", 0x65000000)
    [(_, page)] = server.list_pages("bench-small", {key: stored})
    entry = ET.fromstring(page).find("s3:Contents", NAMESPACE)
    assert entry.findtext("s3:Key", namespaces=NAMESPACE) == key
    assert entry.findtext("s3:ETag", namespaces=NAMESPACE) == '"65000000-1000"'
    assert "&quot;65000000-1000&quot;" in page


def test_the_server_listens_on_loopback_only(tmp_path):
    text = server.configuration(tmp_path, tls_port=5001, plain_port=5002, workers=1, user=None)
    assert re.findall(r"listen (\S+?)[ ;]", text) == ["127.0.0.1:5002", "127.0.0.1:5001"]


def test_only_a_slow_server_waits_and_then_before_listings_and_objects_alike(tmp_path):
    ports = {"tls_port": 5001, "plain_port": 5002, "workers": 1, "user": None}
    assert "echo" not in server.configuration(tmp_path, **ports)
    slow = server.configuration(tmp_path, **ports, first_byte=0.03, echo=tmp_path / "echo.so")
    assert slow.startswith(f"load_module {tmp_path}/echo.so;")
    assert re.findall(r"echo_sleep 0.030; echo_exec (\S+);", slow) == ["@lists", "@objects"]


@pytest.mark.skipif(sys.platform != "linux", reason="pacing by socket option is Linux's")
def test_the_cap_of_the_listening_socket_is_that_of_every_connection_it_takes():
    with server._listening(1_000_000) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.SOL_SOCKET, server.SO_MAX_PACING_RATE) == 1_000_000


def test_where_nginx_cannot_be_had_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(server.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SystemExit, match=r"apt-get install nginx-light libnginx-mod-http-echo$"):
        server.find_nginx(tmp_path)


def test_the_checksum_is_the_crc64nvme_of_the_file_as_s3_writes_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"123456789")
    assert scenarios.crc64nvme(path) == "rosUhgp5mIg="  # ae8b14860a799888, the check value of the algorithm
    assert crt.crc64nvme(b"123456789") == 0xAE8B14860A799888


def test_every_object_and_every_block_of_it_has_its_own_content(tmp_path):
    stored = scenarios.make(Scenario(name="mid", groups=((2, 3 << 20),), by="bytes"), tmp_path)
    blocks = [
        (tmp_path / key).read_bytes()[start : start + scenarios.BLOCK]
        for key in stored
        for start in (0, 1 << 20)
    ]
    assert len(set(blocks)) == 4


def test_the_tree_that_was_served_is_right_and_a_journal_beside_it_does_not_count(tree):
    stored, root = tree
    (root / ".s3haul").mkdir()
    (root / ".s3haul" / "journal").touch()
    assert scenarios.differences(stored, root) == []


def _change_a_byte(path):
    content = bytearray(path.read_bytes())
    content[2500] ^= 1
    path.write_bytes(content)


def _put_a_link(path):
    path.rename(path.parent.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent.parent / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_change_a_byte, "other bytes"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "4999 bytes instead of 5000"),
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.with_name("more").touch(), "unexpected file"),
        (_put_a_link, "instead of 5000"),
    ],
)
def test_a_wrong_tree_is_found(tree, spoil, told):
    stored, root = tree
    spoil(root / "01" / "0000001.bin")
    [problem] = scenarios.differences(stored, root)
    assert told in problem


def test_rounds_are_interleaved_and_begin_with_another_contender_each():
    able = [each for each in CONTENDERS if not each.only and not each.slow][:3]
    order = [heat.contender.name for heat in baseline.heats(3, SCENARIOS[0], ["https"], able)]
    a, b, c = (each.name for each in able)
    assert order == [a, b, c, b, c, a, c, a, b]


def test_a_contender_runs_only_the_scenarios_that_it_is_for():
    ran = {
        (scenario.name, heat.contender.name)
        for scenario in SCENARIOS
        for heat in baseline.heats(1, scenario, ["https"], CONTENDERS)
    }
    assert ("large", "curl") in ran
    assert ("small", "curl") not in ran


def test_slow_contenders_run_once_and_a_part_of_what_counts_objects():
    slow = [each for each in CONTENDERS if each.slow][:1]
    small, large = (next(each for each in SCENARIOS if each.name == name) for name in ("small", "large"))
    [heat] = baseline.heats(3, small, ["https"], slow)
    assert (heat.round, heat.scenario) == (0, part(small))
    assert (heat.scenario.objects, heat.scenario.bucket) == (small.objects // 8, "bench-small-part")
    assert [heat.scenario for heat in baseline.heats(3, large, ["https"], slow)] == [large]


def test_commits_and_flags_of_s3haul_are_contenders_of_their_own(tmp_path):
    arguments = baseline._arguments(["--only", "rclone", "--revision", "HEAD", "--flags=--processes 2"])
    commit = baseline.git("rev-parse", "--short", "HEAD")
    names = [f"s3haul-{commit}", "s3haul --processes 2", "rclone"]
    assert [each.name for each in baseline.chosen(arguments)] == names
    [package] = of_revision(OURS, tmp_path, commit).packages
    assert package.endswith(f"@{commit}")


@pytest.mark.parametrize(
    ("words", "partial"),
    [
        (["--rounds", "2"], False),
        (["--schemes", "http", "--flags=--processes 2"], False),
        (["--quick"], True),
        (["--only", "s3haul"], True),
        (["--scenarios", "small", "mid"], True),
    ],
)
def test_only_a_run_of_everything_is_recorded_by_itself(words, partial):
    assert baseline._arguments(words).partial is partial


def test_a_mixed_scenario_lists_all_sizes_shuffled_and_the_same_each_time():
    mixed = next(each for each in SCENARIOS if each.name == "mixed")
    sizes = list(mixed.sizes().values())
    assert sorted(Counter(sizes).items()) == sorted((size, number) for number, size in mixed.groups)
    assert sum(sizes) == mixed.bytes
    assert sizes not in (sorted(sizes), sorted(sizes, reverse=True))
    assert list(mixed.sizes().items()) == list(mixed.sizes().items())


def test_every_contender_makes_a_command_for_every_scenario_it_is_for(tmp_path):
    for contender in [*CONTENDERS, with_flags("s3haul --quiet", "--quiet")]:
        for scenario in map(quick, SCENARIOS):
            task = Task(
                scenario=scenario,
                endpoint="https://127.0.0.1:1",
                ca=tmp_path / "ca.pem",
                destination=tmp_path / "copy",
                home=tmp_path,
                programs=tmp_path,
                keys=tuple(scenario.sizes()),
            )
            words = contender.command(task)
            assert all((CLIENTS / word).exists() for word in words if word.endswith(".py"))
            assert any(scenario.bucket in word for word in words)
            assert any(str(task.destination) in word for word in words)
            environment = {**base_environment(task), **contender.environment(task)}
            assert any("https://127.0.0.1:1" in word for word in [*words, *environment.values()])


def test_a_command_is_measured_with_its_children_and_its_exit_status(tmp_path):
    burn = "sum(range(5_000_000))"
    code = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{burn}']); print('out'); sys.exit(7)"
    )
    done = measure([sys.executable, "-c", code], environment=dict(os.environ), directory=tmp_path, longest=60)
    assert (done.cost.status, done.stdout) == (7, "out\n")
    assert done.cost.user > 0
    assert done.cost.wall > 0
    assert done.cost.peak_memory > 1 << 20


def test_children_that_nobody_waited_for_count_and_memory_is_that_of_all_together(tmp_path):
    child = (
        "import time; kept = bytearray(b'x') * (60 << 20); began = time.process_time()\n"
        "while time.process_time() < began + 0.5: pass"
    )
    code = f"import subprocess, sys; [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in 'ab']"
    done = measure([sys.executable, "-c", code], environment=dict(os.environ), directory=tmp_path, longest=60)
    assert done.cost.status == 0
    assert done.cost.user + done.cost.system > 1.0
    assert done.cost.peak_memory > 120 << 20


def test_the_cpu_time_of_the_machine_grows_while_a_process_works():
    before = machine_cpu_seconds()
    sum(range(5_000_000))
    assert machine_cpu_seconds() >= before


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    code = f"import time; pipe = open({str(pipe)!r}, 'wb', 0); pipe.write(b'alive'); time.sleep(600)"
    done = measure([sys.executable, "-c", code], environment=dict(os.environ), directory=tmp_path, longest=3)
    assert done.cost.status is None
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as until_the_child_is_gone:
        assert until_the_child_is_gone.read() == b"alive"


def test_the_figures_of_listings_are_the_recorded_ones():
    readme, recorded = listing.README.read_text(), json.loads(listing.RESULTS.read_text())
    assert readme == listing.into(readme, recorded)
    assert all(run["exact"] for run in recorded["runs"])


def test_a_small_benchmark_of_listings_works(tmp_path, capsys):
    output = tmp_path / "listing.json"
    sizes = ["--count", "3000", "--sizes", "2000", "--again", "50", "--keyspaces", "hex", "--rivals"]
    assert listing.main([*sizes, "--output", str(output)]) == 0
    runs = json.loads(output.read_text())["runs"]
    assert [run["scenario"] for run in runs] == [
        "keyspaces",
        "keyspaces",
        "printed",
        "memory",
        "again",
        "again",
    ]
    assert all(run["exact"] for run in runs)
    table = listing.into(f"{listing.BEGIN}\n{listing.END}", json.loads(output.read_text()))
    assert "| hex | 3,000 | s3haul, one at a time |" in table
    assert capsys.readouterr().out.count("hex") == 3
