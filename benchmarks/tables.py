"""From results to text: the tables of README.md, made from the recorded JSON by these functions alone.

Pure: results in, Markdown out. Medians with the smallest and largest value; ratios are taken round by
round, so what disturbs a whole round does not count as a difference.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from rivals import S3HAUL

BEGIN = "<!-- tables: begin (generated from results/baseline.json by tables.py) -->"
END = "<!-- tables: end -->"

BRIEF_BEGIN = (
    "<!-- speed: begin (generated from benchmarks/results/baseline.json by benchmarks/tables.py) -->"
)
BRIEF_END = "<!-- speed: end -->"

Run = Mapping[str, Any]
Figure = Callable[[Run], float]


def dump(results: Mapping[str, Any]) -> str:
    """The results as they are kept: one line a run, so that a diff can be read."""
    runs = ",\n".join(f"    {json.dumps(_rounded(run))}" for run in results["runs"])
    rest = json.dumps({**results, "runs": []}, indent=2)
    return rest.replace('"runs": []', f'"runs": [\n{runs}\n  ]') + "\n"


def into(readme: str, results: Mapping[str, Any]) -> str:
    """The text with everything between the two markers made anew. Raises `ValueError` without markers."""
    return _between(readme, BEGIN, END, lambda: render(results))


def brief_into(readme: str, results: Mapping[str, Any]) -> str:
    """The same for the project's README, with the short table."""
    return _between(readme, BRIEF_BEGIN, BRIEF_END, lambda: "\n".join(_brief(results)) + "\n")


def _between(text: str, begin: str, end: str, content: Callable[[], str]) -> str:
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError("the markers of the tables are missing")
    return f"{before}{begin}\n{content()}{end}{after}"


def _brief(results: Mapping[str, Any]) -> Iterator[str]:
    """Medians over TLS, client by client: speed, and the client's CPU."""
    heads, units = [], []
    for scenario in results["scenarios"]:
        heads.append(f"{scenario['objects']:,} x {_size(scenario['size'])}")
        units.append("objects/s (µs CPU each)" if scenario["by"] == "objects" else "MB/s (CPU s/GB)")
    yield ""
    yield f"| over TLS | checks content | {' | '.join(f'{head}: {unit}' for head, unit in zip(heads, units, strict=True))} |"
    yield f"|---|---|{'---|' * len(heads)}"
    for contender in results["contenders"]:
        cells = [
            _brief_cell(contender["name"], scenario, results["runs"]) for scenario in results["scenarios"]
        ]
        yield f"| {contender['name']} | {contender['checks']} | {' | '.join(cells)} |"
    yield ""
    machine = results["machine"]
    yield (
        f"Medians of {results['rounds']} rounds on {machine['cores']} shared cores, revision {results['revision']}; the"
        " server is a local nginx. Settings, spread and method: `benchmarks/README.md`; the same on your machine:"
        " `make bench`."
    )
    yield ""


def _brief_cell(name: str, scenario: Mapping[str, Any], runs: Sequence[Run]) -> str:
    mine = [
        run
        for run in runs
        if (run["contender"], run["scenario"], run["scheme"]) == (name, scenario["name"], "https")
        and not run["problems"]
    ]
    if not mine:
        return ""
    total = scenario["objects"] * scenario["size"]
    wall, cpu = median(run["wall"] for run in mine), median(_cpu(run) for run in mine)
    if scenario["by"] == "objects":
        return f"{_short(scenario['objects'] / wall)} ({_short(cpu / scenario['objects'] * 1e6)})"
    return f"{_short(total / 1e6 / wall)} ({_short(cpu / total * 1e9)})"


def line(run: Run) -> str:
    """One run, while it happens."""
    what = f"{run['scheme']:<5} {run['scenario']:<5} round {run['round'] + 1} {run['contender']:<12}"
    cost = f"{run['wall']:7.2f} s, CPU {_cpu(run):7.2f} s, server {run['server_cpu']:5.2f} s"
    return f"{what} {cost}, load {run['load']:.1f}{''.join(f' ! {each}' for each in run['problems'])}"


