"""The shipped project, from nothing to equal, through changes, a reload and schedules."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import Medallion

pytestmark = pytest.mark.engine
ENVIRONMENT = "retail-local"
OPEN = "9999-12-31T00:00:00"


@pytest.fixture(scope="module")
def retail(home: Path) -> Medallion:
    """The environment, seeded and run."""
    tool = Medallion(home)
    tool("up", "--yes")
    tool("seed", "--rows", "20000", "--seed", "1")
    tool("run")
    return tool


def snapshots(tool: Medallion) -> int:
    """Iceberg metadata files of all silver tables: one a commit."""
    return sum(1 for _ in (tool.state(ENVIRONMENT) / "objects").glob("*silver*/**/metadata/snap-*.avro"))


def staged(tool: Medallion) -> int:
    """Objects in staging."""
    return sum(path.is_file() for path in (tool.state(ENVIRONMENT) / "objects").glob("*staging*/**/*"))


def test_everything_is_equal_after_a_full_load(retail: Medallion) -> None:
    found = retail.verified()
    assert sum(table["source"]["rows"] for table in found["tables"]) == 20_000
    assert {model["model"] for model in found["models"]} >= {"fact_sales", "dim_customer", "dim_product"}


def test_status_tells_each_layer_and_the_last_run(retail: Medallion) -> None:
    found = retail.json("status")
    assert (found["env"], found["healthy"]) == ("local", True)
    assert [layer["layer"] for layer in found["layers"]] == ["bronze", "silver", "gold"]
    orders = next(t for t in found["layers"][1]["tables"] if t["table"] == "orders")
    assert set(orders) == {"table", "rows", "last_change", "lag_seconds", "state"}
    assert orders["rows"] > 0
    assert found["last_run"]["status"] == "SUCCEEDED"


def test_query_gives_decimals_as_text_and_times_as_iso(retail: Medallion) -> None:
    (row,) = retail.query(
        "SELECT revenue, ordered_at FROM gold.fact_sales ORDER BY order_id, line_no LIMIT 1"
    )
    assert isinstance(row["revenue"], str)
    assert "T" in row["ordered_at"]
    refusal = retail.refused("query", "SELECT nothing FROM nowhere", code=1)
    assert "nowhere" in refusal
    assert "reads" in retail.refused("query", "DELETE FROM gold.fact_sales", code=2)


def test_changes_reach_gold_layer_by_layer(retail: Medallion) -> None:
    retail("seed", "--changes", "2000", "--seed", "2")
    retail("run", "--layer", "bronze")
    silver = retail.json("run", "--layer", "silver")
    assert {row["layer"] for row in silver["tables"]} == {"silver"}
    assert sum(row["updated"] + row["deleted"] for row in silver["tables"]) > 0
    gold = retail.json("run", "--layer", "gold")
    assert {row["layer"] for row in gold["tables"]} == {"gold"}
    retail.verified()


def ledger(tool: Medallion, table: str, key: str) -> dict[int, list[dict[str, Any]]]:
    """After-images by key in the order of the generator's ledger; None is a delete."""
    with tool.source(ENVIRONMENT, "medallion") as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT key_json, op, row_json FROM change_ledger WHERE table_name = %s ORDER BY change_id",
            (table,),
        )
        changes: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for key_json, op, row_json in cursor.fetchall():
            image = json.loads(row_json) if op != "D" else None
            changes[int(json.loads(key_json)[key])].append(image or {})
    return changes


@pytest.mark.parametrize(
    ("table", "dimension", "key", "attributes"),
    [
        ("customers", "dim_customer", "customer_id", ("first_name", "last_name")),
        ("products", "dim_product", "product_id", ("price",)),
    ],
)
def test_history_equals_the_generators_ledger(
    retail: Medallion, table: str, dimension: str, key: str, attributes: tuple[str, ...]
) -> None:
    changes = {k: v for k, v in ledger(retail, table, key).items() if len(v) >= 3}
    assert changes, "the generator changes some keys three times"
    names = ", ".join((key, *attributes, "version", "valid_from", "valid_to", "is_current"))
    rows = retail.query(f"SELECT {names} FROM gold.{dimension} ORDER BY {key}, version")
    history: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        history[int(row[key])].append(row)
    for number, images in changes.items():
        versions = history[number]
        for earlier, later in zip(versions, versions[1:], strict=False):
            assert earlier["valid_to"] <= later["valid_from"], (dimension, number)
        deleted = not images[-1]
        assert versions[-1]["is_current"] is not deleted
        assert (versions[-1]["valid_to"] == OPEN) is not deleted
        seen = [tuple(str(v[a]) for a in attributes) for v in versions]
        for image in filter(None, images):
            assert tuple(str(image[a]) for a in attributes) in seen, (dimension, number, image)


def test_a_further_run_moves_nothing_and_leaves_nothing(retail: Medallion) -> None:
    before = (snapshots(retail), staged(retail))
    found = retail.json("run")
    moved = [row for row in found["tables"] if row["inserted"] or row["updated"] or row["deleted"]]
    assert moved == []
    assert (snapshots(retail), staged(retail)) == before


def test_merging_a_merged_run_again_changes_nothing(retail: Medallion) -> None:
    before = retail.query("SELECT COUNT(*) AS n FROM etl.load")
    retail("merge")
    assert retail.query("SELECT COUNT(*) AS n FROM etl.load") == before


def test_a_reload_is_a_new_generation_and_keeps_history(retail: Medallion) -> None:
    before = retail.query("SELECT COUNT(*) AS n FROM gold.dim_customer WHERE NOT is_current")
    retail("replicate", "reload", "--yes")
    retail("run")
    assert retail.json("status")["replication"]["generation"] == "g0002"
    retail.verified()
    after = retail.query("SELECT COUNT(*) AS n FROM gold.dim_customer WHERE NOT is_current")
    assert after[0]["n"] >= before[0]["n"]


def test_the_page_holds_the_five_answers_without_a_network(retail: Medallion, tmp_path: Path) -> None:
    page = tmp_path / "sales.html"
    retail("dashboard", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    assert len(retail.json("dashboard")) == 5
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_up_again_changes_nothing(retail: Medallion) -> None:
    retail("up", "--yes")
    found = retail.json("plan")
    assert found["changes"] == []


def test_down_leaves_nothing_and_up_works_again(retail: Medallion) -> None:
    import psutil

    retail("down", "--yes")
    assert list(retail.home.iterdir()) == []
    mine = [
        p for p in psutil.process_iter(["cmdline"]) if str(retail.home) in " ".join(p.info["cmdline"] or [])
    ]
    assert mine == []
    retail("up", "--yes")
    retail("down", "--yes")
