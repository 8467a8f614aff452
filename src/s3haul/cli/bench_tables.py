"""Benchmarks as tables, for a terminal or as Markdown. Returns lines; printing is the commands'.

What came from outside, such as the name of the bucket in a file that was read, passes through `show`.
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from s3haul.bench.compare import Change
from s3haul.bench.plan import Setting
from s3haul.bench.report import Report
from s3haul.bench.result import Quantiles, Row, Spread
from s3haul.core.text import human_bytes, human_count, show

WIDTH = 80
_SETTING = ("sink", "requests", "ranges")
RATES = (*_SETTING, "objects/s", "spread", "Gb/s", "cores", "retries")
CHANGES = (*_SETTING, "A objects/s", "B objects/s", "B / A", "verdict")
TIMES = (*_SETTING, "connect ms", "first byte ms", "total ms")
_NONE = "-"


def report_lines(report: Report, *, markdown: bool) -> Iterator[str]:
    """What was measured, the rows, and the bottleneck."""
    title = f"{show(report.source)}: {human_count(report.objects, 'object')}, {human_bytes(report.bytes)}"
    yield f"**{title}**" if markdown else title
    if markdown:
        yield ""
    yield (
        f"{report.transport} to {show(report.endpoint)} ({show(report.region)}), s3haul {show(report.version)},"
        f" {report.processors} processors"
    )
    if report.listing.rate is not None:
        yield ""
        yield f"listing: {report.listing.rate:,.0f} keys/s, {human_count(report.listing.pages, 'page')}"
    yield ""
    yield from table(RATES, [rate_cells(row) for row in report.rows], markdown=markdown)
    yield ""
    yield from table(TIMES, [time_cells(row) for row in report.rows], markdown=markdown)
    yield ""
    yield "Rates are medians of the repetitions, times p50 / p99 of all requests."
    yield "requests: so many at a time, at most. See s3haul help measuring."
    for remark in remarks(report):
        yield f"! {remark}"
    said = report.bottleneck
    mark = "**" if markdown else ""
    yield ""
    for sentence in (
        f"{mark}Bottleneck: {said.limit.value}{mark}: {show(said.why)}.",
        f"What helps: {show(said.advice)}.",
    ):
        yield from [sentence] if markdown else wrap(sentence, WIDTH, subsequent_indent="  ")


def remarks(report: Report) -> Iterator[str]:
    """Why the figures may mean less than they seem to."""
    if report.made < report.planned:
        yield f"Time was over after {report.made} of {report.planned} runs (see --max-time)."
    if (seconds := report.too_short) is not None:
        yield f"Runs took {seconds:.1f} s: give them more by --max-objects and --max-bytes."
    if failed := sum(row.failed for row in report.rows):
        yield f"{human_count(failed, 'object')} did not arrive in these runs: s3haul check says why."


def change_lines(changes: Sequence[Change], differing: Sequence[str], *, markdown: bool) -> Iterator[str]:
    """Two results side by side."""
    for difference in differing:
        yield f"! not the same: {show(difference)}"
    if differing:
        yield ""
    yield from table(CHANGES, [change_cells(change) for change in changes], markdown=markdown)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> Iterator[str]:
    """Cells in columns, the first one to the left and the others to the right."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for number, cells in enumerate([columns, *rows]):
        padded = [
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()
        if markdown and not number:
            yield (
                "|"
                + "|".join(
                    f"{'-' * (width + 1)}{':' if place else '-'}" for place, width in enumerate(widths)
                )
                + "|"
            )


def setting_text(setting: Setting) -> str:
    """In a few words."""
    size = "" if setting.part_size is None else f", ranges of {human_bytes(setting.part_size)}"
    return f"{setting.sink.value}, {setting.concurrency} requests at a time{size}"


def change_cells(change: Change) -> tuple[str, ...]:
    """In the order of `CHANGES`."""
    return (
        *_setting_cells(change.setting),
        f"{change.before.median:,.0f} ({_spread(change.before)})",
        f"{change.after.median:,.0f} ({_spread(change.after)})",
        f"{change.ratio:.2f}",
        change.verdict.value,
    )


def rate_cells(row: Row) -> tuple[str, ...]:
    """In the order of `RATES`."""
    return (
        *_setting_cells(row.setting),
        f"{row.objects_per_second.median:,.0f}",
        _spread(row.objects_per_second),
        f"{row.bytes_per_second.median * 8 / 1e9:.2f}",
        f"{row.cores.median:.1f}",
        f"{row.retries:,}",
    )


def time_cells(row: Row) -> tuple[str, ...]:
    """In the order of `TIMES`."""
    return (
        *_setting_cells(row.setting),
        _milliseconds(row.connect),
        _milliseconds(row.first_byte),
        _milliseconds(row.total),
    )


def _setting_cells(setting: Setting) -> tuple[str, str, str]:
    size = "auto" if setting.part_size is None else human_bytes(setting.part_size)
    return setting.sink.value, str(setting.concurrency), size


def _spread(spread: Spread) -> str:
    return f"{spread.least:,.0f}-{spread.most:,.0f}"


def _milliseconds(found: Quantiles) -> str:
    if found.p50 is None or found.p99 is None:
        return _NONE
    return f"{found.p50 * 1000:.1f} / {found.p99 * 1000:.1f}"
