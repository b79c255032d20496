"""Migrations of a warehouse that holds data: rows stay, gold is never half or empty, and what is due is evaluated."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from gold_case import Gold, Transport, fresh, small

from medallion_cli.assets import Assets
from medallion_cli.errors import MedallionError
from medallion_cli.operations import merge
from medallion_cli.operations.migrations import look
from medallion_cli.warehouse import update_statements

pytestmark = pytest.mark.engine
REPOSITORY = Path(__file__).resolve().parents[3]
TABLES, SELECTS = "sql/redshift/tables", "sql/silver_to_gold"
SHIPPED = len(list((REPOSITORY / "sql/redshift/views").glob("*.sql")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("configs", "sql"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def gold(empty: Any, project: Path) -> Gold:
    made = small(fresh(empty, Assets.find(project)))
    made.run()
    return made


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def add_column(project: Path) -> None:
    edit(project / TABLES / "fact_sales.sql", "  _run_id", "  channel VARCHAR(20),\n  _run_id")
    edit(project / SELECTS / "fact_sales.sql", "  i.quantity,", "  'web' AS channel,\n  i.quantity,")


def changes(gold: Gold) -> list[tuple[str, ...]]:
    sql = "SELECT model, change, what, evaluation, tool_version FROM etl.migration ORDER BY applied_at, model"
    return [tuple(row) for row in gold.warehouse.run(sql) if row[1] != "new model"]


def identity(gold: Gold, table: str) -> str:
    return str(gold.warehouse.run(f"SELECT oid FROM pg_class WHERE oid = 'gold.{table}'::regclass")[0][0])


def trade_places(project: Path) -> None:
    """Two columns of one type: files of either order are taken into staging."""
    edit(
        project / TABLES / "dim_customer.sql",
        "  first_name VARCHAR(320),\n  last_name",
        "  last_name VARCHAR(320),\n  first_name",
    )
    edit(
        project / SELECTS / "dim_customer.sql",
        "  c.first_name,\n  c.last_name",
        "  c.last_name,\n  c.first_name",
    )


def interrupt(gold: Gold, after: bool = False) -> None:
    """An `up` that is killed before its one transaction, or right after it."""
    gold.__dict__.pop("pipeline", None)
    for statement in update_statements(gold.pipeline, gold.assets, look(Transport(gold.warehouse))):
        if statement.name == "migrations" and not after:
            return
        gold.warehouse.run(statement.sql)
        if statement.name == "migrations":
            return


def test_a_new_column_is_added_in_place_and_filled_by_the_next_run(gold: Gold, project: Path) -> None:
    before, table = gold.rows("fact_sales"), identity(gold, "fact_sales")
    add_column(project)
    planned = gold.pending()
    assert [(m.model, m.change, m.evaluation, m.empties) for m in planned] == [
        ("fact_sales", "new column", True, False)
    ]
    interrupt(gold)
    assert gold.pending() == planned
    assert [m.version for m in gold.bootstrap()] == [planned[0].version]
    gold.warehouse.run("CALL etl.migrate()")
    assert identity(gold, "fact_sales") == table
    assert len(gold.rows("fact_sales")) == len(before)
    known = gold.warehouse.run("SELECT select_hash FROM etl.position WHERE model = 'fact_sales'")[0][0]
    assert known != gold.pipeline.model("fact_sales").select_hash, "so the Glue job evaluates it in full"
    for rows in gold.world["fact_sales"].values():
        rows[0]["channel"] = "web"
    gold.run(full=True)
    assert {r[0] for r in gold.warehouse.run("SELECT channel FROM gold.fact_sales")} == {"web"}
    assert len(changes(gold)) == 1
    assert changes(gold)[0][:2] == ("fact_sales", "new column")
    assert "channel VARCHAR(20)" in changes(gold)[0][2]
    assert (gold.pending(), gold.bootstrap()) == ([], [])


def test_rows_staged_before_a_migration_are_not_merged_after_it(gold: Gold, project: Path) -> None:
    gold.sale(9, 1, customer=1, product=1, quantity=3, day=41)
    gold.stage("run-late", "fact_sales")
    add_column(project)
    gold.bootstrap()
    gold.warehouse.run("CALL gold.merge_run('run-late', 'all')")
    assert "fact_sales" not in gold.load("run-late")


@pytest.mark.parametrize("how", ["up", "an up that was killed", "another SELECT"])
def test_rows_that_were_staged_before_a_migration_and_loaded_after_it_are_refused(
    gold: Gold, project: Path, how: str
) -> None:
    model, stood = gold.pipeline.model("dim_customer"), gold._position("dim_customer")
    gold.customer(1, "Ada", "Ada K")
    rows = gold._rows(model, (1,), gold.world["dim_customer"][(1,)])
    before = gold.rows("dim_customer")
    if how == "another SELECT":
        edit(project / SELECTS / "dim_customer.sql", "  c.kind,", "  UPPER(c.kind) AS kind,")
    else:
        trade_places(project)
        before = gold.warehouse.run("SELECT last_name, first_name FROM gold.dim_customer")
    if how == "an up that was killed":
        interrupt(gold, after=True)
    else:
        gold.bootstrap()
    gold.put("run-late", model, rows, full=False, position=stood)
    with pytest.raises(Exception, match=r"dim_customer has changed since run run-late staged it\. restage"):
        gold.warehouse.run("CALL gold.merge_run('run-late', 'all')")
    if how == "another SELECT":
        assert gold.rows("dim_customer") == before
    else:
        assert gold.warehouse.run("SELECT last_name, first_name FROM gold.dim_customer") == before
    entry = {"model": model.name, "from": stood, "to": "after run-late", "hash": model.select_hash}
    with pytest.raises(MedallionError, match="the project's models have changed since run-late staged dim_"):
        merge._refuse_late(Transport(gold.warehouse), {"run_id": "run-late", "models": [entry]}, set(), None)  # type: ignore[arg-type]
    gold.bootstrap()
    gold.run("dim_customer", full=True)
    assert gold.load("run-2")["dim_customer"][3] == 2


def test_a_widened_type_and_a_dropped_column_keep_every_other_value(gold: Gold, project: Path) -> None:
    before = gold.warehouse.run("SELECT customer_sk, email, last_name FROM gold.dim_customer ORDER BY 1")
    edit(project / TABLES / "dim_customer.sql", "last_name VARCHAR(320)", "last_name VARCHAR(640)")
    edit(project / TABLES / "dim_customer.sql", "  kind VARCHAR(40),\n", "")
    edit(project / SELECTS / "dim_customer.sql", "  c.kind,\n", "")
    assert [(m.change, m.empties) for m in gold.bootstrap()] == [("changed columns", False)]
    assert (
        gold.warehouse.run("SELECT customer_sk, email, last_name FROM gold.dim_customer ORDER BY 1") == before
    )
    names = [c.name for c in gold.warehouse.session.execute("SELECT * FROM gold.dim_customer", ()).columns]
    assert "kind" not in names
    assert not gold.warehouse.run("SELECT 1 FROM pg_class WHERE relname LIKE '%\\_\\_new'")
    views = gold.warehouse.run("SELECT COUNT(*) FROM pg_views WHERE schemaname = 'gold'")
    assert int(views[0][0]) == SHIPPED
    gold.run(full=True)


def test_a_migration_that_fails_leaves_gold_as_it_was(gold: Gold, project: Path) -> None:
    before = gold.snapshot()
    add_column(project)
    edit(project / TABLES / "dim_product.sql", "sku VARCHAR(128)", "sku VARCHAR(256)")
    edit(project / "sql/redshift/views/v_top_products.sql", "sold.units,", "sold.unitz,")
    with pytest.raises(Exception, match="unitz"):
        gold.bootstrap()
    assert changes(gold) == []
    assert gold.warehouse.run("SELECT COUNT(*) FROM gold.v_top_products")
    gold.assets = Assets.find(REPOSITORY)
    assert gold.bootstrap() == []
    assert gold.snapshot() == before


def test_models_come_and_go(gold: Gold, project: Path) -> None:
    config = project / "configs/pipeline.yaml"
    edit(config, "  agg_customer:\n", "  agg_buyer:\n")
    for folder in (TABLES, "sql/redshift/aggregates"):
        file = project / folder / "agg_customer.sql"
        file.with_name("agg_buyer.sql").write_text(file.read_text().replace("agg_customer", "agg_buyer"))
        file.unlink()
    for view in (project / "sql/redshift/views").glob("*.sql"):
        view.write_text(view.read_text().replace("gold.agg_customer", "gold.agg_buyer"))
    held = gold.rows("agg_customer")
    found = {m.model: m.change for m in gold.bootstrap()}
    assert found == {"agg_buyer": "new model", "agg_customer": "dropped model"}
    assert gold.rows("agg_buyer") == held, "the warehouse computes it at once"
    left = (
        "SELECT relname FROM pg_class WHERE relname LIKE '%agg_customer%' "
        "UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '%agg_customer%'"
    )
    assert gold.warehouse.run(left) == []
    gold.run(full=True)


def test_an_aggregate_is_computed_and_a_table_filled_anew_at_once(gold: Gold, project: Path) -> None:
    gold.warehouse.run("UPDATE etl.shape SET shape = '0123456789abcdef' WHERE model = 'fact_payments'")
    gold.warehouse.run("DROP TABLE etl.migration")  # as a tool without migrations left it
    edit(project / "sql/redshift/aggregates/agg_customer.sql", "SUM(quantity)", "SUM(quantity) * 10")
    file = project / TABLES / "dim_date.sql"
    edit(file, "is_weekend BOOLEAN NOT NULL,", "is_weekend BOOLEAN NOT NULL,\n  is_monday BOOLEAN,")
    edit(file, "day_name, is_weekend)", "day_name, is_weekend, is_monday)")
    edit(file, "IN (0, 6)\n", "IN (0, 6),\n  EXTRACT(dow FROM days.date_day) = 1\n")
    units = gold.warehouse.run("SELECT SUM(units) FROM gold.agg_customer")[0][0]
    assert [(m.model, m.change, m.empties) for m in gold.bootstrap()] == [
        ("fact_payments", "changed SELECT", False),
        ("agg_customer", "changed SELECT", False),
        ("dim_date", "changed columns", False),
    ]
    assert int(gold.warehouse.run("SELECT SUM(units) FROM gold.agg_customer")[0][0]) == 10 * int(units)
    assert int(gold.warehouse.run("SELECT COUNT(*) FROM gold.dim_date WHERE is_monday")[0][0]) > 1000
    assert gold.bootstrap() == []
