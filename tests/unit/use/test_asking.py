"""Questions: what only reads, what a shell completes, where columns come from; the page's sums to the last digit."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from datetime import date
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from medallion_cli.assets import Assets
from medallion_cli.aws.warehouse_values import Column, Rows
from medallion_cli.commands.lineage_view import document
from medallion_cli.commands.shell import _history, candidates
from medallion_cli.dashboard import Measure, Slice, Visual, load_dashboard
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.lineage import gold_columns, lineage
from medallion_cli.operations.dashboard import Answer
from medallion_cli.operations.dashboard_server import Asked, server
from medallion_cli.operations.dashboard_slices import MOST_ROWS, Cube, cubes
from medallion_cli.operations.dashboard_slices import document as slice_document
from medallion_cli.operations.query import query
from medallion_cli.spec import load_pipeline

ROOT = Path(__file__).parents[3]
ASSETS = Assets.find(ROOT)
PIPELINE = load_pipeline(ASSETS)
CATALOG = {"gold.fact_sales": ["order_id", "revenue"], "gold.dim_product": ["product_sk"]}


class Reading:
    """A warehouse that can be read."""

    read_only = ""

    def read(self, sql: str) -> Rows:
        self.read_only = sql
        return Rows()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "-- x\nselect 'DELETE'",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
    ],
)
def test_what_only_reads_is_let_through(sql: str) -> None:
    gold = Reading()
    query(gold, sql)  # type: ignore[arg-type]
    assert gold.read_only


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM gold.x",
        "SELECT * INTO a FROM b",
        "CALL etl.migrate()",
        "WITH a AS (DELETE FROM b) SELECT 1",
        "DROP TABLE x",
    ],
)
def test_what_changes_something_is_named(sql: str) -> None:
    with pytest.raises(UsageError, match="one statement"):
        query(Reading(), sql)  # type: ignore[arg-type]


def test_the_shell_completes_tables_and_the_columns_of_those_in_use() -> None:
    assert "gold.fact_sales" in set(candidates("SELECT * FROM gold.f", CATALOG))
    assert "order_id" in set(candidates("SELECT * FROM gold.fact_sales WHERE or", CATALOG))
    assert "s.revenue" in set(candidates("SELECT 1 FROM gold.fact_sales s WHERE s.", CATALOG))
    assert "product_sk" not in set(candidates("SELECT * FROM gold.fact_sales WHERE pro", CATALOG))


def test_a_column_is_followed_from_the_dashboard_to_the_source() -> None:
    found = document(lineage(PIPELINE, ASSETS, load_dashboard(ASSETS)), "v_revenue_by_brand.revenue")
    assert {"from": "source.order_items.unit_price", "to": "gold.fact_sales.revenue"} in found["columns"]
    assert any(edge["to"] == "dashboard.revenue_by_brand" for edge in found["columns"])


BY = {"period": "month", "brand": "brand"}
BRANDS = Visual(
    id="b", title="B", view="v", kind="bar", x="brand", y="revenue", slices=(Slice(view="w", by=BY),)
)
ROWS = (
    (date(2026, 1, 1), "a", Decimal("0.10")),
    (date(2026, 1, 1), None, Decimal("7")),
    (date(2026, 2, 1), "a", Decimal("0.205")),
)


def test_columns_behind_a_star_are_followed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    views = {
        "v_newest": "SELECT f.*, 1 AS one FROM gold.fact_sales f",
        "v_of_it": "SELECT * FROM (SELECT * FROM gold.v_newest) x",
        "v_unknown": "SELECT * FROM gold.nowhere",
    }
    for name, select in views.items():
        text = f"CREATE OR REPLACE VIEW gold.{name} AS\n{select}\n"
        (tmp_path / "sql" / "redshift" / "views" / f"{name}.sql").write_text(text)
    assets = Assets((tmp_path, ROOT))
    graph = lineage(load_pipeline(assets), assets, load_dashboard(ASSETS))
    of_fact = graph.nodes["gold.fact_sales"].columns
    assert graph.nodes["gold.v_newest"].columns == graph.nodes["gold.v_of_it"].columns == (*of_fact, "one")
    assert graph.nodes["gold.v_unknown"].columns == ()
    assert ("gold.v_newest.revenue", "gold.v_of_it.revenue") in graph.columns
    assert {"v_newest", "v_of_it"} <= gold_columns(load_pipeline(assets), assets).keys()


def test_a_slice_is_exact_and_says_each_text_once() -> None:
    rows = tuple((brand, month, amount) for month, brand, amount in ROWS)
    found: Any = slice_document(Answer(BRANDS, [], "EUR"), Cube(BRANDS.slices[0], rows))
    assert found["texts"] == [["a", "–"], ["2026-01-01", "2026-02-01"]]
    assert found["by"] == {"period": 1, "brand": 0}
    assert (found["scales"], found["rows"]) == ([3], [[0, 0, 100], [1, 0, 7000], [0, 1, 205]])


def test_a_slice_asks_for_x_once_and_for_sums() -> None:
    assert BRANDS.slice_query(BRANDS.slices[0], 9) == (
        "SELECT brand, month, SUM(revenue) AS revenue FROM gold.w GROUP BY brand, month LIMIT 9"
    )
    total = Visual(id="t", title="T", view="v", kind="kpi", measures=(Measure(title="R", column="r"),),
                   slices=(Slice(view="w", by={"period": "month"}, sums=("r", "o")),))  # fmt: skip
    assert total.slice_query(total.slices[0], 9) == (
        "SELECT month, SUM(r) AS r, SUM(o) AS o FROM gold.w GROUP BY month LIMIT 9"
    )


def test_too_many_rows_and_what_is_no_number_are_not_shown() -> None:
    class Gold:
        def execute(self, sql: str) -> Rows:
            return Rows((Column("x", "varchar"),), (("a", "m", 1),) * (MOST_ROWS + 1))

    answer = Answer(BRANDS, [], "EUR")
    (cube,) = cubes(Gold(), [answer])["b"]  # type: ignore[arg-type]
    assert slice_document(answer, cube) is None
    for value in ("many", True, Decimal(2**60)):
        with pytest.raises(UsageError, match="b: slices"):
            slice_document(answer, Cube(BRANDS.slices[0], (("a", "m", value),)))


def test_the_page_is_served_to_this_machine_alone_and_says_what_is_wrong() -> None:
    asked = Asked(lambda: {"visuals": []}, every=60)
    with server(0, lambda data: f"<p>{data}</p>", asked) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        host, port = serving.server_address[:2]
        assert host == "127.0.0.1"
        assert _get(f"http://127.0.0.1:{port}/data.json") == (200, '{"visuals": []}')
        assert _get(f"http://127.0.0.1:{port}/", Host="evil.example")[0] == 403
        assert _get(f"http://127.0.0.1:{port}/etc/passwd")[0] == 404
        asked.said = None
        asked.ask = _asleep
        assert _get(f"http://127.0.0.1:{port}/") == (503, "it is paused")
        with pytest.raises(UsageError, match=f"port {port}"):
            server(int(port), str, asked)
        serving.shutdown()


def _asleep() -> dict[str, Any]:
    raise MedallionError("it is\npaused")


def _get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_gold_is_asked_again_only_when_the_answer_is_old() -> None:
    times, looks = iter([0.0, 10.0, 31.0]), list[int]()
    asked = Asked(lambda: {"n": looks.append(1) or len(looks)}, every=30, clock=lambda: next(times))
    assert [asked.document()["n"] for _ in range(3)] == [1, 1, 2]


def test_the_shell_s_history_is_in_the_state_folder_under_a_name_that_no_environment_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_STATE_HOME", str(tmp_path))
    _history("shop-local").store_string("SELECT 1")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.relative_to(tmp_path).parts[0].startswith(".")
    assert "SELECT 1" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
