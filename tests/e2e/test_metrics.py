"""`--metrics-port` in a run as Prometheus meets it: counts while it lasts, on loopback, gone afterwards."""

import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.harness import SOURCE, wait_until

CP = ("cp", SOURCE, "data", "--profile", "export")


def scrape(url: str) -> dict[str, float]:
    """The samples of a scrape; those that differ by a label are added up."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_a_run_can_be_watched_until_it_ends(machine, server):
    server.faults.add("stall", operation="GetObject", key="data/0/object-0007.bin")
    with machine.start(*CP, "--metrics-port", "0", "--no-progress") as process:
        line = next(line for line in process.stderr if "Metrics at" in line)
        url = re.search(r"http://\S+", line)[0]
        assert url.startswith("http://127.0.0.1:")
        wait_until(lambda: scrape(url)["s3haul_objects_total"] == 59, "all objects but one")
        found = scrape(url)
        assert (found["s3haul_listing_complete"], found["s3haul_selected_objects"]) == (1, 60)
        assert found["s3haul_received_bytes_total"] > 59 * 500
        assert found["s3haul_process_cpu_seconds_total"] > 0
        assert found["s3haul_first_byte_seconds_count"] == found["s3haul_requests_total"] > 59
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    with pytest.raises(urllib.error.URLError):
        scrape(url)


def test_a_port_in_use_is_an_error_before_any_request(machine, server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = machine.run(*CP, "--metrics-port", str(taken.getsockname()[1]))
    assert (ran.code, server.calls) == (2, [])
    assert "another --metrics-port" in ran.err


def test_without_the_extra_the_command_that_installs_it_is_printed(machine):
    code = (
        "import sys\nsys.modules['prometheus_client'] = None\nfrom s3haul.cli.app import run\n"
        f"sys.exit(run({[*CP, '--metrics-port', '0']!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=machine.environment,
        cwd=machine.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 's3haul[metrics]'" in done.stderr


@pytest.mark.parametrize("arguments", [("--dryrun",), ()])
def test_only_a_run_into_files_has_metrics(machine, arguments):
    dest = "data" if arguments else "-"
    source = SOURCE if arguments else f"{SOURCE}/data/0/object-0007.bin"
    ran = machine.run("cp", source, dest, "--metrics-port", "0", *arguments)
    assert (ran.code, "that writes files" in ran.err) == (2, True)
    by_variable = machine.run("cp", source, dest, *arguments, "--profile", "export", S3HAUL_METRICS_PORT="0")
    assert by_variable.code == 0
    assert "Metrics" not in by_variable.err
