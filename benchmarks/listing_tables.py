"""The recorded figures of listings as text. Pure."""

import json
from collections.abc import Iterator
from typing import Any

BEGIN = "<!-- listing: begin (generated from results/listing.json by listing_tables.py) -->"
END = "<!-- listing: end -->"
PAGE = 1000


def dump(results: dict[str, Any]) -> str:
    """One line a run, so that a diff can be read."""
    runs = ",\n".join(f"    {json.dumps(_rounded(run))}" for run in results["runs"])
    rest = json.dumps({**results, "runs": []}, indent=2)
    return rest.replace('"runs": []', f'"runs": [\n{runs}\n  ]') + "\n"


def line(run: dict[str, Any]) -> str:
    """One run, while it happens."""
    what = f"{run['scenario']:<10}{run['keyspace']:<11}{run['keys']:>11,}  {run['client']:<22}"
    return f"{what}{run['wall']:8.1f} s {_cpu(run):6.1f} us a key, load {run['load']:.1f}{'' if run['exact'] else ' ! not exact'}"


def into(readme: str, results: dict[str, Any]) -> str:
    """The text with everything between the markers made anew. Raises `ValueError` without markers."""
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
