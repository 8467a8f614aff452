"""The page: whole without JavaScript, inert whatever keys hold, small."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from report.destinations import HOSTILE, destination, mixed, outcome, performance
from s3haul.core.stats import Sample
from s3haul.core.text import show
from s3haul.journal.performance import Performance
from s3haul.models import State
from s3haul.report import page
from s3haul.report.content import gather
from s3haul.report.text import markdown

VOID = {"meta", "input", "link", "br", "img"}
OWN_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "script",
        "body",
        "header",
        "main",
        "footer",
        "section",
        "article",
    ),
    *(
        "div",
        "span",
        "p",
        "h1",
        "h2",
        "h3",
        "b",
        "i",
        "bdi",
        "code",
        "blockquote",
        "figure",
        "figcaption",
        "output",
    ),
    *(
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "dl",
        "dt",
        "dd",
        "button",
        "input",
        "select",
        "option",
    ),
    *("svg", "rect", "line", "path", "text"),
}


class Page(HTMLParser):
    """What a browser would find: elements, their attributes, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.open = [], [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("dest")
    return gather(destination(root, mixed(), performance=performance(), code=1), under_way=False)


@pytest.fixture(scope="module")
def text(report):
    return page.html(report)


@pytest.fixture(scope="module")
def found(text):
    return Page(text)


def test_keys_make_no_element_no_attribute_and_no_handler(found):
    assert set(found.tags) <= OWN_TAGS
    assert not found.open
    assert not [attribute for attribute in found.attributes if attribute[1].startswith("on")]
    assert not {"href", "src", "srcdoc", "action", "style"} & {name for _, name, _ in found.attributes}
    assert found.tags.count("script") == found.tags.count("style") == 1


def test_keys_stand_on_the_page_as_they_are_with_control_characters_escaped(found):
    for key in HOSTILE:
        assert show(f"evil/{key}") in found.texts["bdi"]
        assert show(f"odd/{key}/~s3haul~=%2E%2E") in found.texts["bdi"]
    visible = "".join("".join(texts) for tag, texts in found.texts.items() if tag not in {"script", "style"})
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", visible)


def test_the_policy_allows_the_one_script_and_the_one_style_and_no_request(found):
    (policy,) = [
        value for tag, name, value in found.attributes if name == "content" and "default-src" in value
    ]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = found.texts[tag]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_without_javascript_everything_can_be_read(found):
    charts = [value for tag, name, value in found.attributes if (tag, name) == ("svg", "aria-label")]
    assert [label.partition(" over ")[0] for label in charts] == [
        *("Throughput", "Objects", "Time to the first byte", "Parallel requests", "Repeated requests")
    ]
    assert "hidden" not in {
        name for tag, name, _ in found.attributes if tag in {"tr", "section", "table", "svg"}
    }
    said = " ".join("".join(texts) for texts in found.texts.values())
    for words in (
        "42 objects of 263 failed",
        "30 failed: the role may not decrypt the object",
        "kms:Decrypt",
        "SHA256 part by part",
        "s3haul verify",
        "throttled 20",
        "--state failed --state skipped",
    ):
        assert words in said


def test_a_line_is_interrupted_where_no_time_was_taken(text):
    assert len(re.findall(r'<path class="line median"', text)) == 2


def test_what_never_happened_has_no_chart(tmp_path):
    quiet = Performance(
        samples=[Sample(0.0, 1.0, 10, 1, 1, 32, 0, 0, 0), Sample(1.0, 0.0, 0, 0, 0, 32, 0, 0, 0)]
    )
    found = Page(
        page.html(gather(destination(tmp_path, [outcome("a", 10)], performance=quiet), under_way=False))
    )
    titles = [
        value.partition(" over ")[0]
        for tag, name, value in found.attributes
        if name == "aria-label" and tag == "svg"
    ]
    assert titles == ["Throughput", "Objects", "Parallel requests"]


def test_long_keys_and_many_failures_leave_the_page_small(tmp_path):
    key = "<&\"'" * 250
    outcomes = [outcome(f"{key}{number:05}", 1, State.FAILED, "network") for number in range(3000)]
    outcomes += [outcome(f"{key}{number:05}/..", 1, path=f"{key}~s3haul~{number}") for number in range(3000)]
    text = page.html(gather(destination(tmp_path, outcomes, performance=performance()), under_way=False))
    assert len(text.encode()) < 1_000_000
    assert re.search(r"\d+ of 3,000 are shown", text)


def test_a_page_without_a_course_failures_or_objects_is_whole(tmp_path):
    for outcomes in ([], [outcome("a", 1)]):
        found = Page(page.html(gather(destination(tmp_path / str(len(outcomes)), outcomes), under_way=False)))
        assert not found.open
        assert "search" not in {value for _, name, value in found.attributes if name == "id"}


def test_markdown_escapes_what_keys_and_messages_hold(report):
    lines = list(markdown(report))
    assert lines[0] == "# Incomplete: 42 objects of 263 failed"
    prose = "\n".join(re.sub(r"(`+).*?\1", "", line) for line in lines)
    assert "<script" not in prose
    assert not re.search(r"(?<!\\)\[x", prose)
    tables = [line for line in lines if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    assert set(widths) <= {4, 5, 6}
    assert not any("\n" in line or "\x1b" in line for line in lines)
