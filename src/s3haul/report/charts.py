"""Charts as SVG, styled by the page: they need no JavaScript, and can be printed.

A chart is `Markup` made of numbers and of words of this module; it contains no text from outside. Its `data-`
attributes have the figures that the page shows below the pointer: positions in viewBox units, and the text.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup, escape

from s3haul.core.stats import Sample
from s3haul.core.text import human_bytes, human_duration

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 64, 10, 10, 26
MOST_TICKS = 4
_NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800)
_BINARY = 1024

Text = Callable[[float], str]


class Line(NamedTuple):
    """One quantity: a value for each sample, or None. `style` is a class of the style sheet."""

    name: str
    style: str
    values: Sequence[float | None]
    filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Quantities over time. `marks` are the times (seconds) of an event with the name `mark_name`."""

    title: str
    lines: Sequence[Line]
    text: Text
    binary: bool = False  # bytes: ticks at powers of two
    marks: Sequence[float] = ()
    mark_name: str = ""


def charts_of(samples: Sequence[Sample]) -> list[Chart]:
    """The charts of a run, without those that would be empty."""

    def rate(amount: Callable[[Sample], int]) -> list[float | None]:
        return [amount(sample) / sample.seconds if sample.seconds else 0.0 for sample in samples]

    renewals = [sample.start for sample in samples if sample.renewals]
    charts = [
        Chart(
            title="Throughput",
            lines=[Line("received", "bytes", rate(lambda sample: sample.bytes), filled=True)],
            text=lambda value: f"{human_bytes(value)}/s",
            binary=True,
            marks=renewals,
            mark_name="credentials renewed",
        ),
        Chart(
            title="Objects",
            lines=[
                Line("ended", "objects", rate(lambda sample: sample.objects), filled=True),
                Line("listed", "listed", rate(lambda sample: sample.listed)),
            ],
            text=lambda value: f"{_number(value)}/s",
        ),
        Chart(
            title="Time to the first byte",
            lines=[
                Line("99th percentile", "high", [sample.first_byte_high for sample in samples]),
                Line("median", "median", [sample.first_byte for sample in samples]),
            ],
            text=brief_seconds,
        ),
        Chart(
            title="Parallel requests",
            lines=[Line("limit", "limit", [float(sample.limit) for sample in samples])],
            text=_number,
        ),
        Chart(
            title="Repeated requests",
            lines=[
                Line("all", "retries", rate(lambda sample: sample.retries), filled=True),
                Line("throttled", "throttles", rate(lambda sample: sample.throttles), filled=True),
            ],
            text=lambda value: f"{_number(value)}/s",
        ),
    ]
    return [chart for chart in charts if any(any(line.values) for line in chart.lines)]


def drawn(chart: Chart, samples: Sequence[Sample]) -> Markup:
    """The chart as an `svg` element."""
    whole = max((sample.start + sample.seconds for sample in samples), default=0.0) or 1.0
    highest = max((value for line in chart.lines for value in line.values if value is not None), default=0.0)
    step = _step(highest, binary=chart.binary)
    top = step * max(1, -(-highest // step))
    xs = [_x((sample.start + sample.seconds / 2) / whole) for sample in samples]
    parts = [*_grid(chart, step, top), *_time_axis(whole)]
    parts += [_mark(_x(min(mark / whole, 1.0)), chart.mark_name) for mark in chart.marks]
    for line in chart.lines:
        parts += _paths(line, xs, top)
    parts.append(Markup('<line class="cursor" x1="0" x2="0" y1="{}" y2="{}"/>').format(TOP, HEIGHT - BOTTOM))
    words = [
        f"{human_duration(sample.start)}: " + ", ".join(_words(chart, index))
        for index, sample in enumerate(samples)
    ]
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" data-x="{}" data-words="{}">{}</svg>'
    ).format(
        WIDTH,
        HEIGHT,
        f"{chart.title} over {human_duration(whole)}: at most {chart.text(highest)}",
        json.dumps(xs, separators=(",", ":")),
        json.dumps(words, separators=(",", ":")),
        Markup("").join(parts),
    )


def stacked(parts: Sequence[tuple[str, float]]) -> Markup:
    """Shares of a whole in one bar; each has a class and an amount.
    A small share is still wide enough to be seen."""
    whole = sum(amount for _, amount in parts) or 1.0
    widths = [(style, max(100 * amount / whole, 0.6)) for style, amount in parts if amount]
    scale = 100 / (sum(width for _, width in widths) or 1.0)
    drawn_parts, x = [], 0.0
    for style, width in widths:
        rect = Markup('<rect class="{}" x="{:.2f}%" width="{:.2f}%" height="14"/>')
        drawn_parts.append(rect.format(style, x, width * scale))
        x += width * scale
    return Markup('<svg class="stacked" width="100%" height="14" aria-hidden="true">{}</svg>').format(
        Markup("").join(drawn_parts)
    )


def bar(share: float, style: str) -> Markup:
    """A bar; `share` (0 to 1) is its length relative to the longest one."""
    width = max(100 * share, 0.5) if share else 0.0
    return Markup(
        '<svg class="bar" width="100%" height="10" aria-hidden="true">'
        '<rect class="{}" width="{:.2f}%" height="10" rx="2"/></svg>'
    ).format(style, width)


def _words(chart: Chart, index: int) -> list[str]:
    named = len(chart.lines) > 1
    return [
        f"{line.name} {chart.text(value)}" if named else chart.text(value)
        for line in chart.lines
        if (value := line.values[index]) is not None
    ] or ["nothing"]


def _grid(chart: Chart, step: float, top: float) -> list[Markup]:
    found = []
    for number in range(round(top / step) + 1):
        value = number * step
        y = _y(value / top)
        found.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/><text class="tick" x="{}" y="{}">{}</text>'
            ).format(LEFT, WIDTH - RIGHT, LEFT - 6, y + 4, chart.text(value) if number else "0", y=y)
        )
    return found


