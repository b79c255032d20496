"""The rendered warehouse SQL: inside the subset of Redshift that both engines run, and true to its tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.dashboard import Dashboard, load_dashboard
from medallion_cli.errors import UsageError
from medallion_cli.local.engines.dialect import translate
from medallion_cli.merges import Merge, quoted
from medallion_cli.spec import Pipeline, load_pipeline
from medallion_cli.warehouse import (
    LARGEST_STATEMENT,
    Statement,
    bootstrap_statements,
    gold_table,
    merge_procedure,
    merge_run,
    split_statements,
    staging_table,
)

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECTS = {"retail": REPOSITORY, "sakila": REPOSITORY / "tests" / "projects" / "sakila"}
# Redshift has none of these, or the two engines differ in them (or they commit, in the middle of a merge).
OUTSIDE = {
    "QUALIFY": r"\bQUALIFY\b",
    "TOP": r"\bSELECT\s+TOP\b",
    "TRUNCATE": r"\bTRUNCATE\b",
    "COMMIT": r"\b(COMMIT|ROLLBACK|SAVEPOINT)\b",
    "subtransaction": r"\bEXCEPTION\s+WHEN\b",
    "ON CONFLICT": r"\bON\s+CONFLICT\b",
    "RETURNING": r"\bRETURNING\b",
    "IS DISTINCT FROM": r"\bIS\s+(NOT\s+)?DISTINCT\s+FROM\b",
    "DISTINCT ON": r"\bDISTINCT\s+ON\b",
    "generate_series": r"\bGENERATE_SERIES\b",
    "FILTER": r"\bFILTER\s*\(",
    "LATERAL": r"\bLATERAL\b",
    "+ on strings": r"'\s*\+|\+\s*'",
    "nested cursor": r"\bFOR\s+\w+\s+IN\b",
    "RAISE with an expression": r"\bRAISE\s+\w+\s+'[^']*'[^;]*[(|]",
    "MERGE from a query": r"\bMERGE\s+INTO\s+\S+\s+USING\s*\(",
    "MEDIAN": r"\b(MEDIAN|RATIO_TO_REPORT|REMOVE\s+DUPLICATES|PERFORM)\b",
    "::": r"::",
}


@pytest.fixture(scope="module", params=sorted(PROJECTS))
def project(request: pytest.FixtureRequest) -> tuple[Pipeline, Assets]:
    folder = PROJECTS[request.param]
    assets = Assets.find(folder)
    return load_pipeline(assets), assets


@pytest.fixture(scope="module")
def statements(project: tuple[Pipeline, Assets]) -> list[Statement]:
    return bootstrap_statements(*project)


def code(sql: str) -> str:
    """Without comments, and with empty string literals."""
    found = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
    return found.sub(lambda match: "''" if match.group().startswith("'") else "", sql)


def test_every_statement_is_inside_the_subset(statements: list[Statement]) -> None:
    for statement in statements:
        for name, pattern in OUTSIDE.items():
            assert not re.search(pattern, code(statement.sql), re.IGNORECASE), f"{statement.name}: {name}"
        assert translate(statement.sql), statement.name


def test_the_subset_is_really_looked_for() -> None:
    bad = {
        "TOP": "SELECT TOP 5 a FROM t",
        "RAISE with an expression": "RAISE EXCEPTION 'no %', COALESCE(a, b);",
        "subtransaction": "BEGIN x; EXCEPTION WHEN OTHERS THEN y; END",
        "MERGE from a query": "MERGE INTO gold.t USING (SELECT 1) s ON",
    }
    for name, sql in bad.items():
        assert re.search(OUTSIDE[name], sql), name


def test_each_statement_is_one_and_fits_the_data_api(statements: list[Statement]) -> None:
    for statement in statements:
        assert split_statements(statement.sql) == [statement.sql.strip()], statement.name
        assert len(statement.sql.encode()) <= LARGEST_STATEMENT


def test_statements_come_in_an_order_that_can_be_run(statements: list[Statement]) -> None:
    kinds = [s.name.split(" gold.")[0].split(" etl.")[0] for s in statements]
    assert kinds.index("sql/redshift/schemas/schemas.sql 1") == 0
    names = [s.name for s in statements]
    calls = [s for s in statements if s.sql.startswith("CALL")]
    assert [s.sql for s in calls] == ["CALL etl.migrate()"], (
        "tables, views and grants change in one transaction"
    )
    migrated = names.index("migrations")
    assert names[migrated - 1] == "procedure etl.migrate"
    assert max(n for n, name in enumerate(names) if name.startswith("role ")) < migrated
    assert names.index("procedure etl.renew_views") < migrated < names.index("procedure gold.merge_run")


def test_a_select_returns_its_tables_columns_in_order(project: tuple[Pipeline, Assets]) -> None:
    import sqlglot

    pipeline, _ = project
    for model in pipeline.models:
        if model.select is None:
            continue
        dialect = "redshift" if model.kind == "refresh" else "spark"
        returned = sqlglot.parse_one(model.select, read=dialect).named_selects
        own = [column.name for column in model.columns]
        assert returned == ([*own, "_from", "_to"] if model.kind == "scd2" else own), model.name


def test_staging_has_the_op_and_then_the_staged_columns(project: tuple[Pipeline, Assets]) -> None:
    pipeline, _ = project
    for model in pipeline.models:
        if model.staged:
            text = staging_table(model, pipeline)
            names = [line.strip().split(" ")[0].strip('"') for line in text.splitlines()[1:-1]]
            looked_up = {look.column for look in model.lookups}
            assert names == ["_op", *(c.name for c in model.checked if c.name not in looked_up)]


def test_gold_tables_end_with_the_run(project: tuple[Pipeline, Assets]) -> None:
    import sqlglot
    from sqlglot import exp

    pipeline, assets = project
    for model in pipeline.models:
        parsed = sqlglot.parse_one(gold_table(model, pipeline, assets), read="redshift")
        names = [column.name for column in parsed.find_all(exp.ColumnDef)]
        assert names[-1] == "_run_id", model.name
        assert set(names[:-1]) == {column.name for column in model.checked}, model.name


def test_every_model_has_its_procedures_and_its_turn_in_merge_run(project: tuple[Pipeline, Assets]) -> None:
    pipeline, assets = project
    whole = merge_run(pipeline, assets)
    called = re.findall(r"CALL gold\.merge_(?:touched_)?(\w+)\(p_run_id\)", whole)
    assert called == [model.name for model in pipeline.models]
    for model in pipeline.models:
        procedure = merge_procedure(model, pipeline, assets)
        assert f"PROCEDURE gold.merge_{model.name}(p_run_id VARCHAR(64))" in procedure
        locked = procedure.index("LOCK etl.merge_lock")
        assert locked < procedure.index("etl.load"), "the lock is taken before anything is read"


def test_views_state_their_grain() -> None:
    for path in [*(REPOSITORY / "sql").rglob("views/*.sql"), *(REPOSITORY / "sql").rglob("tables/*.sql")]:
        assert path.read_text().startswith("-- Grain: "), path.name


def test_an_aggregate_reads_touched_rows_only_where_it_names_its_fact() -> None:
    assets = Assets.find(REPOSITORY)
    pipeline = load_pipeline(assets)
    select = Merge(pipeline.model("agg_customer"), pipeline).touched_select
    assert "gold.fact_sales" not in select
    assert "FROM rows_of_agg_customer" in select


@pytest.mark.parametrize(
    ("name", "written"), [("order_id", "order_id"), ("order", '"order"'), ("Name", '"Name"')]
)
def test_identifiers_are_quoted_where_they_must_be(name: str, written: str) -> None:
    assert quoted(name) == written


def test_a_script_is_split_outside_strings_comments_and_bodies() -> None:
    text = "-- a; b\nSELECT ';' ;\n/* ; */ CREATE PROCEDURE p() AS $$ BEGIN x; END; $$;\n-- the end;\n"
    assert split_statements(text) == [
        "-- a; b\nSELECT ';'",
        "/* ; */ CREATE PROCEDURE p() AS $$ BEGIN x; END; $$",
    ]


def test_the_dashboard_has_the_five_visuals_and_their_queries() -> None:
    visuals = {visual.id: visual for visual in load_dashboard(Assets.find(REPOSITORY)).visuals}
    assert list(visuals) == [
        "sales_over_time",
        "total_sales",
        "top_products",
        "customer_segments",
        "revenue_by_brand",
    ]
    assert visuals["total_sales"].query() == "SELECT * FROM gold.v_total_sales"
    assert visuals["top_products"].query() == (
        "SELECT product_name, SUM(revenue) AS revenue FROM gold.v_top_products "
        "GROUP BY product_name ORDER BY revenue DESC, product_name LIMIT 10"
    )
    assert load_dashboard(Assets.find(PROJECTS["sakila"])) == Dashboard()


def test_a_wrong_dashboard_is_refused_with_its_place(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "pipeline.yaml").write_text("name: x\n")
    (configs / "dashboard.yaml").write_text("visuals:\n  - {id: a, title: A, view: v, kind: bar, x: b}\n")
    with pytest.raises(UsageError, match="needs x and y"):
        load_dashboard(Assets.find(tmp_path))
