"""Rows that differ from the source, on real Spark: which, in which columns, since which layer and why; and one row's life."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_case import Case, seq

from medallion_cli.canonical import digests_select

pytestmark = pytest.mark.engine
RULES = {
    "products": [
        {"name": "priced", "expression": "price >= 0", "on_fail": "quarantine"},
        {"name": "named", "expression": "name <> 'nobody'", "on_fail": "drop"},
    ]
}
Row = dict[str, Any]


def product(number: int, name: str = "p", price: str = "2.50") -> Row:
    return {"product_id": number, "brand_id": 1, "name": name, "price": price}


@pytest.fixture
def shop(case: Case) -> Case:
    """Three products in silver."""
    case.expectations.update(RULES)
    for table in ("brands", "sales"):
        case.load(table, [])
    case.load("products", [product(n) for n in (1, 2, 3)])
    case.to_silver()
    return case


def asked(case: Case, **request: Any) -> dict[str, Any]:
    """The job's answer."""
    from checksum import answered
    from medallion_glue.positions import Bronze

    wanted = {"generation": case.generation, **request}
    return answered(case.house, case.pipeline, wanted, Bronze("bronze", "artifacts"))


def differing(case: Case, source: list[Row], token: str | None = None) -> list[dict[str, Any]]:
    """Products that differ from what the source holds."""
    from medallion_glue.checksums import cells

    table = case.pipeline.table("products")
    rows = case.spark.createDataFrame([tuple(map(str, row.values())) for row in source], [*product(0)])
    typed = rows.selectExpr(*[f"CAST({c.name} AS {c.spark}) AS {c.name}" for c in table.columns])
    key = [column for column in table.columns if column.name in table.key]
    given = [[list(row["k"]), row["cells"]] for row in cells(typed, key, table.columns, []).collect()]
    name = uuid.uuid4().hex
    (case.objects / "artifacts" / f"{name}.json").write_text(json.dumps({"rows": given}))
    entry = {"table": "products", "prefixes": [], "token": token, "uri": f"s3://artifacts/{name}.json"}
    (found,) = asked(case, rows=[entry])["rows"]
    assert found["total"] == len(found["keys"])
    keys: list[dict[str, Any]] = found["keys"]
    return keys


def heartbeat(case: Case, number: int) -> str:
    """A heartbeat in bronze, at the position of a change; its token."""
    token = uuid.uuid4().hex
    path = case.objects / "bronze" / case.generation / "medallion/heartbeat" / f"{token}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"token": [token], "dms_change_seq": [seq(number)]}), path)
    return token


def test_a_changed_cell_in_silver_is_named_by_key_and_column(shop: Case) -> None:
    products = shop.house.name("products")
    shop.spark.sql(f"UPDATE {products} SET name = 'wrong' WHERE product_id = 2")
    shop.spark.sql(f"DELETE FROM {products} WHERE product_id = 3")
    changed, missing = differing(shop, [product(n) for n in (1, 2, 3)])
    assert (changed["key"], changed["columns"]) == (["2"], ["name"])
    assert (changed["layer"], changed["reason"]) == ("silver", "different")
    assert (missing["key"], missing["columns"], missing["layer"]) == (["3"], [], "silver")


def test_what_rules_keep_out_is_told_with_the_rule_and_the_file(shop: Case) -> None:
    new = [product(4, price="-1.00"), product(5, name="nobody")]
    file = shop.changes("products", [("I", 10 + n, row) for n, row in enumerate(new)])
    shop.to_silver()
    quarantined, dropped = differing(shop, [*[product(n) for n in (1, 2, 3)], *new])
    assert (quarantined["reason"], quarantined["rules"], quarantined["file"]) == (
        "quarantined",
        ["priced"],
        file,
    )
    assert (dropped["reason"], dropped["rules"], dropped["layer"]) == ("dropped", ["named"], "silver")


def test_a_row_that_no_file_holds_is_missing_in_bronze_or_not_replicated_yet(shop: Case) -> None:
    source = [product(1, price="3.00"), product(3)]  # an update and a delete that never came
    here = heartbeat(shop, 50)
    found = differing(shop, source, here)
    assert [(each["key"], each["layer"], each["reason"]) for each in found] == [
        (["1"], "bronze", "missing_in_bronze"),
        (["2"], "bronze", "missing_in_bronze"),
    ]
    assert found[0]["columns"] == ["price"]
    assert {each["reason"] for each in differing(shop, source)} == {"not_replicated"}


