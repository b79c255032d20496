"""Checksums on real Spark: the text that all engines share, positions in the past, and the lookup rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import floating_numbers
import pytest
from warehouse_case import EPOCH, Case, seq

from medallion_cli.canonical import canonical_model, checksum_select

pytestmark = pytest.mark.engine


def loaded(case: Case) -> Case:
    case.load("brands", [{"brand_id": 1, "name": "Ünï|côde:~"}, {"brand_id": 2, "name": None}])
    rows = [{"product_id": n, "brand_id": n, "name": f"p{n}", "price": "2.50"} for n in (1, 2)]
    case.load("products", rows)
    sold = [EPOCH + timedelta(seconds=s, microseconds=7) for s in (-50, 5, 25)]
    one = {"line": 1, "product_id": 1, "quantity": 1}
    sales = [{**one, "sale_id": n, "sold_at": moment} for n, moment in enumerate(sold)]
    case.load("sales", [*sales, {**one, "sale_id": 9, "product_id": 77, "sold_at": sold[0]}])
    case.changes("products", [("U", 10, {**rows[0], "name": "renamed"}), ("D", 20, rows[1])])
    case.to_silver()
    return case


def result(case: Case, **more: Any) -> dict[str, dict[str, Any]]:
    from checksum import checksums

    tables = [{"table": table, **more} for table in ("brands", "products", "sales")]
    request = {"tables": tables, "models": ["dim_product", "fact_sales", "brands"]}
    found = checksums(case.house, case.pipeline, request)
    models = {f"gold {entry['model']}": entry for entry in found["models"]}
    return {entry["table"]: entry for entry in found["tables"]} | models


def test_silver_sums_are_those_of_the_shared_canonical_select(case: Case) -> None:
    found = result(loaded(case))
    for table in case.pipeline.tables:
        expressions = [column.canonical for column in table.columns]
        sql = checksum_select("spark", case.house.name(table.name), expressions, "NOT _is_deleted")
        row = case.spark.sql(sql).first()
        expected = {"table": table.name, "rows": row["row_count"], "checksum": row["checksum"]}
        assert found[table.name] == expected
    assert found["brands"]["checksum"].startswith("2:")


def test_a_position_in_the_past_is_checked_as_it_was(case: Case) -> None:
    now = result(loaded(case))["products"]
    assert result(case, upto_generation="g0001", upto_seq=seq(20))["products"] == now
    before = result(case, upto_generation="g0001", upto_seq="")["products"]
    assert (before["rows"], now["rows"]) == (2, 1)


def test_facts_find_the_version_of_their_moment_the_first_for_earlier_ones_and_none(case: Case) -> None:
    from medallion_glue.models import GoldModel, looked_up, pin_tables

    pipeline = loaded(case).pipeline
    pins = pin_tables(case.house, pipeline)
    evaluated = {
        name: GoldModel(case.house.apart(name), pipeline, pins, pipeline.model(name)).rows()
        for name in ("dim_product", "fact_sales")
    }
    history = evaluated["dim_product"].where("product_id = 1").collect()
    versions = {row["version"]: row["product_sk"] for row in history}
    dimension = {"dim_product": (pipeline.model("dim_product"), evaluated["dim_product"])}
    rows = looked_up(pipeline.model("fact_sales"), evaluated["fact_sales"], dimension).collect()
    found = {row["sale_id"]: row["product_sk"] for row in rows}
    assert found == {0: versions[1], 1: versions[1], 2: versions[2], 9: -1}
    assert result(case)["gold fact_sales"]["rows"] == 4


def test_binary_numbers_have_one_text_on_spark_too(case: Case) -> None:
    text = canonical_model("double", "x")["spark"]
    found = case.spark.sql(
        f"SELECT {text} FROM ({floating_numbers.rows_sql('spark')}) q ORDER BY n"
    ).collect()
    assert [row[0] for row in found] == list(floating_numbers.TEXTS.values())