def render(results: Mapping[str, Any]) -> str:
    """All tables and what they were taken on, as Markdown that ends with a newline."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Mapping[str, Any]) -> Iterator[str]:
    machine, server = results["machine"], results["server"]
    yield ""
    yield (
        f"Revision {results['revision']}, recorded {results['recorded']} on {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']};"
        f" server {server['version']} with {server['workers']} worker, {server['cipher']} for TLS;"
        f" {results['rounds']} rounds; load average {_span([run['load'] for run in results['runs']])}."
    )
    for scheme in dict.fromkeys(run["scheme"] for run in results["runs"]):
        for scenario in results["scenarios"]:
            mine = [r for r in results["runs"] if (r["scheme"], r["scenario"]) == (scheme, scenario["name"])]
            if mine:
                yield from _table(scheme, scenario, mine, results)
    yield from _problems(results["runs"])
    yield ""
    yield "| client | version | settings |"
    yield "|---|---|---|"
    for each in results["contenders"]:
        yield f"| {each['name']} | {each['version']} | {each['settings']} |"
    yield ""


def _table(
    scheme: str, scenario: Mapping[str, Any], runs: Sequence[Run], results: Mapping[str, Any]
) -> Iterator[str]:
    objects, total = int(scenario["objects"]), int(scenario["objects"] * scenario["size"])
    if scenario["by"] == "objects":
        rate_head, cpu_head = "objects/s", "client CPU µs/object"
        amount, scale = float(objects), 1e6 / objects
    else:
        rate_head, cpu_head = "MB/s", "client CPU s/GB"
        amount, scale = total / 1e6, 1e9 / total
    server_head = cpu_head.replace("client", "server")

    def rate(run: Run) -> float:
        return amount / float(run["wall"])

    def cpu(run: Run) -> float:
        return _cpu(run) * scale

    workers = results["server"]["workers"]
    yield ""
    yield f"### {scenario['name']}: {objects:,} x {_size(scenario['size'])}, {scheme}"
    yield ""
    yield (
        f"| client | checks content | {rate_head} | s3haul's speed ÷ its | {cpu_head} | its CPU ÷ s3haul's"
        f" | peak memory MB | {server_head} | server busy |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    ours = {run["round"]: run for run in runs if run["contender"] == S3HAUL and not run["problems"]}
    for contender in results["contenders"]:
        its = [r for r in runs if r["contender"] == contender["name"] and not r["problems"]]
        if not its:
            continue
        pairs = (
            [] if contender["name"] == S3HAUL else [(ours[r["round"]], r) for r in its if r["round"] in ours]
        )
        memory = median(run["peak_memory"] for run in its) / 1e6
        served = median(run["server_cpu"] * scale for run in its)
        busy = median(run["server_cpu"] / run["wall"] / workers for run in its)
        yield (
            f"| {contender['name']} | {contender['checks']} | {_spread(its, rate)}"
            f" | {_ratio(pairs, rate)} | {_spread(its, cpu)} | {_ratio([(b, a) for a, b in pairs], cpu)}"
            f" | {memory:.0f} | {_short(served)} | {busy:.0%} |"
        )


def _problems(runs: Sequence[Run]) -> Iterator[str]:
    bad = [run for run in runs if run["problems"]]
    if bad:
        yield ""
        yield "Runs that ended badly or left a wrong tree, and are in no table:"
        yield ""
    for run in bad:
        where = f"{run['contender']}, {run['scenario']}, {run['scheme']}, round {run['round'] + 1}"
        yield f"- {where}: {'; '.join(run['problems'])}"


def _cpu(run: Run) -> float:
    return float(run["user"] + run["system"])


def _spread(runs: Sequence[Run], figure: Figure) -> str:
    values = [figure(run) for run in runs]
    return f"**{_short(median(values))}** ({_span(values)})"


def _ratio(pairs: Sequence[tuple[Run, Run]], figure: Figure) -> str:
    ratios = [figure(above) / figure(below) for above, below in pairs]
    return f"{_short(median(ratios))} ({_span(ratios)})" if ratios else ""


def _span(values: Sequence[float]) -> str:
    return f"{_short(min(values))} to {_short(max(values))}"


def _short(value: float) -> str:
    """Three significant digits at least, no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(size: int) -> str:
    power = (size.bit_length() - 1) // 10
    return f"{size / (1 << 10 * power):g} {('bytes', 'KiB', 'MiB', 'GiB')[power]}"


def _rounded(run: Run) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in run.items()}
