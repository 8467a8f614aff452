"""From results to text: the tables of the README files and results/*.md, made from the recorded JSON alone.

Pure: results in, Markdown out. Medians with the smallest and largest value; ratios are taken round by
round, so what disturbs a whole round does not count as a difference.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

BEGIN = "<!-- tables: begin (generated from results/*.json by tables.py) -->"
END = "<!-- tables: end -->"
BRIEF_BEGIN = "<!-- speed: begin (generated from benchmarks/results/https.json by benchmarks/tables.py) -->"
BRIEF_END = "<!-- speed: end -->"
BRIEF = ("small", "latency", "mid", "large")
OVER = {"https": "over TLS", "http": "over plain http"}
HEADS = {"https": "Over TLS", "http": "Over plain http"}
Run = Mapping[str, Any]
Results = Mapping[str, Any]


class Measure:
    """The units of one scenario: objects and microseconds, or bytes and seconds."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        self._objects = scenario["by"] == "objects"
        self.rate_unit, self.cost_unit = ("objects/s", "µs/object") if self._objects else ("MB/s", "s/GB")

    def rate(self, run: Run) -> float:
        amount = run["objects"] if self._objects else run["bytes"] / 1e6
        return float(amount / run["wall"])

    def cpu(self, run: Run) -> float:
        return self.per_amount(run, cpu(run))

    def server_cpu(self, run: Run) -> float:
        return self.per_amount(run, run["server_cpu"])

    def per_amount(self, run: Run, seconds: float) -> float:
        return float(seconds * 1e6 / run["objects"] if self._objects else seconds * 1e9 / run["bytes"])


def cpu(run: Run) -> float:
    """The client's, in seconds."""
    return float(run["user"] + run["system"])


def good_runs(results: Results, scenario: str, contender: str) -> list[Run]:
    """Those that ended well and left the right tree; only they count."""
    return [
        run
        for run in results["runs"]
        if (run["scenario"], run["contender"]) == (scenario, contender) and not run["problems"]
    ]


def baseline_of(results: Results) -> str:
    """The contender that all are compared with: the first build of s3haul, else the first of all."""
    names = [each["name"] for each in results["contenders"] if each["ours"]]
    return str((names or [each["name"] for each in results["contenders"]])[0])


def described(scenario: Mapping[str, Any]) -> str:
    """What is copied, and how the server paces it."""
    words = " + ".join(f"{number:,} x {size_of(size)}" for number, size in scenario["groups"])
    if scenario.get("first_byte"):
        words += f", first byte after {scenario['first_byte'] * 1e3:.0f} ms"
    if scenario.get("cap"):
        words += f", {scenario['cap'] / 1e6:.0f} MB/s a connection"
    return words


def spread(values: Sequence[float]) -> str:
    """Median and, where there are several, the smallest and the largest."""
    return f"{short(median(values))} ({span(values)})" if len(values) > 1 else short(values[0])


def span(values: Sequence[float]) -> str:
    return f"{short(min(values))} to {short(max(values))}"


def short(value: float) -> str:
    """Three significant digits at least, no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def size_of(size: int) -> str:
    power = (size.bit_length() - 1) // 10
    return f"{size / (1 << 10 * power):g} {('bytes', 'KiB', 'MiB', 'GiB')[power]}"


def dump(results: Results) -> str:
    """The results as they are kept: one line a run, so that a diff can be read."""
    runs = ",\n".join(f"    {json.dumps(_rounded(run))}" for run in results["runs"])
    rest = json.dumps({**results, "runs": []}, indent=2)
    return rest.replace('"runs": []', f'"runs": [\n{runs}\n  ]') + "\n"


def line(run: Run) -> str:
    """One run, while it happens."""
    what = f"{run['scheme']:<5} {run['scenario']:<7} round {run['round'] + 1} {run['contender']:<12}"
    rates = f"{run['objects'] / run['wall']:8,.0f} objects/s {run['bytes'] / 1e6 / run['wall']:7,.0f} MB/s"
    cost = f"{run['wall']:7.2f} s, CPU {cpu(run):6.2f} s, server {run['server_cpu']:5.2f} s"
    others = f"others {run['other_cpu']:5.2f} s"
    return f"{what} {rates} {cost}, {others}{''.join(f' ! {each}' for each in run['problems'])}"


def into(readme: str, recorded: Mapping[str, Results]) -> str:
    """The text with everything between the two markers made again. Raises `ValueError` without markers."""
    return _between(readme, BEGIN, END, lambda: "\n".join(_overviews(recorded)) + "\n")


def brief_into(readme: str, results: Results) -> str:
    """The same for the project's README, with the short table."""
    return _between(readme, BRIEF_BEGIN, BRIEF_END, lambda: "\n".join(_brief(results)) + "\n")


