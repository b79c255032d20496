"""The source's columns beside the project's: what differs, what looks like a rename, how the DDL takes it over."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from medallion_cli.assets import Assets
from medallion_cli.ddl import Column
from medallion_cli.errors import UsageError
from medallion_cli.operations.schema_drift import differences, is_same, statement_of, updated
from medallion_cli.spec import Pipeline, load_pipeline

ROOT = Path(__file__).parents[3]
CREATED = """CREATE TABLE `brands` (
  `brand_id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `label` varchar(80) COLLATE utf8mb4_uca1400_ai_ci NOT NULL,
  `country` char(2) DEFAULT 'x;y',
  `updated_at` datetime(6) NOT NULL,
  PRIMARY KEY (`brand_id`)
) ENGINE=InnoDB AUTO_INCREMENT=41 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci"""


def columns(pipeline: Pipeline, table: str) -> list[list[str]]:
    return [[column.name, column.mysql] for column in pipeline.table(table).columns]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("int unsigned", "int(10) unsigned zerofill", True),
        ("json", "longtext", True),
        ("bool", "tinyint(1)", False),
        ("enum('a','b')", "enum('a','b','c')", True),
        ("int", "bigint(20)", False),
        ("varchar(80)", "varchar(200)", False),
        ("decimal(10,2)", "decimal(12,4)", False),
        ("point", "geometry", False),
    ],
)
def test_types_are_told_apart_where_silver_or_gold_would(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is same


def test_what_differs_is_told_by_name_wherever_a_column_stands(pipeline: Pipeline) -> None:
    found = columns(pipeline, "orders")
    assert differences(pipeline.table("orders"), found[::-1]) == []
    found[5][1] = "varchar(900)"
    found.insert(0, ["coupon", "int(11)"])
    told = [str(one) for one in differences(pipeline.table("orders"), found)]
    assert told == ["note retyped (varchar(500) → varchar(900))", "coupon added (int)"]
    number = Column("n", "int(11)", False)
    table = replace(pipeline.table("orders"), columns=(number,))
    assert str(differences(table, [("n", "bigint(20)")])[0]) == "n retyped (int → bigint)"


def test_a_column_of_the_same_type_at_the_same_place_looks_renamed(pipeline: Pipeline) -> None:
    found = columns(pipeline, "orders")
    found[4][0] = "placed_at"
    told = [str(one) for one in differences(pipeline.table("orders"), found)]
    assert told == [
        "ordered_at dropped (datetime(6))",
        "placed_at added (datetime(6), looks like a rename of ordered_at)",
    ]


def _project(tmp_path: Path) -> tuple[Assets, Pipeline]:
    for folder in ("configs", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assets = Assets.find(tmp_path)
    return assets, load_pipeline(assets)


def test_the_ddl_takes_a_table_over_and_leaves_the_others(tmp_path: Path) -> None:
    assets, pipeline = _project(tmp_path)
    created = CREATED.replace("`label`", "`name`")
    addition = updated(assets, pipeline, "brands", created)
    text = addition.files["sql/mysql/schema.sql"]
    assert "uca1400" not in text
    assert "AUTO_INCREMENT=" not in text
    (tmp_path / "sql/mysql/schema.sql").write_text(text)
    again = load_pipeline(assets)
    assert [column.name for column in again.table("brands").columns][-2:] == ["country", "updated_at"]
    assert [t for t in again.tables if t.name != "brands"] == [
        t for t in pipeline.tables if t.name != "brands"
    ]
    assert differences(again.table("brands"), columns(again, "brands")) == []
    assert updated(assets, again, "brands", created).files["sql/mysql/schema.sql"] == text


def test_a_column_that_a_model_reads_is_not_taken_away_under_it(tmp_path: Path) -> None:
    assets, pipeline = _project(tmp_path)
    with pytest.raises(UsageError, match=r"brands\.name is gone at the source, and dim_product reads it"):
        updated(assets, pipeline, "brands", CREATED)


def test_a_statement_is_found_past_semicolons_in_texts_and_comments() -> None:
    script = "-- a; b\nCREATE TABLE a (x INT COMMENT 'u;v');\nCREATE TABLE IF NOT EXISTS `s`.`b` (y INT);\n"
    start, end = statement_of(script, "b")
    assert script[start:end] == "CREATE TABLE IF NOT EXISTS `s`.`b` (y INT);"
    with pytest.raises(UsageError, match="no CREATE TABLE c"):
        statement_of(script, "c")
