"""The report in a browser: it asks nobody, says no error, fits phone and desktop, light and dark, and is read aloud."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from airflow_provider_iginsights.cli.main import main
from tests.support.report_rows import ACCOUNT, DATASET, HOSTILE, PLAIN, make_month, serve_month
from tests.ui.conftest import IMAGES, LARGEST_IMAGE

WINDOWS = {"desktop": (1000, 900), "phone": (390, 844)}
TITLE = "Nordlicht Coffee (@nordlicht.coffee)"
COUNT_NAMELESS = """() => [...document.querySelectorAll('.chart svg [role=graphics-symbol]')]
    .filter(mark => mark.getAttribute('aria-hidden') !== 'true' && !mark.getAttribute('aria-label')).length"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a report of each kind by the command."""
    folder = tmp_path_factory.mktemp("reports")
    with serve_month(make_month()):
        made = {kind: folder / f"{kind}.html" for kind in ("interactive", "static", "none")}
        for kind, path in made.items():
            line = ["report", "--dataset", DATASET, "--account", ACCOUNT, "--out", str(path), "--charts", kind]
            assert main([*line, "--timezone", "Europe/Berlin"]) == 0
    return made


class Window:
    """A window that notes what its page asks for, and what it complains of."""

    def __init__(self, browser: Browser, size: str, scheme: str) -> None:
        self.name = f"{size}-{scheme}"
        width, height = WINDOWS[size]
        viewport = {"width": width, "height": height}
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, path: Path, *, is_drawn: bool = True) -> Page:
        """Open a report, and wait until its charts are drawn."""
        self.page.goto(path.as_uri())
        if is_drawn:
            expect(self.page.locator("html")).to_have_attribute("data-drawn", re.compile("."))
        return self.page


@pytest.fixture(params=[(size, scheme) for size in WINDOWS for scheme in ("light", "dark")], ids="-".join)
def window(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Window]:
    """Open a window of each size in each scheme."""
    opened = Window(browser, *request.param)
    yield opened
    opened.context.close()


def test_it_is_shown_without_a_server(window: Window, reports: dict[str, Path]) -> None:
    """One request, for the file; no message; every chart drawn, every mark named, nothing wider than the window."""
    page = window.open(reports["interactive"])
    assert page.title() == TITLE  # no caption has changed it
    assert window.asked == [reports["interactive"].as_uri()]
    assert window.said == []
    charts = page.locator(".chart")
    assert charts.count() >= 11
    assert page.locator(".chart svg").count() == charts.count()
    assert page.evaluate(COUNT_NAMELESS) == 0
    width = page.evaluate("document.documentElement.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    path = IMAGES / f"report-{window.name}.png"
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size <= LARGEST_IMAGE


def test_a_long_period_opens_at_once(browser: Browser, tmp_path: Path) -> None:
    """What is in sight is drawn first, the rest follows, and little moves: the reader need not wait for all marks."""
    month = make_month(days=400, posts=400, stories=300)
    with serve_month(month):
        line = [
            "report",
            "--dataset",
            DATASET,
            "--account",
            ACCOUNT,
            "--days",
            "400",
            "--out",
            str(tmp_path / "r.html"),
        ]
        assert main(line) == 0
    window = Window(browser, "desktop", "light")
    window.page.goto((tmp_path / "r.html").as_uri())
    root = window.page.locator("html")
    expect(root).to_have_attribute("data-opened", re.compile("."))
    top = window.page.locator("#chart-stories").bounding_box()
    expect(root).to_have_attribute("data-drawn", re.compile("."))
    assert top == pytest.approx(window.page.locator("#chart-stories").bounding_box(), abs=150)
    opened, drawn = (int(root.get_attribute(f"data-{name}") or "0") for name in ("opened", "drawn"))
    assert 2 * opened < drawn
    assert window.page.locator(".chart svg").count() == window.page.locator(".chart").count()
    assert window.page.evaluate(COUNT_NAMELESS) == 0
    assert window.said == []
    window.context.close()


def test_tables_and_tips(browser: Browser, reports: dict[str, Path]) -> None:
    """A table is unfolded by the keyboard and has the numbers; a mark tells its own under the mouse."""
    window = Window(browser, "desktop", "light")
    page = window.open(reports["interactive"])
    summary = page.locator("summary").filter(has_text="Table: Best by views")
    summary.focus()
    page.keyboard.press("Enter")
    table = page.locator("#table-best")
    expect(table).to_be_visible()
    texts = table.inner_text()
    assert HOSTILE[0] in texts
    assert PLAIN[0] in texts
    page.locator("#chart-reach [aria-roledescription=point]").last.hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("Reach")
    assert window.said == []
    window.context.close()


def test_print_is_light(browser: Browser, reports: dict[str, Path]) -> None:
    """Also for a reader who prefers dark; a page printed without a script has its charts, too."""
    window = Window(browser, "desktop", "dark")
    for kind in ("interactive", "static"):
        page = window.open(reports[kind], is_drawn=kind == "interactive")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)" != dark
        assert 20_000 < len(page.pdf(format="A4")) < 1_000_000
        page.emulate_media(media="screen")
    window.context.close()


@pytest.mark.parametrize("kind", ["static", "none"])
def test_without_scripts(browser: Browser, reports: dict[str, Path], kind: str) -> None:
    """Where a mail program blocks scripts, the static page shows all, and the page of tables has them open."""
    window = Window(browser, "phone", "light")
    page = window.open(reports[kind], is_drawn=False)
    assert page.locator(".chart svg").count() == (12 if kind == "static" else 0)
    assert page.locator("#table-reach").is_visible() == (kind == "none")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert window.said == []
    window.context.close()