def details(results: Results, scheme: str) -> str:
    """A table for each scenario, with spreads and ratios, as a text of its own."""
    return "\n".join(_details(results, scheme)) + "\n"


def _between(text: str, begin: str, end: str, content: Callable[[], str]) -> str:
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError("the markers of the tables are missing")
    return f"{before}{begin}\n{content()}{end}{after}"


def _brief(results: Results) -> Iterator[str]:
    yield ""
    yield from _overview(results, OVER["https"], BRIEF, checks=True)
    yield ""
    machine = results["machine"]
    yield (
        f"Medians of {results['rounds']} rounds on {machine['cores']} shared cores, revision {results['revision']}; the"
        " server is a local nginx. More scenarios, settings, spread and method: `benchmarks/README.md`; the same on"
        " your machine: `make bench`."
    )
    yield ""


def _overviews(recorded: Mapping[str, Results]) -> Iterator[str]:
    """For each scheme: what it was taken on, medians, plot; and the contenders' settings, once."""
    for scheme, results in recorded.items():
        yield ""
        yield f"### {HEADS[scheme]}"
        yield ""
        yield _taken_on(results)
        yield ""
        yield from _overview(results, "client", [each["name"] for each in results["scenarios"]])
        yield ""
        yield f"![Speed and CPU of every client in every scenario, {OVER[scheme]}](results/{scheme}.svg)"
        yield ""
        yield f"Spreads, ratios, memory and the server's share: [results/{scheme}.md](results/{scheme}.md)."
        yield from _problems(results["runs"])
    contenders = {each["name"]: each for results in recorded.values() for each in results["contenders"]}
    yield ""
    yield "### Settings"
    yield ""
    yield "| client | version | checks content | settings | whose advice |"
    yield "|---|---|---|---|---|"
    for each in contenders.values():
        cells = (each["name"], each["version"], each["checks"], each["settings"], each["source"])
        yield f"| {' | '.join(cells)} |"
    yield ""


def _overview(results: Results, corner: str, names: Sequence[str], *, checks: bool = False) -> Iterator[str]:
    """Medians, client by client: speed and, in brackets, the client's CPU; the fastest in bold."""
    scenarios = [each for each in results["scenarios"] if each["name"] in names]
    measures = [Measure(each) for each in scenarios]
    heads = [
        f"{scenario['name']}: {unit.rate_unit} ({unit.cost_unit})"
        for scenario, unit in zip(scenarios, measures, strict=True)
    ]
    fastest = [_fastest(results, scenario, unit) for scenario, unit in zip(scenarios, measures, strict=True)]
    first = [corner, "checks content"] if checks else [corner]
    yield f"| {' | '.join(first + heads)} |"
    yield f"|{'---|' * len(first + heads)}"
    for contender in results["contenders"]:
        cells = [contender["name"], contender["checks"]] if checks else [contender["name"]]
        for scenario, unit, best in zip(scenarios, measures, fastest, strict=True):
            mine = good_runs(results, scenario["name"], contender["name"])
            cells.append(_overview_cell(mine, unit, best))
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "; ".join(f"*{each['name']}*: {described(each)}" for each in scenarios) + "."
    yield from _shortened(results, scenarios)


