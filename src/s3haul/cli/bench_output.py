"""What `s3haul bench` shows: one result, or two compared, as text, Markdown, an HTML page or JSON.

The page needs nothing else: no script, no network, no font; it has light and dark colours. Text from outside,
such as the name of a bucket in a file, is escaped with `show`, and on the page also for HTML.
"""

import json
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from textwrap import wrap

from s3haul.bench.plan import Setting
from s3haul.bench.result import Change, Quantiles, Report, Row, Spread, compare, differences
from s3haul.cli import streams
from s3haul.core.text import human_bytes, human_count, show
from s3haul.errors import UsageError

WIDTH = 80
MAX_BYTES = 16 << 20  # of a result in a file
_SETTING = ("destination", "requests", "ranges")
RATES = (*_SETTING, "objects/s", "spread", "Gb/s", "cores", "retries")
CHANGES = (*_SETTING, "A objects/s", "B objects/s", "B / A", "verdict")
TIMES = (*_SETTING, "connect ms", "first byte ms", "total ms")
_NONE = "-"


def print_report(report: Report, form: str) -> None:
    """Print one result; `form` is text, markdown, html or json."""
    if form == "json":
        streams.print_line(json.dumps(report.as_object()))
    elif form == "html":
        streams.print_line(report_page(report))
    else:
        streams.print_report("\n".join(report_lines(report, markdown=form == "markdown")))
    streams.flush()


def print_comparison(before: Path, after: Path, form: str) -> None:
    """Compare two results of `--json`, and print that. Raises `UsageError` for other files."""
    first, second = _read(before), _read(after)
    changes, differing = compare(first, second), list(differences(first, second))
    if not changes:
        raise UsageError(
            "The two results have no setting in common.",
            hint="measure both with the same --destinations, --concurrency and --part-size",
        )
    if form == "json":
        kind = {"schema": 1, "kind": "s3haul-bench-comparison", "not_the_same": differing}
        streams.print_line(json.dumps(kind | {"results": [change.as_object() for change in changes]}))
    elif form == "html":
        streams.print_line(change_page(changes, differing))
    else:
        streams.print_report("\n".join(change_lines(changes, differing, markdown=form == "markdown")))


def _read(path: Path) -> Report:
    try:
        with path.open("rb") as file:
            return Report.from_object(json.loads(file.read(MAX_BYTES)))
    except OSError as error:
        raise UsageError(f"cannot read {show(str(path))}: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise UsageError(
            f"The file {show(str(path))} is not a result of s3haul bench --json.",
            hint="s3haul bench s3://BUCKET --json > A.json",
        ) from None


def report_lines(report: Report, *, markdown: bool) -> Iterator[str]:
    """One result as text or Markdown: the sample, the tables, and the bottleneck."""
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
    yield "requests: maximum of parallel requests. More: s3haul help measuring."
    for remark in remarks(report):
        yield f"! {remark}"
    bottleneck = report.bottleneck
    mark = "**" if markdown else ""
    yield ""
    for sentence in (
        f"{mark}Bottleneck: {bottleneck.limit.value}{mark}: {show(bottleneck.why)}.",
        f"What helps: {show(bottleneck.advice)}.",
    ):
        yield from [sentence] if markdown else wrap(sentence, WIDTH, subsequent_indent="  ")


def remarks(report: Report) -> Iterator[str]:
    """Warnings about figures that are not reliable."""
    if report.made < report.planned:
        yield f"The time limit ended the benchmark after {report.made} of {report.planned} runs (see --max-time)."
    if (seconds := report.too_short) is not None:
        yield f"Runs took only {seconds:.1f} s: increase --max-objects and --max-bytes."
    if failed := sum(row.failed for row in report.rows):
        yield f"{human_count(failed, 'object')} were not fetched: s3haul check finds the cause."


def change_lines(changes: Sequence[Change], differing: Sequence[str], *, markdown: bool) -> Iterator[str]:
    """Two results side by side."""
    for difference in differing:
        yield f"! not the same: {show(difference)}"
    if differing:
        yield ""
    yield from table(CHANGES, [change_cells(change) for change in changes], markdown=markdown)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> Iterator[str]:
    """A table as text or Markdown; the first column is left-aligned, the others right-aligned."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for number, cells in enumerate([columns, *rows]):
        padded = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()
        if markdown and not number:
            yield (
                "|"
                + "|".join(
                    f"{'-' * (width + 1)}{':' if column else '-'}" for column, width in enumerate(widths)
                )
                + "|"
            )


def setting_text(setting: Setting) -> str:
    """In a few words."""
    size = "" if setting.part_size is None else f", ranges of {human_bytes(setting.part_size)}"
    return f"{setting.destination.value}, {setting.concurrency} parallel requests{size}"


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
        f"{row.cpu_cores.median:.1f}",
        f"{row.retries:,}",
    )


def time_cells(row: Row) -> tuple[str, ...]:
    """In the order of `TIMES`."""
    return (
        *_setting_cells(row.setting),
        _milliseconds(row.connect_seconds),
        _milliseconds(row.first_byte_seconds),
        _milliseconds(row.total_seconds),
    )


def _setting_cells(setting: Setting) -> tuple[str, str, str]:
    size = "auto" if setting.part_size is None else human_bytes(setting.part_size)
    return setting.destination.value, str(setting.concurrency), size


def _spread(spread: Spread) -> str:
    return f"{spread.least:,.0f}-{spread.most:,.0f}"


def _milliseconds(found: Quantiles) -> str:
    if found.p50 is None or found.p99 is None:
        return _NONE
    return f"{found.p50 * 1000:.1f} / {found.p99 * 1000:.1f}"


def report_page(report: Report) -> str:
    """One result as an HTML page: the bottleneck, a bar for each setting, and the tables."""
    return _page(
        title=f"s3haul bench {report.source}",
        report=report,
        remarks=list(remarks(report)),
        setting_text=setting_text,
        longest=max((row.objects_per_second.median for row in report.rows), default=0.0) or 1.0,
        rates=(RATES, [rate_cells(row) for row in report.rows]),
        times=(TIMES, [time_cells(row) for row in report.rows]),
    )


def change_page(changes: Sequence[Change], differing: Sequence[str]) -> str:
    """Two results side by side."""
    cells = [change_cells(change) for change in changes]
    return _page(title="s3haul bench: A and B", report=None, differing=differing, changes=(CHANGES, cells))


def _page(**values: object) -> str:
    from s3haul.report.page import environment  # noqa: PLC0415 - only a page needs Jinja

    template = (resources.files("s3haul.cli") / "bench.html.j2").read_text("utf-8")
    return environment().from_string(template).render(values)
