"""The page in a real browser: filters, themes, keyboard, CSV, accessibility; a silent console, no network."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from made_up_sales import ASSETS, NOW, PIPELINE, PRODUCTS, Gold, sold
from playwright.sync_api import Browser, Locator, Page, expect

from medallion_cli.dashboard import load_dashboard
from medallion_cli.errors import MedallionError
from medallion_cli.operations.dashboard import answers
from medallion_cli.operations.dashboard_page import document, html_of
from medallion_cli.operations.dashboard_server import Asked, server
from medallion_cli.operations.dashboard_slices import cubes

pytestmark = pytest.mark.engine
WIDTHS = (360, 800, 1400)
ALL = sum((row[4] for row in sold()), Decimal(0))


@dataclass
class Seen:
    """A page, what it wrote on the console and what it asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def opened(browser: Browser, html: str, tmp_path: Path) -> Iterator[Seen]:
    """The page as a file, offline."""
    file = tmp_path / "sales.html"
    file.write_text(html, encoding="utf-8")
    context = browser.new_context(offline=True, viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(5_000)
    seen = _watched(context.new_page())
    seen.page.goto(file.as_uri())
    yield seen
    assert seen.said == []
    assert {url.partition(":")[0] for url in seen.asked} <= {"file", "data", "blob"}
    assert len([url for url in seen.asked if url.startswith("file:")]) == 1
    context.close()


def _watched(page: Page) -> Seen:
    seen = Seen(page)
    page.on("console", lambda message: seen.said.append(message.text))
    page.on("pageerror", lambda error: seen.said.append(str(error)))
    page.on("request", lambda request: seen.asked.append(request.url))
    return seen


def _section(page: Page, title: str) -> Locator:
    return page.locator("section", has=page.get_by_role("heading", name=title, exact=True))


def _filter(page: Page, name: str) -> Locator:
    return page.get_by_role("combobox", name=name, exact=True)


def _table(page: Page, title: str) -> dict[str, str]:
    """The table behind a chart."""
    rows = (
        _section(page, title)
        .locator("tbody tr")
        .evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")
    )
    return dict(rows)


def _amount(text: str) -> Decimal:
    return Decimal(re.sub(r"[^\d.-]", "", text))


def _revenue(page: Page) -> str:
    return str(_section(page, "Total sales performance").locator("dd").first.text_content())


def test_without_a_filter_it_says_what_gold_says(opened: Seen) -> None:
    page = opened.page
    assert _amount(_revenue(page)) == ALL
    assert len(_table(page, "Sales distribution over time")) == 18
    assert _table(page, "Sales distribution over time")["Mar 2024"] == "€0.00"
    assert page.locator(".note:visible").count() == 0
    assert page.locator("#reset").is_disabled()


def test_a_brand_narrows_every_visual_that_adds_up_and_the_others_say_so(opened: Seen) -> None:
    page = opened.page
    _filter(page, "Brand").select_option("Northwind")
    expected = sum((row[4] for row in sold() if row[2] == "Northwind"), Decimal(0))
    months = _table(page, "Sales distribution over time")
    assert sum(map(_amount, months.values())) == expected == _amount(_revenue(page))
    assert list(_table(page, "Revenue by brand")) == ["Northwind"]
    assert set(_table(page, "Top-selling products")) == {p for p, b in PRODUCTS.items() if b == "Northwind"}
    assert _section(page, "Total sales performance").get_by_text("does not add up").count() == 4
    assert "Not narrowed by brand" in str(
        _section(page, "Customer segments (RFM)").locator(".note").text_content()
    )
    assert page.locator("#said").text_content() == "Shown: Brand Northwind"


def test_a_period_and_a_brand_together_and_the_address_keeps_them(opened: Seen) -> None:
    page = opened.page
    _filter(page, "Period from").select_option("2024-11-01")
    _filter(page, "Period to").select_option("2025-02-01")
    assert list(_table(page, "Sales distribution over time")) == [
        "Nov 2024",
        "Dec 2024",
        "Jan 2025",
        "Feb 2025",
    ]
    assert page.get_by_text("Average order value").locator("..").locator("dd").first.text_content() != "–"
    _filter(page, "Brand").select_option('Quote "Q" Ltd')
    rows = [
        row for row in sold() if row[2].startswith("Quote") and "2024-11" <= f"{row[0]:%Y-%m}" <= "2025-02"
    ]
    assert _amount(_revenue(page)) == sum((row[4] for row in rows), Decimal(0))
    before = _table(page, "Top-selling products")
    page.reload()
    opened.asked.pop()  # the reload's own
    assert _table(page, "Top-selling products") == before
    assert _filter(page, "Brand").input_value() == 'Quote "Q" Ltd'
    page.get_by_role("button", name="Reset").click()
    assert _amount(_revenue(page)) == ALL
    assert "#" not in page.url


def test_a_span_that_ends_before_it_begins_moves_its_other_end(opened: Seen) -> None:
    page = opened.page
    _filter(page, "Period to").select_option("2024-05-01")
    _filter(page, "Period from").select_option("2024-09-01")
    assert _filter(page, "Period to").input_value() == "2024-09-01"
    assert list(_table(page, "Sales distribution over time")) == ["Sep 2024"]


def test_themes_follow_the_system_or_the_reader_and_stay(opened: Seen) -> None:
    page = opened.page
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    _filter(page, "Theme").select_option("light")
    assert page.evaluate(ground) == light
    page.reload()
    opened.asked.pop()
    assert page.evaluate(ground) == light
    page.emulate_media(color_scheme="light")
    _filter(page, "Theme").select_option("dark")
    assert page.evaluate(ground) == dark


def test_everything_can_be_reached_and_used_by_keyboard(opened: Seen) -> None:
    page = opened.page
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.name || document.activeElement.localName"
            )
        )
    assert reached[:4] == ["theme", "filter-period-from", "filter-period-to", "filter-brand"]
    assert {"svg", "summary", "button"} <= set(reached)
    chart = _section(page, "Sales distribution over time").get_by_role("slider")
    chart.focus()
    assert (
        chart.get_attribute("aria-valuetext", timeout=500)
        == "Jun 2025: " + _table(page, "Sales distribution over time")["Jun 2025"]
    )
    for key, month in (
        ("Home", "Jan 2024"),
        ("ArrowRight", "Feb 2024"),
        ("PageDown", "Jan 2024"),
        ("End", "Jun 2025"),
    ):
        page.keyboard.press(key)
        assert str(chart.get_attribute("aria-valuetext")).startswith(month)
    expect(_section(page, "Sales distribution over time").locator(".tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(_section(page, "Sales distribution over time").locator(".tip")).to_be_hidden()
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(_section(page, "Sales distribution over time").locator("table")).to_be_visible()


def test_csv_has_what_is_shown_exactly(opened: Seen) -> None:
    page = opened.page

    def saved(title: str) -> list[list[str]]:
        with page.expect_download() as download:
            page.get_by_role("button", name=f"CSV of {title}").click()
        content = Path(download.value.path()).read_bytes().decode()
        return list(csv.reader(io.StringIO(content, newline="")))

    brands = saved("Revenue by brand")
    assert brands[0] == ["brand_name", "revenue"]
    assert {row[0] for row in brands[1:]} == {row[2] for row in sold()}
    assert sum(Decimal(row[1]) for row in brands[1:]) == ALL
    _filter(page, "Brand").select_option("Zenith")
    assert [row[0] for row in saved("Revenue by brand")] == ["brand_name", "Zenith"]
    assert saved("Sales distribution over time")[1][0] == "2024-01-01"
    assert saved("Total sales performance")[0] == ["measure", "value"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hinders_whoever_cannot_see_it_well(opened: Seen, scheme: Any) -> None:
    page = opened.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    _filter(page, "Brand").select_option("Northwind")
    page.set_viewport_size({"width": 800, "height": 1000})
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(opened: Seen, width: int) -> None:
    page = opened.page
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(100)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.textContent)"
    assert page.locator(".kpis div, h2, label").evaluate_all(cut) == []


def _asleep() -> dict[str, Any]:
    raise MedallionError("the warehouse is paused")


def test_what_is_served_follows_the_data_under_the_same_filter(browser: Browser) -> None:
    gold: Any = Gold(grows=True)

    def ask() -> dict[str, Any]:
        found = answers(gold, ASSETS, PIPELINE)
        return document(found, PIPELINE, NOW, dashboard=load_dashboard(ASSETS), cubes=cubes(gold, found))

    asked = Asked(ask, 0.05)
    with server(0, lambda data: html_of(data, every=0.1), asked) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        seen = _watched(browser.new_page())
        page = seen.page
        page.goto(f"http://127.0.0.1:{serving.server_address[1]}/")
        first = _revenue(page)
        expect(page.locator("dd").first).not_to_have_text(first)
        _filter(page, "Brand").select_option("Zenith")
        page.wait_for_timeout(250)
        assert list(_table(page, "Revenue by brand")) == ["Zenith"]
        assert {url.rpartition("/")[2] for url in seen.asked if url.startswith("http")} == {"", "data.json"}
        asked.ask = _asleep
        expect(page.locator(".live")).to_have_text("These are older numbers: the warehouse is paused")
        page.close()
        serving.shutdown()
