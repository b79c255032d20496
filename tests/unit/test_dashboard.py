"""The dashboard says what gold says: in the terminal at a fixed width, and on a page that needs no network."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from medallion_cli.assets import Assets
from medallion_cli.aws.warehouse_values import Column, Rows
from medallion_cli.commands.charts import compact, draw, shown, ticks
from medallion_cli.console import Terminal
from medallion_cli.dashboard import Dashboard, Measure, Visual
from medallion_cli.errors import UsageError
from medallion_cli.operations.dashboard import Answer, answers, subtitle
from medallion_cli.operations.dashboard_page import page
from medallion_cli.spec import load_pipeline

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PIPELINE = load_pipeline(Assets.find(ROOT))
MONTHS = Visual(id="m", title="Sales", view="v", kind="line", x="month", y="revenue", format="currency")
BRANDS = Visual(id="b", title="Brands", view="v", kind="bar", x="brand", y="revenue", format="currency")
PARTS = Visual(id="p", title="Segments", view="v", kind="donut", x="segment", y="customers", format="integer")
TOTAL = Visual(
    id="t",
    title="Total",
    view="v",
    kind="kpi",
    measures=(
        Measure(title="Revenue", column="revenue", format="currency"),
        Measure(title="Returning", column="share", format="percent"),
    ),
)


def _answer(visual: Visual, *points: tuple[Any, Any], currency: str = "EUR") -> Answer:
    return Answer(visual, [{str(visual.x): x, str(visual.y): y} for x, y in points], currency)


def _drawn(*found: Answer, width: int = 60, colour: bool = False) -> list[str]:
    terminal, out = Terminal(), io.StringIO()
    terminal.out = Console(file=out, width=width, highlight=False, force_terminal=colour, no_color=not colour)
    draw(terminal, found)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def _data(text: str) -> Any:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found.group(1))


MONTHLY = _answer(
    MONTHS,
    (date(2025, 11, 1), Decimal("1000.00")),
    (date(2025, 12, 1), Decimal("2000.00")),
    (date(2026, 1, 1), None),
    (date(2026, 2, 1), Decimal("4000.00")),
)


def test_sales_over_time_is_an_area_with_round_values_and_months() -> None:
    assert _drawn(MONTHLY, width=50) == [
        "",
        "Sales",
        "€4K ┤",
        "    │                                           ▄█",
        "€3K ┤                                         ▃▇██",
        "    │                                       ▃▇████",
        "€2K ┤                                     ▂▆██████",
        "    │        ▁▂▃▄▅▆▇█▆▃▁                ▂▆████████",
        "€1K ┤ ▁▂▃▄▅▆▇███████████▇▅▂           ▁▅██████████",
        "    │███████████████████████▆▃▁     ▁▅████████████",
        " €0 ┤██████████████████████████▇▅▂ ▄██████████████",
        "     Nov 2025       Dec 2025      Jan 2026",
    ]


def test_bars_keep_their_columns_with_wide_characters_and_long_names() -> None:
    found = _answer(
        BRANDS,
        ("西村農林有限会社", 300),
        ("A name that is much too long for the chart", Decimal("150.5")),
        ("", 0),
    )
    assert _drawn(found, width=50) == [
        "",
        "Brands",
        "西村農林有限会社      €300.00  ███████████████████",
        "A name that is much…  €150.50  █████████▌",
        "                        €0.00",
    ]


def test_shares_add_up_and_none_of_them_is_alone_in_the_colour() -> None:
    found = _answer(PARTS, ("Loyal", 1500), (None, 500))
    assert _drawn(found, width=40) == [
        "",
        "Segments",
        "Loyal  1,500  75.0%  ███████████████████",
        "–        500  25.0%  ██████▍",
    ]


def test_tiles_stand_in_boxes_and_a_missing_number_is_a_dash() -> None:
    found = Answer(TOTAL, [{"revenue": Decimal("1234.5"), "share": None}], "CHF")
    assert _drawn(found, width=60) == [
        "",
        "Total",
        "╭────────────────────────╮ ╭────────────────────────╮",
        "│ Revenue                │ │ Returning              │",
        "│ CHF 1,234.50           │ │ –                      │",
        "╰────────────────────────╯ ╰────────────────────────╯",
    ]


@pytest.mark.parametrize("width", [40, 80, 120, 160, 260])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    bars = [_answer(BRANDS, *((f"brand {'x' * k}", 10.0**k) for k in range(12)))] * 3
    days = _answer(MONTHS, *((date(2024, 1 + k // 28, 1 + k % 28), k) for k in range(330)))
    lines = _drawn(days, MONTHLY, *bars, Answer(TOTAL, [{"revenue": 1, "share": 1}], "EUR"), width=width)
    assert max(map(len, lines)) <= width


def test_neighbours_stand_side_by_side_when_there_is_room() -> None:
    pair = _answer(BRANDS, ("a", 1)), _answer(PARTS, ("b", 1))
    assert any("Brands" in line and "Segments" in line for line in _drawn(*pair, width=160))
    assert not any("Brands" in line and "Segments" in line for line in _drawn(*pair, width=80))


def test_colour_only_where_it_is_wanted() -> None:
    assert any("\x1b[34m" in line for line in _drawn(MONTHLY, colour=True))
    assert not any("\x1b[3" in line for line in _drawn(MONTHLY))


def test_empty_answers_are_said_not_drawn() -> None:
    empty = [Answer(visual, [], "EUR") for visual in (MONTHS, BRANDS, PARTS, TOTAL)]
    assert _drawn(*empty).count("no rows yet") == 4
    assert [visual.get("values", []) for visual in _data(page(empty, PIPELINE, NOW))["visuals"]] == [[]] * 4


@pytest.mark.parametrize("visual", [MONTHS, BRANDS, PARTS])
def test_nothing_but_nulls_zeros_or_losses_is_drawn_all_the_same(visual: Visual) -> None:
    for values in ([None], [0, 0], [Decimal(-5), Decimal(-10)], [-1, 1]):
        days = [(date(2026, 1, 1 + k), value) for k, value in enumerate(values)]
        assert _drawn(_answer(visual, *days))


def test_months_and_days_without_sales_are_there_as_nothing() -> None:
    gap = _answer(MONTHS, (date(2025, 11, 1), 5), (date(2026, 2, 1), 7))
    assert gap.labels == ["Nov 2025", "Dec 2025", "Jan 2026", "Feb 2026"]
    assert gap.numbers == [5, 0, 0, 7]
    assert _answer(MONTHS, (date(2026, 1, 2), 1), (date(2026, 1, 4), 1)).labels[1] == "2026-01-03"
    highest = MONTHS.model_copy(update={"aggregation": "max"})
    assert _answer(highest, (date(2025, 11, 1), 5), (date(2026, 2, 1), 7)).numbers == [5, 7]
    assert _answer(BRANDS, (date(2025, 11, 1), 5), (date(2026, 2, 1), 7)).numbers == [5, 7]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (Decimal("-1234.5"), "currency", "-€1,234.50"),
        (Decimal("0.125"), "percent", "12.5%"),
        (1234567, "integer", "1,234,567"),
        (Decimal("1234.567"), "number", "1,234.567"),
        (None, "number", "–"),
    ],
)
def test_numbers_in_full(value: Any, form: str, text: str) -> None:
    assert shown(value, form, "EUR") == text


def test_numbers_of_axes_are_short_and_round() -> None:
    assert [compact(tick, "currency", "USD") for tick in ticks(0, 108_000)] == [
        "$0",
        "$25K",
        "$50K",
        "$75K",
        "$100K",
        "$125K",
    ]
    assert ticks(-3, 8) == [-5, -2.5, 0, 2.5, 5, 7.5, 10]
    assert ticks(0, 0) == [0, 1]
    assert compact(0.4, "percent", "EUR") == "40%"


def test_the_page_refers_to_nothing_outside_itself() -> None:
    text = page([MONTHLY], PIPELINE, NOW)
    assert "default-src 'none'" in text
    assert re.findall(r"""\b(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]+)""", text) == ["data:,"]
    for outside in (
        "://",
        "url(",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "import(",
        "sendBeacon",
    ):
        assert outside not in text, outside


def test_nothing_in_the_data_ends_its_element_or_fills_a_placeholder() -> None:
    hostile = "</script><script>alert(1)</script><!-- __TITLE__ __DATA__ \u2028"
    text = page([_answer(BRANDS, (hostile, 1))], PIPELINE, NOW)
    assert text.count("<script") == 2
    assert "<!--" not in text
    assert _data(text)["visuals"][0]["labels"] == [" ".join(hostile.split())]


def test_title_and_subtitle_come_from_the_specification() -> None:
    text = page([MONTHLY], PIPELINE, NOW)
    assert "<h1>Retail dashboard</h1>" in text
    named = page([MONTHLY], PIPELINE, NOW, dashboard=Dashboard(title="Sales & more"))
    assert "<title>Sales &amp; more</title>" in named
    assert "<h1>Sales &amp; more</h1>" in named
    assert subtitle(PIPELINE, NOW) in text
    assert subtitle(PIPELINE, NOW) == (
        "An order is a sale when it is paid, shipped or delivered · Days and months in Europe/Berlin · "
        "Amounts in EUR · Generated 2026-03-01 12:00 UTC"
    )


def test_amounts_reach_the_page_to_the_last_digit() -> None:
    found = _answer(
        BRANDS, ("a", Decimal("12345678901234567.89")), ("b", 2**60), ("c", float("nan")), ("d", 7)
    )
    assert _data(page([found], PIPELINE, NOW))["visuals"][0]["values"] == [
        "12345678901234567.89",
        str(2**60),
        None,
        7,
    ]


class Gold:
    """A warehouse that knows one answer and remembers what it was asked."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.asked = rows, list[str]()

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Rows:
        self.asked.append(sql)
        return self.rows

    def batch(self, sqls: Sequence[str]) -> None:
        raise AssertionError("a dashboard only reads")

    def close(self) -> None:
        pass


