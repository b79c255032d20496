"""Bootstrapping a warehouse again after the project's files have changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from gold_case import Gold, fresh, small

from medallion_cli.assets import Assets

pytestmark = pytest.mark.engine
REPOSITORY = Path(__file__).resolve().parents[3]
VIEWS = "sql/redshift/views"
SHIPPED = len(list((REPOSITORY / VIEWS).glob("*.sql")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("configs", "sql"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def gold(empty: Any, project: Path) -> Gold:
    return fresh(empty, Assets.find(project))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def columns(gold: Gold, view: str) -> list[str]:
    found = gold.warehouse.session.execute(f"SELECT * FROM gold.{view}", ())
    return [column.name for column in found.columns]


def views(gold: Gold) -> set[str | None]:
    return {row[0] for row in gold.warehouse.run("SELECT viewname FROM pg_views WHERE schemaname = 'gold'")}


def test_a_view_may_lose_and_rename_columns(gold: Gold, project: Path) -> None:
    edit(
        project / VIEWS / "v_total_sales.sql", "  sales.discount,\n  sales.orders,", "  sales.orders AS sold,"
    )
    gold.bootstrap()
    assert columns(gold, "v_total_sales")[:3] == ["revenue", "sold", "units"]
    assert len(views(gold)) == SHIPPED


def test_a_view_may_read_another_that_changes(gold: Gold, project: Path) -> None:
    later = project / VIEWS / "v_zz_best_brand.sql"
    later.write_text("CREATE OR REPLACE VIEW gold.v_zz_best_brand AS SELECT * FROM gold.v_revenue_by_brand")
    gold.bootstrap()
    edit(project / VIEWS / "v_revenue_by_brand.sql", "AS brand_name", "AS brand")
    gold.bootstrap()
    assert columns(gold, "v_zz_best_brand")[:2] == ["sales_month", "brand"]


def test_a_view_without_its_file_is_gone_and_holds_up_no_table(gold: Gold, project: Path) -> None:
    (project / VIEWS / "v_total_sales.sql").unlink()
    edit(project / "sql/redshift/tables/agg_customer.sql", "orders BIGINT", "orders DECIMAL(19,0)")
    assert [m.change for m in gold.bootstrap()] == ["changed columns"]
    assert len(views(gold)) == SHIPPED - 1
    assert "v_total_sales" not in views(gold)


def test_a_broken_view_is_named_and_leaves_all_views_as_they_were(gold: Gold, project: Path) -> None:
    edit(project / VIEWS / "v_top_products.sql", "sold.units,", "sold.unitz,")
    with pytest.raises(Exception, match=r"unitz does not exist[\s\S]*make_v_top_products"):
        gold.bootstrap()
    assert "units" in columns(gold, "v_top_products")
    assert len(views(gold)) == SHIPPED


def test_views_that_did_not_change_are_left_alone(gold: Gold) -> None:
    made = (
        "SELECT oid FROM pg_class WHERE relname IN (SELECT viewname FROM pg_views WHERE schemaname = 'gold')"
    )
    before = sorted(gold.warehouse.run(made))
    gold.bootstrap()
    assert len(before) == SHIPPED
    assert sorted(gold.warehouse.run(made)) == before


def test_a_dimension_made_anew_has_its_facts_looked_up_anew(gold: Gold) -> None:
    small(gold).run()
    gold.warehouse.run("UPDATE etl.shape SET shape = 'a-b-another-c' WHERE model = 'dim_product'")
    assert [(m.change, m.empties) for m in gold.bootstrap()] == [("changed key", True)]
    gold.product(1)
    gold.product(5, "1.00")
    gold.staged.pop("dim_product")
    gold.run()
    assert {row[0] for row in gold.warehouse.run("SELECT product_sk FROM gold.fact_sales")} == {"-1"}
    found = gold.snapshot()
    gold.run(full=True)
    assert gold.snapshot() == found
