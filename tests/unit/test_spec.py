"""The specification joins the YAML with the DDL, and everything derives from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.ddl import Column, parse_tables, redshift_to_spark
from medallion_cli.errors import UsageError
from medallion_cli.spec import Lookup, Model, Pipeline, load_pipeline, sql_list

SAKILA = Path(__file__).parents[1] / "projects" / "sakila"


@pytest.fixture(scope="module")
def sakila() -> Pipeline:
    return load_pipeline(Assets.find(SAKILA))


def test_columns_types_and_keys_come_from_the_ddl(sakila: Pipeline) -> None:
    film = sakila.table("film")
    assert film.key == ("film_id",)
    assert {c.name: c.spark for c in film.columns}["rental_rate"] == "decimal(4,2)"
    assert sakila.table("film_actor").key == ("actor_id", "film_id")
    assert [c.nullable for c in film.columns][:3] == [False, False, True]


@pytest.mark.parametrize(
    ("mysql", "spark", "redshift"),
    [
        ("tinyint(1)", "int", "INTEGER"),
        ("mediumint unsigned", "int", "INTEGER"),
        ("int unsigned", "bigint", "BIGINT"),
        ("bigint unsigned", "decimal(20,0)", "DECIMAL(20,0)"),
        ("decimal(10,2)", "decimal(10,2)", "DECIMAL(10,2)"),
        ("datetime(6)", "timestamp", "TIMESTAMP"),
        ("varchar(45)", "string", "VARCHAR(180)"),
        ("blob", "binary", "VARBYTE(65535)"),
        ("year", "int", "INTEGER"),
        ("json", "string", "VARCHAR(65535)"),
    ],
)
def test_types_that_every_engine_can_hold(mysql: str, spark: str, redshift: str) -> None:
    column = Column("c", mysql, True)
    assert (column.spark, column.redshift) == (spark, redshift)
    assert redshift_to_spark(redshift) == spark


def test_a_type_without_a_mapping_is_named() -> None:
    with pytest.raises(UsageError, match="geometry"):
        _ = Column("c", "geometry", True).spark


def test_models_are_in_merge_order_and_hash_their_select(sakila: Pipeline) -> None:
    names = [model.name for model in sakila.models]
    assert names.index("fact_payment") < names.index("agg_film_revenue")
    assert len(sakila.model("fact_payment").select_hash) == 16
    assert sakila.model("fact_payment").select_hash != sakila.model("payment").select_hash


def test_a_table_that_no_model_reads_gets_a_copy_model() -> None:
    pipeline = load_pipeline(Assets.find(None))
    assert [m.kind for m in pipeline.models if m.name == "addresses"] == ["copy"]
    assert not [m for m in pipeline.models if m.name == "customers"]


def test_unknown_names_list_those_there_are(sakila: Pipeline) -> None:
    with pytest.raises(UsageError, match="no model 'fact'") as refused:
        sakila.model("fact")
    assert "fact_payment" in str(refused.value.hint)


def test_a_list_becomes_sql_literals() -> None:
    assert sql_list(["a", "o'b"]) == "'a', 'o''b'"


def test_ddl_that_is_not_sql_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"x\.sql"):
        parse_tables("CREATE TABLE (", "mysql", "x.sql")


@pytest.mark.parametrize(
    "changed",
    [
        {"dimension": "dim_other"},
        {"on": {"film_id": "other_id"}},
        {"as_of": "other_date"},
        {"column": "other_sk"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_lookup_has_its_fact_evaluated_in_full(changed: dict[str, object]) -> None:
    lookup = Lookup("film_sk", "dim_film", {"film_id": "film_id"}, "payment_date")
    model = Model("fact", "upsert", ("id",), "SELECT 1", (), (), (lookup,))
    other = replace(model, lookups=(replace(lookup, **changed),))  # type: ignore[arg-type]
    assert other.select_hash != model.select_hash


def _with_key(folder: Path, ddl: str, key: str) -> Pipeline:
    (folder / "configs").mkdir()
    (folder / "sql/mysql").mkdir(parents=True)
    (folder / "sql/mysql/schema.sql").write_text(f"CREATE TABLE t (a INT NOT NULL, b INT NOT NULL{ddl});")
    (folder / "configs/pipeline.yaml").write_text(
        f"name: shop\nsource: {{schema: shop, ddl: sql/mysql/schema.sql}}\ntables: {{t: {{key: {key}}}}}\n"
    )
    return load_pipeline(Assets.find(folder))


@pytest.mark.parametrize(
    ("ddl", "key", "place"),
    [
        ("", "[a]", r"tables\.t: no primary key in sql/mysql/schema\.sql"),
        (", UNIQUE (a)", "[a]", r"tables\.t: no primary key in sql/mysql/schema\.sql"),
        (", PRIMARY KEY (a), UNIQUE (b)", "[b]", r"tables\.t\.key: b is not the primary key .* a:"),
        (", PRIMARY KEY (a, b)", "[a]", r"tables\.t\.key: a is not the primary key .* a, b:"),
    ],
)
def test_another_key_than_the_primary_key_is_refused(tmp_path: Path, ddl: str, key: str, place: str) -> None:
    """Before-images, by which a changed key is a delete and an insert, are written of the primary key alone."""
    with pytest.raises(UsageError, match=rf"^configs/pipeline\.yaml: {place}") as refused:
        _with_key(tmp_path, ddl, key)
    assert refused.value.hint


def test_a_key_may_repeat_the_primary_key(tmp_path: Path) -> None:
    assert _with_key(tmp_path, ", PRIMARY KEY (a, b)", "[b, a]").table("t").key == ("b", "a")