def _project(folder: Path, dashboard: str | None) -> Assets:
    (folder / "configs").mkdir()
    (folder / "configs" / "pipeline.yaml").write_text((ROOT / "configs" / "pipeline.yaml").read_text())
    if dashboard:
        (folder / "configs" / "dashboard.yaml").write_text(dashboard)
    return Assets.find(folder)


ONE = "visuals: [{id: one, title: One, view: v, kind: bar, x: name, y: total}]"


def test_answers_are_the_rows_of_the_visuals_queries(tmp_path: Path) -> None:
    gold = Gold(Rows((Column("name", "varchar"), Column("total", "numeric")), (("a", Decimal(2)),)))
    found = answers(gold, _project(tmp_path, ONE), PIPELINE)
    assert [(a.visual.id, a.rows, a.currency) for a in found] == [
        ("one", [{"name": "a", "total": Decimal(2)}], "EUR")
    ]
    assert gold.asked == [found[0].visual.query()]


def test_a_project_without_a_dashboard_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no dashboard") as refused:
        answers(Gold(Rows()), _project(tmp_path, None), PIPELINE)
    assert "configs/dashboard.yaml" in str(refused.value.hint)


def test_a_visual_of_texts_is_refused_by_name(tmp_path: Path) -> None:
    gold = Gold(Rows((Column("name", "varchar"), Column("total", "varchar")), (("a", "many"),)))
    with pytest.raises(UsageError, match="one: total is not a number"):
        answers(gold, _project(tmp_path, ONE), PIPELINE)
