"""The report as one HTML page. It needs no network, and can be read without JavaScript.

Keys, messages and names come from outside: `show` removes their control characters, and Jinja escapes them
for HTML. The page's content security policy forbids all requests, and all scripts and styles except two that
it names by their hash.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from s3haul import __version__
from s3haul.core.stats import PREFIX_SAMPLE, PrefixTime
from s3haul.core.text import human_bytes, human_count, human_duration, show
from s3haul.journal.survey import Listed
from s3haul.report.charts import bar, brief_seconds, charts_of, drawn, stacked
from s3haul.report.content import Amount, Report
from s3haul.report.text import commands, ending, headline, moment, tiles

PREFIXES = 15
RUNS = 50
KEYS = 50
ROOM = 400_000  # maximum characters for the list of objects, and half as many for encoded names; a key can have 1,024


def html(report: Report) -> str:
    """The whole page."""
    style, script = _asset("page.css"), _asset("page.js")
    samples = report.performance.samples
    rows = [_fitting(cause.rows, ROOM // len(report.causes)) for cause in report.causes]
    incomplete = report.states["failed"].objects + report.states["skipped"].objects
    return (
        environment()
        .from_string(_asset("page.html.j2"))
        .render(
            report=report,
            head=headline(report),
            tiles=list(tiles(report)),
            account=stacked([(state, amount.objects) for state, amount in report.states.items()]),
            charts=[(chart, drawn(chart, samples)) for chart in charts_of(samples)] if samples else [],
            most=_most(report),
            prefixes=_slowest_prefixes(report),
            sampled=PREFIX_SAMPLE,
            incomplete=incomplete,
            causes=list(zip(report.causes, rows, strict=True)),
            shown=sum(map(len, rows)),
            encoded_rows=_fitting(report.encoded_rows, ROOM // 2),
            keys=report.keys[:KEYS],
            runs=report.runs[-RUNS:],
            # Marked as escaped: they have no control characters, and `show` would double their backslashes.
            commands={name: escape(command) for name, command in commands(report).items()},
            bar=bar,
            version=__version__,
            style=Markup(style),  # noqa: S704 - both are files of this package
            script=Markup(script),  # noqa: S704
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


def _most(report: Report) -> Amount:
    """The largest amounts, which are the longest bars."""
    objects = max((share.amount.objects for share in report.sizes), default=0)
    size = max((share.amount.bytes for share in report.sizes), default=0)
    return Amount(max(objects, 1), max(size, 1))


def _slowest_prefixes(report: Report) -> list[PrefixTime]:
    return sorted(report.performance.prefixes, key=lambda each: each.seconds / each.objects, reverse=True)[
        :PREFIXES
    ]


def _fitting(rows: Sequence[Listed], room: int) -> Sequence[Listed]:
    """The first rows that fit into so many characters."""
    for number, row in enumerate(rows):
        room -= len(escape(show(row.key))) + (0 if row.path is None else len(escape(show(row.path))))
        if room < 0:
            return rows[:number]
    return rows


def environment() -> Environment:
    """The settings of all templates: every text is escaped, and its control characters are made visible."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: show(value) if type(value) is str else value,
    )
    environment.filters.update(
        count=human_count,
        bytes=human_bytes,
        duration=human_duration,
        brief=brief_seconds,
        moment=moment,
        ending=ending,
        sentence=lambda text: text[:1].upper() + text[1:],
    )
    return environment


def _asset(name: str) -> str:
    return (resources.files("s3haul.report") / "assets" / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
