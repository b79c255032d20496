"""Personal columns are followed into gold, and masked there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.ddl import GoldColumn
from medallion_cli.errors import UsageError
from medallion_cli.privacy import masked_view, personal_columns, personal_views
from medallion_cli.spec import Input, Model, Pipeline, load_pipeline
from medallion_cli.warehouse import bootstrap_statements


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(Assets.find(Path(__file__).resolve().parents[2]))


def model(select: str, *columns: str, personal: tuple[str, ...] = (), **more: object) -> Model:
    held = tuple(GoldColumn(name, "VARCHAR(100)") for name in columns)
    return Model("m", "upsert", ("k",), select, (Input("customers", None),), held, personal=personal, **more)  # type: ignore[arg-type]


def found(pipeline: Pipeline, *models: Model) -> set[str]:
    return set(personal_columns(replace(pipeline, models=models))[models[-1].name])


def test_renamed_combined_and_nested_columns_stay_personal(pipeline: Pipeline) -> None:
    select = """
    WITH named AS (SELECT customer_id AS k, concat(first_name, ' ', last_name) AS full_name, country FROM customers)
    SELECT n.k, n.full_name, upper(n.country) AS land, c.email AS contact,
      CASE WHEN c.phone IS NULL THEN 'no' ELSE 'yes' END AS reachable
    FROM named n JOIN customers c ON c.customer_id = n.k"""
    names = ("k", "full_name", "land", "contact", "reachable")
    assert found(pipeline, model(select, *names)) == {"full_name", "contact", "reachable"}


def test_an_aggregate_of_a_personal_column_is_personal_through_its_fact(pipeline: Pipeline) -> None:
    fact = model("SELECT customer_id AS k, email, country FROM customers", "k", "email", "country")
    refreshed = Model(
        "a", "refresh", ("country",), "SELECT country, MAX(email) AS any_mail FROM gold.m GROUP BY country", (),
        (GoldColumn("country", "VARCHAR(8)"), GoldColumn("any_mail", "VARCHAR(100)")), source="m",
    )  # fmt: skip
    assert found(pipeline, fact, refreshed) == {"any_mail"}


def test_a_model_may_name_more(pipeline: Pipeline) -> None:
    plain = model("SELECT customer_id AS k, country FROM customers", "k", "country", personal=("country",))
    assert found(pipeline, plain) == {"country"}


def test_a_select_that_cannot_be_followed_is_refused_by_name(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match=r"models\.m: .*personal"):
        found(pipeline, model("SELECT nowhere.x AS k FROM customers", "k"))


def test_texts_become_stars_and_everything_else_null(pipeline: Pipeline) -> None:
    columns = (GoldColumn("k", "BIGINT"), GoldColumn("email", "VARCHAR(9)"), GoldColumn("born", "DATE"))
    shown = Model("m", "upsert", ("k",), "", (), (*columns, GoldColumn("c", "VARCHAR(2)")))
    sql = masked_view(shown, "gold.m", frozenset({"email", "born", "c"}))
    assert sql.startswith("SELECT k, CAST(CASE WHEN email IS NOT NULL THEN '***' END AS VARCHAR(9)) AS email")
    assert "CAST(NULL AS DATE) AS born" in sql
    assert "THEN '**' END" in sql


@pytest.mark.parametrize(
    ("sql", "personal"),
    [
        ("CREATE VIEW v AS SELECT email FROM gold.d", True),
        ("CREATE VIEW v AS SELECT * FROM gold.d", True),
        ("CREATE VIEW v AS SELECT 1 AS n; CREATE VIEW v2 AS SELECT email FROM gold.d", True),
        ("CREATE VIEW v AS SELECT COUNT(*) AS n, country FROM gold.d GROUP BY country", False),
        ("CREATE VIEW v AS SELECT * FROM gold.other", False),
        ("CREATE VIEW v AS not sql at all (", True),
    ],
)
def test_a_view_over_personal_columns_is_not_for_analysts(sql: str, personal: bool) -> None:
    views = {"gold.v": sql, "gold.w": "CREATE VIEW gold.w AS SELECT n FROM gold.v"}
    closed = personal_views(views, {"d": frozenset({"email"}), "other": frozenset()})
    assert closed == (["gold.v", "gold.w"] if personal else [])


def test_every_model_has_its_masked_view_and_analysts_read_no_table_of_gold(pipeline: Pipeline) -> None:
    statements = {
        s.name: s.sql
        for s in bootstrap_statements(pipeline, Assets.find(Path(__file__).resolve().parents[2]))
    }
    for each in pipeline.models:
        assert f"procedure etl.make_masked_{each.name}" in statements
    grants = statements["procedure etl.grant_roles"]
    to_analysts = [
        line for line in grants.splitlines() if "medallion_analyst" in line and "GRANT SELECT" in line
    ]
    assert not [
        line for line in to_analysts if "ALL TABLES IN SCHEMA gold" in line or "gold.dim_customer" in line
    ]
    assert "GRANT SELECT ON gold.v_total_sales TO ROLE medallion_analyst;" in grants
