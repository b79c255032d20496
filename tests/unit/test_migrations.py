"""What has to be done to a warehouse that holds data is told from its catalog and its ledger."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.ddl import GoldColumn
from medallion_cli.merges import Merge
from medallion_cli.migrations import (
    Deployed,
    Migration,
    deployed,
    migrations,
    parse_ddl,
    plain_type,
    shape,
    widens,
)
from medallion_cli.spec import Model, Pipeline, load_pipeline
from medallion_cli.warehouse import due, gold_table, split_statements, update_statements

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.find(REPOSITORY)


@pytest.fixture(scope="module")
def pipeline(assets: Assets) -> Pipeline:
    return load_pipeline(assets)


def merges(pipeline: Pipeline, assets: Assets) -> list[Merge]:
    return [
        Merge(m, pipeline, tuple(split_statements(gold_table(m, pipeline, assets)))) for m in pipeline.models
    ]


def current(pipeline: Pipeline, assets: Assets) -> Deployed:
    """A warehouse as `up` leaves it."""
    made = merges(pipeline, assets)
    columns = {
        f"gold.{m.name}": {n.lower(): plain_type(kind) for n, kind, _ in parse_ddl(m.gold_ddl).columns}
        for m in made
    }
    return Deployed(columns, {m.name: shape(m) for m in made})


def only(found: list[Migration]) -> Migration:
    assert len(found) == 1, [str(m) for m in found]
    return found[0]


def with_columns(there: Deployed, table: str, **columns: object) -> Deployed:
    """`there` with column types of a table replaced (None: absent)."""
    held = {**there.columns[table], **columns}
    kept = {name: kind for name, kind in held.items() if kind is not None}
    return replace(there, columns={**there.columns, table: kept})


def test_an_empty_warehouse_gets_every_model_and_a_current_one_nothing(
    pipeline: Pipeline, assets: Assets
) -> None:
    assert [m.change for m in due(pipeline, assets, Deployed())] == ["new model"] * len(pipeline.models)
    assert due(pipeline, assets, current(pipeline, assets)) == []


def test_a_column_is_added_one_statement_each(pipeline: Pipeline, assets: Assets) -> None:
    there = with_columns(current(pipeline, assets), "gold.fact_sales", discount=None, status=None)
    found = only(due(pipeline, assets, there))
    assert found.change == "new column"
    added = [sql for sql in found.statements if sql.startswith("ALTER TABLE")]
    assert added == [
        "ALTER TABLE gold.fact_sales ADD COLUMN status VARCHAR(40)",
        "ALTER TABLE gold.fact_sales ADD COLUMN discount DECIMAL(10,2)",
    ]
    assert not found.empties


def test_a_changed_type_is_swapped_in_with_the_rows(pipeline: Pipeline, assets: Assets) -> None:
    there = with_columns(current(pipeline, assets), "gold.dim_customer", email=plain_type("VARCHAR(100)"))
    sql = list(only(due(pipeline, assets, there)).statements)
    swap = [s.split("(")[0].split(" IF ")[0].strip() for s in sql]
    assert swap.index("CALL etl.drop_views") < swap.index("DROP TABLE gold.dim_customer")
    assert sql.index("DROP TABLE gold.dim_customer") + 1 == sql.index(
        "ALTER TABLE gold.dim_customer__new RENAME TO dim_customer"
    )
    assert any(
        s.startswith("INSERT INTO gold.dim_customer__new") and "CAST(email AS VARCHAR(1020))" in s
        for s in sql
    )


def test_a_narrower_type_drops_its_values_and_only_those(pipeline: Pipeline, assets: Assets) -> None:
    there = with_columns(current(pipeline, assets), "gold.dim_customer", email=plain_type("VARCHAR(2000)"))
    found = only(due(pipeline, assets, there))
    copied = next(s for s in found.statements if s.startswith("INSERT INTO gold."))
    assert "email" not in copied
    assert "first_name" in copied
    assert not found.empties


def test_another_key_cannot_keep_the_rows_and_says_so(pipeline: Pipeline, assets: Assets) -> None:
    there = current(pipeline, assets)
    old = there.shapes["fact_sales"].split("-")
    there = replace(there, shapes={**there.shapes, "fact_sales": "-".join([*old[:2], "0" * 12, old[3]])})
    found = only(due(pipeline, assets, there))
    assert (found.change, found.empties) == ("changed key", True)
    assert "DELETE FROM etl.position WHERE model = 'fact_sales'" in found.statements


def test_a_changed_select_touches_no_table(pipeline: Pipeline, assets: Assets) -> None:
    there = current(pipeline, assets)
    old = there.shapes["agg_customer"].split("-")
    there = replace(there, shapes={**there.shapes, "agg_customer": "-".join(["0" * 16, *old[1:]])})
    found = only(due(pipeline, assets, there))
    assert (found.change, found.evaluation) == ("changed SELECT", True)
    assert not [s for s in found.statements if "TABLE" in s]


def test_a_dropped_model_takes_everything_of_its_own_along(pipeline: Pipeline, assets: Assets) -> None:
    there = current(pipeline, assets)
    there = replace(
        there,
        shapes={**there.shapes, "fact_gone": "x"},
        columns={
            **there.columns,
            "etl.pending_fact_gone_product_sk": {},
            "etl.pending_fact_sales_product_sk": {},
        },
        procedures=frozenset({"gold.merge_fact_gone"}),
    )
    found = only(due(pipeline, assets, there))
    assert found.change == "dropped model"
    dropped = [s for s in found.statements if s.startswith("DROP")]
    assert dropped == [
        "DROP TABLE IF EXISTS gold.fact_gone",
        "DROP TABLE IF EXISTS staging.fact_gone",
        "DROP TABLE etl.pending_fact_gone_product_sk",
        "DROP PROCEDURE gold.merge_fact_gone(VARCHAR)",
    ]


def test_a_lookup_that_gains_a_pending_table_of_other_columns_is_staged_in_full(pipeline: Pipeline) -> None:
    model = Model("f", "upsert", ("id",), "SELECT 1", (), (GoldColumn("id", "BIGINT"),))
    ddl = ("CREATE TABLE gold.f (id BIGINT NOT NULL, _run_id VARCHAR(64))",)
    merge = Merge(model, replace(pipeline, models=(model,)), ddl)
    columns = {"gold.f": {"id": plain_type("BIGINT"), "_run_id": plain_type("VARCHAR(64)")}}
    there = Deployed(columns, {"f": "-".join([model.select_hash, "0" * 12, *shape(merge).split("-")[2:]])})
    found = only(migrations([merge], merge.pipeline, {}, there))
    assert "UPDATE etl.position SET select_hash = 'stale' WHERE model = 'f'" in found.statements


@pytest.mark.parametrize(
    ("old", "new", "keeps"),
    [
        ("VARCHAR(10)", "VARCHAR(20)", True),
        ("VARCHAR(20)", "VARCHAR(10)", False),
        ("INTEGER", "BIGINT", True),
        ("BIGINT", "INTEGER", False),
        ("DECIMAL(10,2)", "DECIMAL(18,2)", True),
        ("DECIMAL(10,2)", "DECIMAL(11,4)", False),
        ("INTEGER", "DECIMAL(12,2)", True),
        ("BIGINT", "DECIMAL(12,2)", False),
        ("DATE", "TIMESTAMP", True),
        ("VARCHAR(10)", "INTEGER", False),
        ("CHAR(2)", "VARCHAR(8)", True),
        ("DOUBLE PRECISION", "DECIMAL(38,10)", False),
    ],
)
def test_a_value_is_kept_where_every_value_fits(old: str, new: str, keeps: bool) -> None:
    assert widens(plain_type(old), plain_type(new)) is keeps


def test_the_catalog_and_the_ddl_speak_of_the_same_types() -> None:
    rows = [
        ("gold", "t", "a", "character varying", 320, None, None),
        ("gold", "t", "b", "numeric", None, "18", "2"),
        ("gold", "t", "c", "timestamp without time zone", None, None, None),
        ("gold", "t", "d", "bigint", None, 64, 0),
        ("gold", "t", "e", "binary varying", 65535, None, None),
    ]
    written = ["VARCHAR(320)", "DECIMAL(18, 2)", "TIMESTAMP", "BIGINT", "VARBYTE(65535)"]
    found = deployed(rows, [("m", "s")], [("gold", "merge_t")], [("medallion_analyst",)])
    assert list(found.columns["gold.t"].values()) == [plain_type(text) for text in written]
    assert (found.shapes, found.procedures) == ({"m": "s"}, {"gold.merge_t"})


def test_roles_are_made_once(pipeline: Pipeline, assets: Assets) -> None:
    there = replace(current(pipeline, assets), roles=frozenset({"medallion_analyst"}))
    made = [s.sql for s in update_statements(pipeline, assets, there) if s.name.startswith("role ")]
    assert made == ["CREATE ROLE medallion_privileged"]


def test_a_staging_table_that_somebody_has_changed_or_dropped_is_made_again(
    pipeline: Pipeline, assets: Assets
) -> None:
    there = current(pipeline, assets)
    own = {
        table.replace('"', ""): {n.lower(): plain_type(kind) for n, kind, _ in parse_ddl([ddl]).columns}
        for merge in merges(pipeline, assets)
        for table, ddl in merge.own_tables
    }
    there = replace(there, columns={**there.columns, **own})
    assert due(pipeline, assets, there) == []
    changed = only(due(pipeline, assets, with_columns(there, "staging.fact_sales", order_id=None)))
    assert (changed.model, changed.change, changed.empties) == ("fact_sales", "changed staging", False)
    assert "DROP TABLE IF EXISTS staging.fact_sales" in changed.statements
    dropped = {name: held for name, held in there.columns.items() if name != "staging.dim_customer"}
    assert only(due(pipeline, assets, replace(there, columns=dropped))).model == "dim_customer"