def test_what_comes_after_the_heartbeat_is_left_out(shop: Case) -> None:
    shop.changes("products", [("U", 10, product(1, "then")), ("I", 20, product(9))])
    shop.to_silver()
    here = heartbeat(shop, 30)
    shop.changes("products", [("U", 40, product(1, "later")), ("D", 41, product(2))])
    shop.to_silver()
    shop.changes("products", [("U", 50, product(3, "not read yet"))])
    assert differing(shop, [product(1, "then"), product(2), product(3), product(9)], here) == []
    (table,) = asked(shop, tables=[{"table": "products", "token": here}])["tables"]
    assert table["rows"] == 4
    assert "waiting" not in table


def test_what_waits_is_told_by_key_and_is_no_other_difference(shop: Case) -> None:
    shop.changes("products", [("U", 10, product(1, "new")), ("D", 11, product(2))])
    (table,) = asked(shop, tables=[{"table": "products", "token": heartbeat(shop, 20)}])["tables"]
    assert (table["rows"], table["whole"]["rows"]) == (3, 2)
    waits = table["waiting"]
    assert (waits["total"], waits["changes"]) == (2, 2)
    assert waits["keys"] == [{"key": ["1"], "columns": ["name"]}, {"key": ["2"], "columns": []}]
    assert differing(shop, [product(1, "new"), product(3)]) == []


def test_after_a_reload_of_another_table_what_waits_still_joins_what_is_there(shop: Case) -> None:
    shop.reload_alone("brands", "g0002")
    shop.load("brands", [])
    shop.changes("products", [("U", 10, product(1, "new"))])
    assert differing(shop, [product(1, "new"), product(2), product(3)]) == []


def test_buckets_are_those_of_the_shared_canonical_select(shop: Case) -> None:
    entry = {"table": "products", "digits": 2, "prefixes": []}
    (found,) = asked(shop, digests=[entry])["digests"]
    texts = {column.name: column.canonical for column in shop.pipeline.table("products").columns}
    sql = digests_select("spark", shop.house.name("products"), [texts["product_id"]], [*texts.values()], 2)
    expected = {row["bucket"]: row["checksum"] for row in shop.spark.sql(sql).collect()}
    assert found["digests"] == expected
    some = sorted(expected)[0]
    (within,) = asked(shop, digests=[entry | {"digits": 4, "prefixes": [some]}])["digests"]
    assert {bucket[:2] for bucket in within["digests"]} == {some}


def test_one_changed_row_of_gold_is_found_among_the_evaluated(shop: Case) -> None:
    from medallion_glue.checksums import cells

    shop.changes("brands", [("I", 5, {"brand_id": 1, "name": "b"})])
    shop.to_silver()
    model = shop.pipeline.model("brands")
    key = [column for column in model.checked if column.name == "brand_id"]
    held = shop.spark.sql("SELECT 1 AS brand_id, 'other' AS name")
    rows = [[list(r["k"]), r["cells"]] for r in cells(held, key, model.checked, []).collect()]
    (shop.objects / "artifacts" / "gold.json").write_text(json.dumps({"rows": rows}))
    entry = {"model": "brands", "prefixes": [], "uri": "s3://artifacts/gold.json"}
    (found,) = asked(shop, rows=[entry])["rows"]
    assert [(each["key"], each["columns"]) for each in found["keys"]] == [(["1"], ["name"])]


def test_the_life_of_a_row_is_told_from_its_load_to_what_waits(shop: Case) -> None:
    moved = {**product(4), "BI_product_id": 1}
    file = shop.changes("products", [("U", 10, product(1, price="-1.00")), ("U", 11, moved)])
    shop.to_silver()
    last = shop.changes("products", [("I", 30, product(1, "again"))])
    found = asked(shop, trace={"table": "products", "key": {"product_id": "1"}, "generation": "g0001"})
    changes = found["changes"]
    assert [(row["_op"], row["_seq"]) for row in changes] == [("I", ""), ("U", seq(10)), ("D", seq(11))]
    assert [row["_failed"] for row in changes] == [[], ["priced"], []]
    assert {row["_bronze_file"] for row in changes[1:]} == {file}
    assert all(row["snapshot"] and row["committed_at"] and row["in_bronze"] for row in changes)
    assert (found["row"]["_is_deleted"], found["row"]["_seq"]) == (True, seq(11))
    (waits,) = found["waiting"]
    assert (waits["_bronze_file"], waits["values"]["name"]) == (last, "again")
    keys = {entry["model"]: entry["keys"] for entry in found["models"]}
    assert keys["dim_product"] == [["1"]]
    other = asked(shop, trace={"table": "products", "key": {"product_id": "4"}, "generation": "g0001"})
    assert [row["_op"] for row in other["changes"]] == ["U"]


def test_rows_of_silver_are_shown(shop: Case) -> None:
    found = asked(shop, peek={"table": "products", "key": {"product_id": "2"}, "limit": 5})
    assert [dict(zip(found["columns"], row, strict=True))["price"] for row in found["rows"]] == ["2.50"]
