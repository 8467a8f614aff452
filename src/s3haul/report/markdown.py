"""The report as Markdown, for a ticket or a mail: result, figures and causes, without charts."""

import re
from collections.abc import Iterator, Sequence

from s3haul.core.text import human_bytes, human_count, human_duration, show
from s3haul.report.content import Report
from s3haul.report.wording import commands, ending, headline, moment

EXAMPLES = 5
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


def markdown(report: Report) -> Iterator[str]:
    """The lines. Text from outside cannot become markup: it is escaped, or is in a code span."""
    head = headline(report)
    yield f"# {head.badge}: {head.title}"
    yield ""
    yield head.sentence
    yield ""
    yield f"{_code(report.source)} to {_code(report.destination)}, {moment(report.generated)}"
    yield from _table(
        ("State", "Objects", "Bytes"),
        [
            (state, human_count(amount.objects), human_bytes(amount.bytes))
            for state, amount in report.states.items()
        ],
    )
    if report.verdicts:
        yield from _section("How the bytes were checked")
        yield from _table(
            ("Checked", "Objects", "Bytes"),
            [
                (_plain(share.name), human_count(share.amount.objects), human_bytes(share.amount.bytes))
                for share in report.verdicts
            ],
        )
    yield from _causes(report)
    yield from _section("Encryption")
    yield from _table(
        ("KMS key", "Encryption", "Objects", "Bytes", "Failed"),
        [
            (
                _code(key.kms_key_id) if key.kms_key_id else "none or unknown",
                _plain(key.encryption or "unknown"),
                human_count(key.amount.objects),
                human_bytes(key.amount.bytes),
                human_count(key.failed),
            )
            for key in report.keys
        ],
    )
    yield from _section("Runs")
    yield from _table(
        ("Run", "Started", "Duration", "Ended"),
        [
            (
                str(run.number),
                moment(run.started),
                "" if run.ended is None else human_duration(run.ended - run.started),
                ending(run),
            )
            for run in report.runs
        ],
    )


def _causes(report: Report) -> Iterator[str]:
    if not report.causes:
        return
    yield from _section("What is not here, and why")
    for cause in report.causes:
        yield f"- **{human_count(cause.amount.objects)} {cause.state}**: {_plain(cause.sentence)} ({cause.id or cause.reason})"
        if cause.detail:
            yield f"  - {_plain(cause.detail)}"
        if cause.fix:
            yield f"  - {cause.who}: {_plain(cause.fix)}"
        yield f"  - for example {', '.join(_code(row.key) for row in cause.rows[:EXAMPLES])}"
    yield ""
    yield f"All of them: {_code(commands(report)['incomplete'])}"


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}")
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", show(text))


def _code(text: str) -> str:
    """A code span. Bars are written as their code point: in a table, a bar ends the cell even in code."""
    shown = show(text).replace("|", "\\u007c")
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{space}{shown}{space}{fence}"
