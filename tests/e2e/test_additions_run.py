"""What `init --empty`, `table add` and `model add` write runs as it is, in a new environment and in one that is up."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Medallion

pytestmark = [pytest.mark.engine, pytest.mark.recovery]


@pytest.fixture(scope="module")
def shop(home: Path) -> Medallion:
    """One table, a fact, a dimension and an aggregate of it, with two rows, up and run."""
    tool = Medallion(home, "shop-local", folder=home)
    tool("init", "shop", "--empty")
    tool.project = home / "shop"
    tool("model", "add", "fact_items", "--kind", "upsert", "--from", "items")
    tool("model", "add", "dim_items", "--kind", "scd2", "--from", "items")
    tool("model", "add", "agg_names", "--kind", "refresh", "--from", "fact_items", "--key", "name")
    tool("up", "--yes")
    change(tool, "INSERT INTO items (name, price) VALUES ('tea', 2.50), ('tea', 3.25), ('cup', NULL)")
    tool("run")
    return tool


def change(tool: Medallion, sql: str) -> None:
    with tool.source("shop") as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        connection.commit()


def test_models_of_each_kind_are_right_as_they_are_written(shop: Medallion) -> None:
    assert [model["model"] for model in shop.verified()["models"]] == [
        "items",
        "fact_items",
        "dim_items",
        "agg_names",
    ]
    assert shop.query("SELECT name, entries, price FROM gold.agg_names ORDER BY name") == [
        {"name": "cup", "entries": 1, "price": None},
        {"name": "tea", "entries": 2, "price": "5.75"},
    ]
    assert shop.query("SELECT COUNT(*) AS n FROM gold.dim_items WHERE is_current") == [{"n": 3}]


def test_a_table_is_added_while_replication_runs(shop: Medallion) -> None:
    made = shop.json(
        "table", "add", "coupon", "--column", "code VARCHAR(20) NOT NULL", "--column", "off DECIMAL(5,2)"
    )
    assert made["files"] == ["configs/pipeline.yaml", "sql/mysql/schema.sql"]
    shop("up", "--yes")
    change(shop, "INSERT INTO coupon (code, `off`) VALUES ('SPRING', 2.50)")
    change(shop, "UPDATE items SET price = 9 WHERE name = 'cup'")
    shop("run")
    assert len(shop.verified()["tables"]) == 2
    assert shop.query('SELECT code, "off" FROM gold.coupon') == [{"code": "SPRING", "off": "2.50"}]
    assert shop.query("SELECT COUNT(*) AS n FROM gold.dim_items") == [{"n": 4}]
