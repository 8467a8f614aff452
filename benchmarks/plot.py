"""One picture of the results as SVG text: speed and CPU, a panel for each scenario, a bar for each client.

Pure: results in, text out. Own text and not a plotting library's, since it is bars only, has to be the same
byte for byte for the same figures, and follows the reader's dark mode by a style sheet.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

from figures import Measure, Results, Run, described, good_runs, short

WIDTH, NAMES, BARS, GAP = 860, 150, 260, 90
ROW, BAR, HEAD = 18, 12, 44
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #24292f }
    .head { font-weight: 600 } .unit { fill: #57606a }
    .ours { fill: #0969da } .other { fill: #afb8c1 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .unit { fill: #8b949e } .ours { fill: #58a6ff } .other { fill: #57606a }
    }
  """


def plot(results: Results, scheme: str) -> str:
    """The whole picture: speed on the left, CPU on the right, the fastest client first."""
    body: list[str] = []
    top = 0
    for scenario in results["scenarios"]:
        rows = _rows(results, scenario)
        if rows:
            body += _panel(scenario, rows, top)
            top += HEAD + ROW * len(rows)
    shapes = "\n".join(f"  {each}" for each in body)
    title = f"Speed and client CPU, {scheme}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 8}" role="img">\n'
        f"  <title>{title}</title>\n  <style>{STYLE}</style>\n{shapes}\n</svg>\n"
    )


def _rows(results: Results, scenario: Mapping[str, Any]) -> list[tuple[str, bool, list[Run]]]:
    rows = [
        (each["name"], each["ours"], good_runs(results, scenario["name"], each["name"]))
        for each in results["contenders"]
    ]
    rate = Measure(scenario).rate
    return sorted((row for row in rows if row[2]), key=lambda row: -median(map(rate, row[2])))


def _panel(
    scenario: Mapping[str, Any], rows: Sequence[tuple[str, bool, list[Run]]], top: int
) -> Iterator[str]:
    unit = Measure(scenario)
    left, right = NAMES, NAMES + BARS + GAP
    yield _text(0, top + 20, f"{scenario['name']}: {described(scenario)}", "head")
    yield _text(left, top + 37, f"{unit.rate_unit} (more is better)", "unit")
    yield _text(right, top + 37, f"client CPU {unit.cost_unit} (less is better)", "unit")
    for at, (name, _, _) in enumerate(rows):
        yield _text(NAMES - 8, top + HEAD + ROW * at + BAR - 2, name, end=True)
    for start, figure in ((left, unit.rate), (right, unit.cpu)):
        yield from _bars(start, top + HEAD, rows, figure)


def _bars(
    left: int, top: int, rows: Sequence[tuple[str, bool, list[Run]]], figure: Callable[[Run], float]
) -> Iterator[str]:
    values = [median(map(figure, runs)) for _, _, runs in rows]
    for at, (value, (_, ours, _)) in enumerate(zip(values, rows, strict=True)):
        width, y = max(1.0, BARS * value / max(values)), top + ROW * at
        kind = "ours" if ours else "other"
        yield f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        yield _text(round(left + width + 5), y + BAR - 2, short(value))


def _text(x: int, y: int, words: str, kind: str = "", *, end: bool = False) -> str:
    style = f' class="{kind}"' if kind else ""
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x}" y="{y}"{style}{anchor}>{escape(words)}</text>'
