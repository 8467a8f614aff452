"""Listings of a million keys at 50 ms a page: `python benchmarks/listing.py`, a quarter of an hour.

Every keyspace by s3haul's dry run, with several requests at a time and with one; the rivals on a part of the
sequential one, since all of them list page after page; the memory of 10,000 to 10,000,000 keys; and a run
with a million objects done. The server (key_server.py) is in a process of its own. Figures go to
results/listing.json and into README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from baseline import git, machine
from contender import installed, version
from key_server import ETAG, KEYSPACES, keys_of
from measure import Finished, machine_cpu_seconds, measure
from rivals import CLIENTS, CONTENDERS, OURS
from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.database import journal_path
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict
from server import memory_directory

BEGIN = "<!-- listing: begin (generated from results/listing.json by listing.py) -->"
END = "<!-- listing: end -->"
PAGE = 1000
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "listing.json"
README = HERE / "README.md"
DELAY = 50  # ms a page
COUNT = 1_000_000
RIVALS_COUNT = 200_000
ROUNDS = 3  # of what takes seconds; the middle one counts
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
LONGEST_RUN = 3600.0
SERIAL = ("--list-concurrency", "1")
Command = Callable[[str, str, Path], list[str]]  # endpoint, bucket, an empty directory

RIVALS: dict[str, Command] = {
    "obstore": lambda endpoint, bucket, _home: [
        "python",
        str(CLIENTS / "obstore_list.py"),
        endpoint,
        bucket,
    ],
    "rclone": lambda _endpoint, bucket, home: [
        *("rclone", "lsf", "--recursive", "--files-only", "--fast-list", "--use-server-modtime"),
        *("--config", str(home / "rclone.conf"), f"bench:{bucket}"),
    ],
    "s5cmd": lambda endpoint, bucket, _home: [
        *("s5cmd", "--endpoint-url", endpoint, "ls", f"s3://{bucket}/*")
    ],
    "aws-classic": lambda endpoint, bucket, _home: [
        *("aws", "s3", "ls", "--recursive", f"s3://{bucket}", "--endpoint-url", endpoint)
    ],
}


@contextmanager
def server(delay: float) -> Iterator[str]:
    """The endpoint of a server that answers after so many milliseconds."""
    command = [sys.executable, str(HERE / "key_server.py"), str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def counts(endpoint: str) -> dict[str, int]:
    """The requests and keys that the server counted since the last call."""
    with urlopen(f"{endpoint}/?counts") as answer:
        return {"requests": 0, "keys": 0, "empty": 0, **json.load(answer)}


def run(
    endpoint: str, bucket: str, command: Sequence[str], programs: Path, work: Path
) -> tuple[dict[str, Any], Finished]:
    """One measured command, as a record."""
    environment = {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(work),
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
        "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
        "RCLONE_CONFIG_BENCH_ENDPOINT": endpoint,
        "RCLONE_CONFIG_BENCH_LIST_VERSION": "2",
    }
    with urlopen(f"{endpoint}/{bucket}?list-type=2&max-keys=1") as first:  # so that the server has the keys
        first.read()
    counts(endpoint)
    before = machine_cpu_seconds()
    finished = measure(command, environment=environment, directory=work, longest=LONGEST_RUN)
    cost = finished.cost
    others = machine_cpu_seconds() - before - cost.user - cost.system
    kind, _, count = bucket.partition("-")
    record = {"keyspace": kind, "keys": int(count), **asdict(cost), "read": counts(endpoint)}
    return {**record, "other_cpu": others, "load": os.getloadavg()[0]}, finished


def dry_run(endpoint: str, bucket: str, *flags: str) -> list[str]:
    where = ["--endpoint-url", endpoint, "--dryrun", "--no-progress"]
    return ["s3haul", "cp", f"s3://{bucket}", "nowhere", *where, *flags]


def is_exact(bucket: str, lines: str) -> bool:
    """Whether a dry run named every key once, and no other."""
    begin, end = f"(dryrun) download: s3://{bucket}/", " to "
    named = sorted(
        line.removeprefix(begin).rpartition(end)[0] for line in lines.split("\n") if line.startswith(begin)
    )
    keys = keys_of(bucket)
    return len(named) == len(keys) and all(map(str.__eq__, named, map(keys.__getitem__, range(len(keys)))))


def counted(endpoint: str, bucket: str, flags: Sequence[str], programs: Path) -> dict[str, Any]:
    """A dry run that only counts, as a record."""
    with tempfile.TemporaryDirectory() as work:
        command = dry_run(endpoint, bucket, "--json", *flags)
        record, finished = run(endpoint, bucket, command, programs, Path(work))
    found = json.loads(finished.stdout)["objects"] if finished.cost.status == 0 else 0
    return {**record, "exact": found == record["keys"]}


def contest(endpoint: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every keyspace by s3haul, the sequential one by its rivals too."""
    ours = installed(OURS)
    for kind in arguments.keyspaces:
        bucket = f"{kind}-{arguments.count}"
        for name, flags, rounds in (("s3haul", (), ROUNDS), ("s3haul, one at a time", SERIAL, 1)):
            taken = [counted(endpoint, bucket, flags, ours) for _ in range(rounds)]
            taken.sort(key=lambda record: record["wall"])
            exact = all(record["exact"] for record in taken)
            middle = taken[rounds // 2]
            yield {"scenario": "keyspaces", "client": name, **middle, "exact": exact, "rounds": rounds}
        if kind != "unicode":  # whose keys are shown escaped
            with tempfile.TemporaryDirectory() as work:
                record, finished = run(endpoint, bucket, dry_run(endpoint, bucket), ours, Path(work))
                exact = is_exact(bucket, finished.stdout)
            yield {"scenario": "printed", "client": "s3haul", **record, "exact": exact}
    for name in arguments.rivals:
        rival = next(each for each in CONTENDERS if each.name == name)
        bucket, programs = f"sequential-{arguments.rivals_count}", installed(rival)
        version(rival, programs)
        with tempfile.TemporaryDirectory() as work:
            command = RIVALS[name](endpoint, bucket, Path(work))
            record, finished = run(endpoint, bucket, command, programs, Path(work))
        lines = finished.stdout.count("\n")
        yield {"scenario": "keyspaces", "client": name, **record, "exact": lines == arguments.rivals_count}


def memory(endpoint: str, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """What a dry run of more and more keys needs."""
    for size in sizes:
        bucket = f"sequential-{size}"
        record = counted(endpoint, bucket, (), installed(OURS))
        yield {"scenario": "memory", "client": "s3haul", **record}


def again(endpoint: str, count: int) -> Iterator[dict[str, Any]]:
    """A run that finds everything done."""
    for kind in ("sequential", "prefixes"):
        bucket = f"{kind}-{count}"
        with (
            tempfile.TemporaryDirectory(dir=memory_directory()) as copy,
            tempfile.TemporaryDirectory() as work,
        ):
            pretend_done(bucket, Path(copy))
            where = ["--endpoint-url", endpoint, "--json", "--no-progress"]
            command = ["s3haul", "cp", f"s3://{bucket}", copy, *where]
            record, finished = run(endpoint, bucket, command, installed(OURS), Path(work))
            size = journal_path(Path(copy)).stat().st_size / count
        found = json.loads(finished.stdout)["unchanged"]["objects"] if finished.cost.status == 0 else 0
        yield {
            "scenario": "again",
            "client": "s3haul",
            **record,
            "exact": found == count,
            "journal_bytes": size,
        }


def pretend_done(bucket: str, root: Path) -> None:
    """The files and the journal that a run of the whole bucket would leave."""
    keys, made = keys_of(bucket), set[Path]()
    (root / ".s3haul").mkdir(mode=0o700)
    journal = Journal.open(journal_path(root), SourceIdentity(bucket, "", "benchmark"), sync=lambda: None)
    number = journal.begin_run()
    key_arn = "arn:aws:kms:us-east-1:111111111111:key/11111111-2222-3333-4444-555555555555"
    for place, key in enumerate(map(keys.__getitem__, range(len(keys)))):
        path = root / key
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_bytes(b"1234")
        journal.record(
            Outcome(
                ObjectRef(key, 4, f'"{ETAG}"', 1.0),
                State.DONE,
                path=key,
                verdict=Verdict.VERIFIED,
                checksum=Checksum("CRC64NVME", "FULL_OBJECT", "AAAAAAAAAAA="),
                sse="aws:kms",
                kms_key_id=key_arn,
            )
        )
        if place % 10_000 == 0:
            journal.flush()
    journal.end_run(number, complete=True, exit_code=0, listed=len(keys), listed_bytes=4 * len(keys))
    journal.close()


def records(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All runs, one after another."""
    with server(DELAY) as endpoint:
        yield from contest(endpoint, arguments)
    with server(0) as endpoint:
        yield from memory(endpoint, arguments.sizes)
        if arguments.again:
            yield from again(endpoint, arguments.again)


def dump(results: dict[str, Any]) -> str:
    """One line a run, so that a diff can be read."""
    runs = ",\n".join(f"    {json.dumps(_rounded(run))}" for run in results["runs"])
    rest = json.dumps({**results, "runs": []}, indent=2)
    return rest.replace('"runs": []', f'"runs": [\n{runs}\n  ]') + "\n"


def run_line(run: dict[str, Any]) -> str:
    """One run, while it happens."""
    what = f"{run['scenario']:<10}{run['keyspace']:<11}{run['keys']:>11,}  {run['client']:<22}"
    return f"{what}{run['wall']:8.1f} s {_cpu(run):6.1f} us a key, load {run['load']:.1f}{'' if run['exact'] else ' ! not exact'}"


def into(readme: str, results: dict[str, Any]) -> str:
    """The text with everything between the markers made again. Raises `ValueError` without markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the markers of the tables are missing")
    return f"{before}{BEGIN}\n\n" + "\n".join(_tables(results)) + f"\n{END}{after}"


def _tables(results: dict[str, Any]) -> Iterator[str]:
    machine, runs = results["machine"], results["runs"]
    loads = [run["load"] for run in runs]
    yield (
        f"Revision {results['revision']}, recorded {results['recorded']} on {machine['processor']}, "
        f"{machine['cores']} cores, Python {machine['python']}; a page after {results['delay_ms']} ms; load"
        f" average {min(loads):.1f} to {max(loads):.1f}. s3haul with several requests at a time: the middle one of three rounds."
    )
    yield ""
    yield "| keyspace | keys | client | s | times as fast | requests (least) | keys read twice | µs CPU/key | peak MB |"
    yield "|---|---|---|---|---|---|---|---|---|"
    serial = {
        (run["keyspace"], run["keys"]): run["wall"] for run in runs if run["client"].endswith("one at a time")
    }
    for run in runs:
        if run["scenario"] == "keyspaces" and run["exact"]:
            yield _row(run, serial.get((run["keyspace"], run["keys"])))
    yield ""
    yield "| keys, sequential, no delay | s | µs CPU/key | peak MB |"
    yield "|---|---|---|---|"
    for run in runs:
        if run["scenario"] == "memory":
            yield f"| {run['keys']:,} | {run['wall']:.1f} | {_cpu(run):.1f} | {run['peak_memory'] / 1e6:.0f} |"
    yield ""
    yield "| a run that finds everything done, no delay | objects | s | µs CPU/object | peak MB | journal, bytes/object |"
    yield "|---|---|---|---|---|---|"
    for run in runs:
        if run["scenario"] == "again":
            yield (
                f"| {run['keyspace']} | {run['keys']:,} | {run['wall']:.1f} | {_cpu(run):.1f} "
                f"| {run['peak_memory'] / 1e6:.0f} | {run['journal_bytes']:.0f} |"
            )
    yield ""


def _row(run: dict[str, Any], serial: float | None) -> str:
    least, read = -(-run["keys"] // PAGE), run["read"]
    times = f"{serial / run['wall']:.1f}" if serial else ""
    twice = f"{read['keys'] / run['keys'] - 1:.1%}"
    return (
        f"| {run['keyspace']} | {run['keys']:,} | {run['client']} | {run['wall']:.1f} | {times} "
        f"| {read['requests']:,} ({least:,}) | {twice} | {_cpu(run):.1f} | {run['peak_memory'] / 1e6:.0f} |"
    )


def _cpu(run: dict[str, Any]) -> float:
    return float((run["user"] + run["system"]) / run["keys"] * 1e6)


def _rounded(run: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in run.items()}


def main(argv: Sequence[str]) -> int:
    """Exit code 1 if a listing was not exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--keyspaces", nargs="*", choices=KEYSPACES, default=list(KEYSPACES))
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--rivals-count", type=int, default=RIVALS_COUNT)
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES, help="of the memory curve")
    parser.add_argument("--again", type=int, default=COUNT, help="objects that are done; 0: leave it out")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--tables", action="store_true", help="run nothing: only write the tables")
    arguments = parser.parse_args(argv)
    if not arguments.tables:
        results: dict[str, Any] = {
            "recorded": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": machine(),
            "revision": git("describe", "--always", "--dirty"),
            "delay_ms": DELAY,
            "runs": [],
        }
        began = time.monotonic()
        for record in records(arguments):
            results["runs"].append(record)
            print(run_line(record), flush=True)
            arguments.output.write_text(dump(results))
        print(f"{time.monotonic() - began:.0f} s in all.")
    if arguments.output == RESULTS:
        README.write_text(into(README.read_text(), json.loads(RESULTS.read_text())))
    return 0 if all(run["exact"] for run in json.loads(arguments.output.read_text())["runs"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
