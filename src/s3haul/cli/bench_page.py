"""A benchmark as one HTML page that needs nothing else: no script, no network, no font, light and dark.

Everything that came from outside is escaped twice: by `show`, as for a terminal, and for HTML.
"""

import time
from collections.abc import Iterator, Sequence
from html import escape

from s3haul.bench.compare import Change
from s3haul.bench.report import Report
from s3haul.bench.result import Row
from s3haul.cli.bench_tables import (
    CHANGES,
    RATES,
    TIMES,
    change_cells,
    rate_cells,
    remarks,
    setting_text,
    time_cells,
)
from s3haul.core.text import human_bytes, human_count, show

STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --bar: #0969da; --soft: #57606a; --box: #ddf4ff }
@media (prefers-color-scheme: dark) {
  :root { --line: #30363d; --bar: #58a6ff; --soft: #8b949e; --box: #121d2f }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
.soft { color: var(--soft) }
.box { background: var(--box); border-radius: 8px; padding: .8rem 1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
dl { display: grid; grid-template-columns: max-content 1fr max-content; gap: .3rem .8rem; align-items: center }
dd { margin: 0 } .bar { background: var(--bar); height: .8rem; border-radius: 3px }
"""


def report_page(report: Report) -> str:
    """The bottleneck, a bar for each setting, and the tables."""
    return _page(f"s3haul bench {report.source}", _report_body(report))


def change_page(changes: Sequence[Change], differing: Sequence[str]) -> str:
    """Two results side by side."""
    return _page("s3haul bench: A and B", _change_body(changes, differing))


def _page(title: str, body: Iterator[str]) -> str:
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{_safe(title)}</title>\n<style>{STYLE}</style>",
            f"<h1>{_safe(title)}</h1>",
            *body,
            "</html>",
        )
    )


def _report_body(report: Report) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(report.time))
    sample = f"{human_count(report.objects, 'object')}, {human_bytes(report.bytes)}"
    where = f"{report.transport} to {report.endpoint} ({report.region}), s3haul {report.version}"
    yield _paragraph(f"{when}; {sample}; {where}; {report.processors} processors", "soft")
    for remark in remarks(report):
        yield _paragraph(remark)
    said = report.bottleneck
    yield f'<div class="box"><strong>Bottleneck: {_safe(said.limit.value)}</strong><br>'
    yield f"{_safe(said.why)}.<br>What helps: {_safe(said.advice)}.</div>"
    yield "<h2>Objects a second</h2>"
    yield from _bars(report.rows)
    if report.listing.rate is not None:
        pages = human_count(report.listing.pages, "page")
        yield _paragraph(f"Listing: {report.listing.rate:,.0f} keys/s, {pages}.", "soft")
    yield "<h2>Rates</h2>"
    yield from _table(RATES, [rate_cells(row) for row in report.rows])
    yield "<h2>Times of requests, p50 / p99</h2>"
    yield from _table(TIMES, [time_cells(row) for row in report.rows])
    yield _paragraph("Rates are medians of the repetitions. More: s3haul help measuring.", "soft")


def _change_body(changes: Sequence[Change], differing: Sequence[str]) -> Iterator[str]:
    for difference in differing:
        yield _paragraph(f"Not the same: {difference}")
    yield from _table(CHANGES, [change_cells(change) for change in changes])


def _bars(rows: Sequence[Row]) -> Iterator[str]:
    longest = max((row.objects_per_second.median for row in rows), default=0.0) or 1.0
    yield "<dl>"
    for row in rows:
        value = row.objects_per_second.median
        yield f"<dt>{_safe(setting_text(row.setting))}</dt>"
        yield f'<dd><div class="bar" style="width: {100 * value / longest:.1f}%"></div></dd><dd>{value:,.0f}</dd>'
    yield "</dl>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    yield f"<tr>{''.join(f'<th>{_safe(column)}</th>' for column in columns)}</tr>"
    for cells in rows:
        yield f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>"
    yield "</table></div>"


def _safe(text: str) -> str:
    return escape(show(text))


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{_safe(text)}</p>' if kind else f"<p>{_safe(text)}</p>"
