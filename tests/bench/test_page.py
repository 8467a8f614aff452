"""The page of a benchmark: complete by itself, and inert whatever is in it."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bench.rows import row
from bench.test_result import report
from s3haul.bench.result import Bottleneck, Limit, compare
from s3haul.cli.app import run as s3haul
from s3haul.cli.bench_output import change_page, report_page

HOSTILE = "<script>alert(1)</script>\"' onload=x \x1b[2J\u202e&amp;"


class Page(HTMLParser):
    """The elements, their attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def pages() -> list[str]:
    found = report(row("null", 1234), row("disk", 900), source=HOSTILE)
    found = replace(found, bottleneck=Bottleneck(Limit.DISK, HOSTILE, HOSTILE), region=HOSTILE, made=3)
    return [report_page(found), change_page(compare(found, found), [f"source: {HOSTILE}, then x"])]


@pytest.mark.parametrize("text", pages(), ids=["report", "comparison"])
def test_the_page_has_no_script_of_others_and_no_link_to_elsewhere(text):
    page = Page(text)
    assert not {"script", "img", "link", "a", "iframe", "form", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "href"}]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>alert(1)</script>" in page.text  # as text


def test_the_page_has_the_figures_the_bottleneck_and_a_bar_for_each_setting():
    page = Page(report_page(report(row("null", 1234), row("disk", 617))))
    for words in ("1,234", "617", "Bottleneck: disk", "because of 3."):
        assert words in page.text
    widths = [value for name, value in page.attributes if name == "style"]
    assert widths == ["width: 100.0%", "width: 50.0%"]
    assert page.tags.count("table") == 2


def test_the_command_writes_the_page_of_a_comparison(tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps(report(row("null", 100)).as_object()))
    path = str(tmp_path / "a.json")
    assert s3haul(["bench", "--compare", path, path, "--html"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("<!doctype html>")
    assert "within the spread" in Page(out).text