def _shortened(results: Results, scenarios: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Which clients copied only a part of which scenario."""
    whole = {each["name"]: sum(number for number, _ in each["groups"]) for each in scenarios}
    short_runs = [run for run in results["runs"] if run["objects"] < whole.get(run["scenario"], 0)]
    if short_runs:
        clients = ", ".join(dict.fromkeys(run["contender"] for run in short_runs))
        names = ", ".join(dict.fromkeys(f"*{run['scenario']}*" for run in short_runs))
        fewest = min(run["objects"] for run in short_runs)
        yield f"One round only, and {fewest:,} objects of {names}, so that their start counts more: {clients}."


def _fastest(results: Results, scenario: Mapping[str, Any], unit: Measure) -> float:
    runs = [good_runs(results, scenario["name"], contender["name"]) for contender in results["contenders"]]
    return max((median(map(unit.rate, mine)) for mine in runs if mine), default=0.0)


def _overview_cell(runs: Sequence[Run], unit: Measure, best: float) -> str:
    if not runs:
        return ""
    rate, cost = median(map(unit.rate, runs)), median(map(unit.cpu, runs))
    shown = f"**{short(rate)}**" if rate == best else short(rate)
    return f"{shown} ({short(cost)})"


def _taken_on(results: Results) -> str:
    machine, server = results["machine"], results["server"]
    return (
        f"Revision {results['revision']}, recorded {results['recorded']} on {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}; server {server['version']} with"
        f" {server['workers']} worker, {server['cipher']} for TLS; {results['rounds']} rounds; load average"
        f" {span([run['load'] for run in results['runs']])}."
    )


def _details(results: Results, scheme: str) -> Iterator[str]:
    yield f"# {HEADS[scheme]}"
    yield ""
    yield _taken_on(results)
    yield (
        f"Ratios are those to {baseline_of(results)}, round by round: above 1, it is the better one. *Server busy* is"
        " the share of the server's cores that it used, *machine busy* that of all cores, used by any program."
    )
    for scenario in results["scenarios"]:
        yield from _table(scenario, results)
    yield from _problems(results["runs"])


def _table(scenario: Mapping[str, Any], results: Results) -> Iterator[str]:
    unit, compared = Measure(scenario), baseline_of(results)
    ours = {run["round"]: run for run in good_runs(results, scenario["name"], compared)}
    yield ""
    yield f"## {scenario['name']}: {described(scenario)}"
    yield ""
    yield (
        f"| client | {unit.rate_unit} | {compared}'s speed ÷ its | client CPU {unit.cost_unit} | its CPU ÷ {compared}'s"
        f" | peak memory MB | server CPU {unit.cost_unit} | server busy | machine busy |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for contender in results["contenders"]:
        its = good_runs(results, scenario["name"], contender["name"])
        if not its:
            continue
        pairs = [
            (ours[run["round"]], run) for run in its if run["round"] in ours and contender["name"] != compared
        ]
        speed = [unit.rate(our) / unit.rate(its_run) for our, its_run in pairs]
        cost = [unit.cpu(its_run) / unit.cpu(our) for our, its_run in pairs]
        cells = (
            contender["name"],
            spread([unit.rate(run) for run in its]),
            spread(speed) if speed else "",
            spread([unit.cpu(run) for run in its]),
            spread(cost) if cost else "",
            f"{median(run['peak_memory'] for run in its) / 1e6:.0f}",
            short(median(map(unit.server_cpu, its))),
            f"{median(run['server_cpu'] / run['wall'] for run in its) / results['server']['workers']:.0%}",
            f"{median(map(_all_cpu, its)) / results['machine']['cores']:.0%}",
        )
        yield f"| {' | '.join(cells)} |"
    shortened = list(_shortened(results, [scenario]))
    if shortened:
        yield from ("", *shortened)


def _all_cpu(run: Run) -> float:
    """Cores in use, on average."""
    return float((cpu(run) + run["server_cpu"] + run["other_cpu"]) / run["wall"])


def _problems(runs: Sequence[Run]) -> Iterator[str]:
    bad = [run for run in runs if run["problems"]]
    if bad:
        yield ""
        yield "Runs that failed or left wrong files, and are not in the tables:"
        yield ""
    for run in bad:
        where = f"{run['contender']}, {run['scenario']}, {run['scheme']}, round {run['round'] + 1}"
        yield f"- {where}: {'; '.join(run['problems'])}"


def _rounded(run: Run) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in run.items()}
