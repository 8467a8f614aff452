"""The report in a real browser: `make test-browser`, with Chromium and Playwright.
Not part of the ordinary tests.

S3HAUL_SCREENSHOTS names a directory for pictures of the page, for people to look at.
"""

import os
import shutil
from pathlib import Path

import pytest

from report.destinations import HOSTILE, destination, mixed, performance
from s3haul.core.text import show
from s3haul.report.content import gather
from s3haul.report.page import html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="make test-browser installs it")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

DESKTOP = {"viewport": {"width": 1200, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
VIEWS = {"light": DESKTOP, "dark": DESKTOP | {"color_scheme": "dark"}, "phone": PHONE}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = tmp_path_factory.mktemp("dest")
    file = root / "report.html"
    text = html(gather(destination(root, mixed(), performance=performance(), code=1), under_way=False))
    file.write_text(text, encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def view(browser, address, request):
    """The page in a window that is made with the test's parameters; it must say and ask nothing."""
    context = browser.new_context(**getattr(request, "param", DESKTOP))
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(address)
    yield page
    context.close()
    assert said == []
    assert asked == [address]


def visible_rows(view):
    return view.locator("#rows tbody tr:visible").count()


def test_search_and_causes_filter_the_objects(view):
    total = visible_rows(view)
    assert total == 30 + len(HOSTILE) + 3
    view.fill("#search", "SECRET 01")
    assert visible_rows(view) == 11  # 010 to 019, and 001
    assert view.text_content("#found") == f"11 of {total}"
    view.fill("#search", "")
    view.select_option("#only", label="skipped: archived")
    assert visible_rows(view) == 3
    view.fill("#search", "nowhere")
    assert visible_rows(view) == 0


def test_hostile_keys_can_be_searched_and_do_nothing(view):
    for key in HOSTILE:
        view.fill("#search", show(key))
        assert visible_rows(view) >= 1, key
    assert view.evaluate("document.scripts.length") == 1
    assert view.locator("img, a, iframe, object, embed, form").count() == 0


def test_a_pointer_reads_all_charts_at_the_same_moment(view):
    chart = view.locator(".chart").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    view.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    readings = view.locator(".reading").all_text_contents()
    assert len({reading.partition(":")[0] for reading in readings}) == 1
    assert readings[0].endswith("MiB/s")
    assert view.locator(".cursor.on").count() == len(readings) == 5
    view.mouse.move(box["x"] + box["width"] / 2, box["y"] - 60)
    assert view.locator(".cursor.on").count() == 0


def test_the_theme_can_be_switched(view):
    def background():
        return view.evaluate("getComputedStyle(document.body).backgroundColor")

    light = background()
    view.click("#theme")
    dark = background()
    assert (light != dark, view.text_content("#theme")) == (True, "Light")
    view.click("#theme")
    assert background() == light


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS, indirect=True)
def test_the_page_fits_its_window(view, request):
    assert view.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if directory := os.environ.get("S3HAUL_SCREENSHOTS"):
        name = request.node.callspec.id
        view.screenshot(path=str(Path(directory) / f"report-{name}.png"), full_page=True)


@pytest.mark.parametrize("view", [DESKTOP | {"java_script_enabled": False}], indirect=True)
def test_without_javascript_all_rows_and_charts_are_seen_and_no_tools(view):
    assert visible_rows(view) == 30 + len(HOSTILE) + 3
    assert view.locator(".chart:visible").count() == 5
    assert view.locator("#search:visible, #theme:visible").count() == 0


def test_on_paper_every_row_is_printed_in_black_on_white(view):
    view.click("#theme")
    view.emulate_media(media="print")
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    boxes = view.locator(".scroll").evaluate_all(
        "(all) => all.map((box) => [box.scrollHeight, box.clientHeight])"
    )
    assert len(boxes) == 3
    assert all(whole == shown for whole, shown in boxes)
    assert view.locator("#search:visible, #theme:visible").count() == 0
    assert view.pdf()[:4] == b"%PDF"
