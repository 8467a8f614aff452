"""The entry point of `make bench`: every contender, every scenario, in interleaved rounds, on one server.

Each run starts with an empty destination in memory and ends with a check of every byte that it
left. The figures go to results/SCHEME.json and from there into the README files; `--quick` only
shows that it all works.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tables
from contender import Contender, Task, base_environment, installed, version
from measure import Finished, machine_cpu_seconds, measure, warm
from plot import HERO, plot
from rivals import CONTENDERS, OURS, of_revision, with_flags
from scenarios import SCENARIOS, Scenario, differences, part, quick
from server import CIPHER, Server, memory_directory

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE / "README.md"
FRONT = HERE.parent / "README.md"
SCHEMES = ("https", "http")
LONGEST_RUN = 900.0
BY = "CRC64NVME FULL_OBJECT"


@dataclass(frozen=True, slots=True)
class Heat:
    """One run to do: who, what, how."""

    round: int
    scenario: Scenario
    scheme: str
    contender: Contender


def heats(
    rounds: int, scenario: Scenario, schemes: Sequence[str], contenders: Sequence[Contender]
) -> Iterator[Heat]:
    """Interleaved: all contenders in turn, then the next round, and each round begins with another one."""
    able = [each for each in contenders if not each.only or scenario.name in each.only]
    for scheme in schemes:
        for number in range(rounds):
            first = number % len(able) if able else 0
            for contender in able[first:] + able[:first]:
                if not contender.slow:
                    yield Heat(number, scenario, scheme, contender)
                elif number == 0:
                    yield Heat(number, part(scenario), scheme, contender)


def run(heat: Heat, server: Server, programs: Path, copies: Path) -> dict[str, Any]:
    """One measured and checked run, as a record of the results; the copy is made below `copies`."""
    with tempfile.TemporaryDirectory(prefix="s3haul-bench-copy-", dir=copies) as scratch:
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
        command = heat.contender.command(task)
        if copies == memory_directory():
            warm(work, heat.scenario.bytes)
        before, all_before = server.cpu_seconds(), machine_cpu_seconds()
        finished = measure(command, environment=environment, directory=work, longest=LONGEST_RUN)
        server_cpu, all_cpu = server.cpu_seconds() - before, machine_cpu_seconds() - all_before
        problems = _problems(heat, finished) + differences(objects, destination)
    cost = finished.cost
    return {
        "contender": heat.contender.name,
        "scenario": heat.scenario.name.removesuffix("-part"),
        "scheme": heat.scheme,
        "round": heat.round,
        "objects": heat.scenario.objects,
        "bytes": heat.scenario.bytes,
        **asdict(cost),
        "server_cpu": server_cpu,
        "other_cpu": max(0.0, all_cpu - server_cpu - cost.user - cost.system),
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
    elif heat.contender.ours:
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


def git(*words: str) -> str:
    """The name of this revision, by git."""
    return subprocess.run(
        ["git", "-C", str(HERE), *words], capture_output=True, text=True, check=True
    ).stdout.strip()


def chosen(arguments: argparse.Namespace) -> list[Contender]:
    """Those that were named, then s3haul as of other commits and with other flags."""
    named = [each for each in CONTENDERS if each.name in arguments.only]
    commits = [git("rev-parse", "--short", "--verify", each) for each in arguments.revision]
    extra = [of_revision(OURS, HERE.parent, each) for each in commits]
    extra += [with_flags(f"{OURS.name} {each}", each) for each in arguments.flags]
    ours = [each for each in named if each.ours] + extra
    return ours + [each for each in named if not each.ours]


def contest(arguments: argparse.Namespace) -> dict[str, Any]:
    """All runs; returns the results as they are stored."""
    scenarios = [quick(each) if arguments.quick else each for each in SCENARIOS]
    scenarios = [each for each in scenarios if each.name in arguments.scenarios]
    contenders = chosen(arguments)
    programs = {each.name: installed(each) for each in contenders}
    results: dict[str, Any] = {
        "schema": 2,
        "recorded": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "revision": git("describe", "--always", "--dirty"),
        "rounds": arguments.rounds,
        "scenarios": [asdict(each) for each in scenarios],
        "contenders": [
            {
                "name": each.name,
                "version": version(each, programs[each.name]),
                "checks": each.checks,
                "settings": each.settings,
                "source": each.source,
                "ours": each.ours,
            }
            for each in contenders
        ],
        "runs": [],
    }
    workers = max(1, results["machine"]["cores"] // 2)
    for scenario in scenarios:
        buckets = list(dict.fromkeys((scenario, part(scenario))))
        with Server(*buckets, workers=workers) as server:
            results["server"] = {"version": server.version, "workers": workers, "cipher": CIPHER}
            for heat in heats(arguments.rounds, scenario, arguments.schemes, contenders):
                record = run(heat, server, programs[heat.contender.name], arguments.copies)
                results["runs"].append(record)
                print(tables.line(record), flush=True)
    return results


def publish() -> None:
    """Writes the tables and plots of all recorded results."""
    recorded = recorded_results()
    for scheme, results in recorded.items():
        (RESULTS / f"{scheme}.md").write_text(tables.details(results, scheme))
        (RESULTS / f"{scheme}.svg").write_text(plot(results, scheme))
    (RESULTS / "hero.svg").write_text(plot(recorded["https"], "https", HERO))
    README.write_text(tables.into(README.read_text(), recorded))
    FRONT.write_text(tables.brief_into(FRONT.read_text(), recorded["https"]))


def recorded_results() -> dict[str, Any]:
    """What is kept, by scheme."""
    files = {scheme: RESULTS / f"{scheme}.json" for scheme in SCHEMES}
    return {scheme: json.loads(file.read_text()) for scheme, file in files.items() if file.exists()}


def _arguments(line: Sequence[str]) -> argparse.Namespace:
    names = [each.name for each in CONTENDERS]
    usual = [each.name for each in SCENARIOS if not each.optional]
    epilog = "Only a run of everything, in full size, is recorded by itself."
    parser = argparse.ArgumentParser(description=__doc__, epilog=epilog)
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--rounds", type=int, default=None, help="default 3, or 1 with --quick")
    parser.add_argument("--only", nargs="*", choices=names, default=names, metavar="NAME", help="contenders")
    parser.add_argument(
        "--scenarios", nargs="+", choices=[each.name for each in SCENARIOS], default=usual, metavar="NAME"
    )
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=["https"])
    parser.add_argument(
        "--revision", action="append", default=[], help="s3haul as of this commit, too; may be repeated"
    )
    parser.add_argument(
        "--flags",
        action="append",
        default=[],
        help="s3haul with these flags, too; --flags='--concurrency 64'",
    )
    parser.add_argument(
        "--copies", type=Path, default=memory_directory(), help="where copies go, if not into memory"
    )
    parser.add_argument("--output", type=Path, default=None, help="a JSON file instead of the recorded ones")
    parser.add_argument("--tables", action="store_true", help="run nothing: only write the tables and plots")
    arguments = parser.parse_args(line)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    some = not (set(names) <= set(arguments.only) and set(usual) <= set(arguments.scenarios))
    arguments.partial = arguments.quick or some
    return arguments


def main(line: Sequence[str]) -> int:
    """Exit code 1 if any run ended badly or left a wrong tree."""
    arguments = _arguments(line)
    if arguments.tables:
        publish()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every `with`: server, data, copies
    began = time.monotonic()
    results = contest(arguments)
    by_scheme = {
        scheme: {**results, "runs": [run for run in results["runs"] if run["scheme"] == scheme]}
        for scheme in arguments.schemes
    }
    if arguments.output:
        arguments.output.write_text(tables.dump(results))
    elif not arguments.partial:
        for scheme, mine in by_scheme.items():
            (RESULTS / f"{scheme}.json").write_text(tables.dump(mine))
        publish()
    print("-" * min(shutil.get_terminal_size().columns, 80))
    for scheme, mine in by_scheme.items():
        print(tables.details(mine, scheme))
    print(f"{time.monotonic() - began:.0f} s in all.")
    return 1 if any(record["problems"] for record in results["runs"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
