"""The entry point of `make bench`: every contender, every scenario, in interleaved rounds, on one server.

Each run starts with an empty destination in memory and ends with a check of every byte that it left. The
figures go to results/baseline.json and from there into README.md; `--quick` only shows that it all works.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import canned
import tables
from corpus import differences
from measure import Finished, measure
from rivals import CONTENDERS, S3HAUL, Contender, Task, base_environment, installed, version
from scenarios import SCENARIOS, Scenario, quick
from server import Server, memory_directory

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "baseline.json"
README = HERE / "README.md"
FRONT = HERE.parent / "README.md"
LONGEST_RUN = 180.0
BY = "CRC64NVME FULL_OBJECT"


@dataclass(frozen=True, slots=True)
class Heat:
    """One run to do: who, what, how."""

    round: int
    scenario: Scenario
    scheme: str
    contender: Contender


def heats(
    rounds: int, scenarios: Sequence[Scenario], schemes: Sequence[str], contenders: Sequence[Contender]
) -> Iterator[Heat]:
    """Interleaved: all contenders in turn, then the next round, and each round begins with another one."""
    for scheme in schemes:
        for scenario in scenarios:
            able = [each for each in contenders if scenario.name in each.scenarios]
            for number in range(rounds):
                first = number % len(able)
                for contender in able[first:] + able[:first]:
                    yield Heat(number, scenario, scheme, contender)


def run(heat: Heat, server: Server, programs: Path) -> dict[str, Any]:
    """One measured and checked run, as a record of the results."""
    with tempfile.TemporaryDirectory(prefix="s3haul-bench-copy-", dir=memory_directory()) as scratch:
        destination, home, work = (Path(scratch, name) for name in ("copy", "home", "work"))
        for directory in (destination, home, work):
            directory.mkdir()
        objects = server.objects[heat.scenario.name]
        task = Task(
            scenario=heat.scenario,
            endpoint=server.endpoint(heat.scheme),
            ca=server.ca,
            destination=destination,
            home=home,
            programs=programs,
            keys=tuple(objects),
        )
        environment = {**base_environment(task), **heat.contender.environment(task)}
        before = server.cpu_seconds()
        finished = measure(
            heat.contender.command(task), environment=environment, directory=work, longest=LONGEST_RUN
        )
        server_cpu = server.cpu_seconds() - before
        problems = _problems(heat, finished) + differences(objects, destination)
    return {
        "contender": heat.contender.name,
        "scenario": heat.scenario.name,
        "scheme": heat.scheme,
        "round": heat.round,
        **asdict(finished.cost),
        "server_cpu": server_cpu,
        "load": os.getloadavg()[0],
        "problems": problems,
    }


def _problems(heat: Heat, finished: Finished) -> list[str]:
    problems = []
    if finished.cost.status is None:
        problems.append(f"not finished after {LONGEST_RUN:.0f} s")
    elif finished.cost.status != 0:
        said = (finished.stderr or finished.stdout).strip().splitlines()[-1:]
        problems.append(f"exit {finished.cost.status}: {' '.join(said)[:200]}")
    elif heat.contender.name == S3HAUL:
        summary, objects = json.loads(finished.stdout), heat.scenario.objects
        if summary["verdicts"]["verified"] != objects or summary["algorithms"] != {BY: objects}:
            problems.append(f"verified {summary['verdicts']} by {summary['algorithms']}, not all {objects}")
    return problems


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    memory = Path("/proc/meminfo").read_text().splitlines()[0].split()[1]
    return {
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory) / (1 << 20)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def of_revision(contender: Contender, revision: str) -> Contender:
    """s3haul as it was committed, in an environment of its own; every rival as it is."""
    if contender.name != S3HAUL:
        return contender
    return replace(contender, packages=(f"git+{HERE.parent.as_uri()}@{revision}",))


def git(*words: str) -> str:
    """What git says about this checkout, in one word."""
    return subprocess.run(
        ["git", "-C", str(HERE), *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def contest(arguments: argparse.Namespace) -> dict[str, Any]:
    """All runs; returns the results as they are stored."""
    scenarios = [quick(each) if arguments.quick else each for each in SCENARIOS]
    scenarios = [each for each in scenarios if each.name in arguments.scenarios]
    contenders = [each for each in CONTENDERS if each.name in arguments.only]
    if arguments.revision:
        contenders = [of_revision(each, arguments.revision) for each in contenders]
    programs = {each.name: installed(each) for each in contenders}
    results: dict[str, Any] = {
        "schema": 1,
        "recorded": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "revision": arguments.revision or git("describe", "--always", "--dirty"),
        "rounds": arguments.rounds,
        "scenarios": [asdict(each) for each in scenarios],
        "contenders": [
            {
                "name": each.name,
                "version": version(each, programs[each.name]),
                "checks": each.checks,
                "settings": each.settings,
            }
            for each in contenders
        ],
        "runs": [],
    }
    workers = max(1, results["machine"]["cores"] // 2)
    with Server(scenarios, workers=workers) as server:
        results["server"] = {"version": server.version, "workers": workers, "cipher": canned.CIPHER}
        for heat in heats(arguments.rounds, scenarios, arguments.schemes, contenders):
            record = run(heat, server, programs[heat.contender.name])
            results["runs"].append(record)
            print(tables.line(record), flush=True)
    return results


def _arguments(line: Sequence[str]) -> argparse.Namespace:
    names = [each.name for each in CONTENDERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes; nothing is recorded by itself")
    parser.add_argument("--rounds", type=int, default=None, help="default 3, or 1 with --quick")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument(
        "--scenarios", nargs="+", choices=[s.name for s in SCENARIOS], default=[s.name for s in SCENARIOS]
    )
    parser.add_argument("--schemes", nargs="+", choices=["https", "http"], default=["https"])
    parser.add_argument("--revision", default=None, help="a commit of s3haul instead of the working tree")
    parser.add_argument("--output", type=Path, default=None, help="a JSON file instead of the recorded one")
    arguments = parser.parse_args(line)
    if arguments.revision:
        arguments.revision = git("rev-parse", "--short", "--verify", arguments.revision)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    return arguments


def main(line: Sequence[str]) -> int:
    """Exit code 1 if any run ended badly or left a wrong tree."""
    arguments = _arguments(line)
    began = time.monotonic()
    results = contest(arguments)
    if arguments.output:
        arguments.output.write_text(tables.dump(results))
    elif not arguments.quick:
        RESULTS.write_text(tables.dump(results))
        results = json.loads(RESULTS.read_text())  # as rounded there, so that the tables can be made again
        README.write_text(tables.into(README.read_text(), results))
        FRONT.write_text(tables.brief_into(FRONT.read_text(), results))
    width = shutil.get_terminal_size().columns
    print("-" * min(width, 80), tables.render(results), f"{time.monotonic() - began:.0f} s in all.", sep="\n")
    return 1 if any(record["problems"] for record in results["runs"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
