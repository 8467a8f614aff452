"""One picture of the results as SVG text: speed and CPU, a panel for each scenario, a bar for each client.

It explains itself: who checks the content (a bar that is filled), the spread (a line over the bar), date,
revision and machine.

Pure: results in, text out. Own text and not a plotting library's, since it is bars only, has to be the same
byte for byte for the same figures, and follows the reader's dark mode by a style sheet.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from tables import Measure, Results, Run, described, good_runs, short

WIDTH, NAMES, BARS, GAP = 860, 150, 260, 90
ROW, BAR, HEAD, TITLE = 18, 12, 44, 76
HERO = ("latency", "large")  # what the picture in the README shows
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #24292f }
    .head { font-weight: 600 } .unit { fill: #57606a }
    .title { font-size: 15px; font-weight: 600 } .spread { stroke: #24292f; stroke-width: 1 }
    .ours { fill: #0969da; stroke: #0969da } .other { fill: #8c959f; stroke: #8c959f }
    .unchecked { fill-opacity: 0 } .partly { fill-opacity: 0.4 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .unit { fill: #8b949e } .spread { stroke: #e6edf3 }
      .ours { fill: #58a6ff; stroke: #58a6ff } .other { fill: #6e7681; stroke: #6e7681 }
    }
  """


class Row(NamedTuple):
    """One client in one scenario. `kinds` are the classes of its bar."""

    name: str
    kinds: str
    runs: list[Run]


def plot(results: Results, scheme: str, only: Sequence[str] = ()) -> str:
    """The whole picture, or `only` some scenarios: speed on the left, CPU on the right,
    the fastest client first."""
    body = [*_heading(results, scheme)]
    top = TITLE
    for scenario in results["scenarios"]:
        rows = _rows(results, scenario)
        if rows and (not only or scenario["name"] in only):
            body += _panel(scenario, rows, top)
            top += HEAD + ROW * len(rows)
    shapes = "\n".join(f"  {each}" for each in body)
    title = f"Speed and client CPU, {scheme}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 8}" role="img">\n'
        f"  <title>{title}</title>\n  <style>{STYLE}</style>\n{shapes}\n</svg>\n"
    )


def _heading(results: Results, scheme: str) -> Iterator[str]:
    """What is measured, on what and when; and what the bars mean."""
    machine = results["machine"]
    yield _text(
        0, 16, f"S3 to local files over {'TLS' if scheme == 'https' else scheme}: speed and CPU", "title"
    )
    yield _text(
        0,
        34,
        f"{results['recorded']}, revision {results['revision']}, {machine['cores']} cores {machine['processor']},"
        f" local server; medians of {results['rounds']} rounds, the line is smallest to largest",
        "unit",
    )
    at = 0
    for kinds, words in (
        ("other", "checks all content against the stored checksum"),
        ("other partly", "some of it"),
        ("other unchecked", "checks lengths at most"),
    ):
        yield _bar(kinds, at, 44, 14.0)
        yield _text(at + 20, 54, words, "unit")
        at += 36 + 7 * len(words)


def _rows(results: Results, scenario: Mapping[str, Any]) -> list[Row]:
    rows = [
        Row(
            each["name"],
            f"{'ours' if each['ours'] else 'other'}{_marks(each['checks'])}",
            good_runs(results, scenario["name"], each["name"]),
        )
        for each in results["contenders"]
    ]
    rate = Measure(scenario).rate
    return sorted((row for row in rows if row.runs), key=lambda row: -median(map(rate, row.runs)))


def _marks(checks: str) -> str:
    """How the bar of a client shows what it says that it checks."""
    if checks.startswith("no"):
        return " unchecked"
    return " partly" if ", of " in checks else ""


def _panel(scenario: Mapping[str, Any], rows: Sequence[Row], top: int) -> Iterator[str]:
    unit = Measure(scenario)
    left, right = NAMES, NAMES + BARS + GAP
    yield _text(0, top + 20, f"{scenario['name']}: {described(scenario)}", "head")
    yield _text(left, top + 37, f"{unit.rate_unit} (more is better)", "unit")
    yield _text(right, top + 37, f"client CPU {unit.cost_unit} (less is better)", "unit")
    for at, row in enumerate(rows):
        yield _text(NAMES - 8, top + HEAD + ROW * at + BAR - 2, row.name, end=True)
    for start, figure in ((left, unit.rate), (right, unit.cpu)):
        yield from _bars(start, top + HEAD, rows, figure)


def _bars(left: int, top: int, rows: Sequence[Row], figure: Callable[[Run], float]) -> Iterator[str]:
    measured = [[figure(run) for run in row.runs] for row in rows]
    longest = max(map(max, measured))
    for at, (values, row) in enumerate(zip(measured, rows, strict=True)):
        value, y = median(values), top + ROW * at
        width = max(1.0, BARS * value / longest)
        yield _bar(row.kinds, left, y, width)
        first, last = (left + BARS * end / longest for end in (min(values), max(values)))
        if len(values) > 1:
            middle = y + BAR // 2
            yield f'<line class="spread" x1="{first:.1f}" x2="{last:.1f}" y1="{middle}" y2="{middle}"/>'
        yield _text(round(max(last, left + width) + 5), y + BAR - 2, short(value))


def _bar(kinds: str, x: int, y: int, width: float) -> str:
    return f'<rect class="{kinds}" x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'


def _text(x: int, y: int, words: str, kind: str = "", *, end: bool = False) -> str:
    style = f' class="{kind}"' if kind else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x}" y="{y}"{style}{anchor}>{escape(words)}</text>'