def _time_axis(whole: float) -> list[Markup]:
    step = next((step for step in _NICE_SECONDS if whole / step <= 5), whole / 5)
    found = []
    for number in range(int(whole / step) + 1):
        x = _x(number * step / whole)
        word = _clock(number * step)
        place = "start" if number == 0 else "end" if x > WIDTH - RIGHT - 20 else "middle"
        found.append(
            Markup('<text class="time" text-anchor="{}" x="{}" y="{}">{}</text>').format(
                place, x, HEIGHT - 8, word
            )
        )
    return found


def _paths(line: Line, xs: Sequence[float], top: float) -> list[Markup]:
    """The line, and the area below it if it is filled. It has gaps where values are missing."""
    found = []
    for chunk in _chunks(line.values):
        points = [(xs[index], _y((line.values[index] or 0.0) / top)) for index in chunk]
        if len(points) == 1:
            points = [(points[0][0] - 2, points[0][1]), (points[0][0] + 2, points[0][1])]
        path = "L".join(f"{x:g} {y:g}" for x, y in points)
        if line.filled:
            floor = HEIGHT - BOTTOM
            found.append(
                Markup('<path class="area {}" d="M{:g} {}L{}L{:g} {}Z"/>').format(
                    line.style, points[0][0], floor, path, points[-1][0], floor
                )
            )
        found.append(Markup('<path class="line {}" d="M{}"/>').format(line.style, path))
    return found


def _chunks(values: Sequence[float | None]) -> list[list[int]]:
    chunks: list[list[int]] = [[]]
    for index, value in enumerate(values):
        if value is not None:
            chunks[-1].append(index)
        elif chunks[-1]:
            chunks.append([])
    return [chunk for chunk in chunks if chunk]


def _mark(x: float, name: str) -> Markup:
    return Markup('<line class="mark" x1="{x}" x2="{x}" y1="{}" y2="{}"><title>{}</title></line>').format(
        TOP, HEIGHT - BOTTOM, escape(name), x=x
    )


def _step(highest: float, *, binary: bool) -> float:
    """The distance between grid lines: a round number, so that a few lines reach the highest value."""
    unit = 1.0
    if binary:
        while highest / unit >= _BINARY:
            unit *= _BINARY
    power = 1e-6
    while True:
        for factor in (1, 2, 5):
            if highest / unit <= MOST_TICKS * factor * power:
                return factor * power * unit
        power *= 10


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def brief_seconds(value: float) -> str:
    """A duration, in milliseconds if it is short."""
    return f"{1000 * value:.0f} ms" if value < 1 else human_duration(value)


def _clock(seconds: float) -> str:
    """A time since the start, short enough for the axis."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" if whole % 60 == 0 else f"{whole // 60}:{whole % 60:02d} min"
    if whole < 86400:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"
