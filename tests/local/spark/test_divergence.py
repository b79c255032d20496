"""Rows that differ from the source, on real Spark: which, in which columns, since which layer and why; and one row's life."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from medallion_glue import objects as s3
from warehouse_case import Case, FolderClient, seq

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


@pytest.fixture(scope="module")
def shop(spark: Any, objects: Path) -> Iterator[Case]:
    """Products of which each has met another fate, around a heartbeat at position 30."""
    with pytest.MonkeyPatch.context() as patch:
        client = FolderClient(objects)
        patch.setattr(s3, "client", lambda: client)
        case = Case(spark, objects, f"shop_{uuid.uuid4().hex[:8]}", RULES)
        for table in ("brands", "sales"):
            case.load(table, [{"brand_id": 1, "name": "b"}] if table == "brands" else [])
        case.load("products", [product(n) for n in range(1, 10)])
        case.to_silver()
        new = [product(10, price="-1.00"), product(11, name="nobody"), product(12)]
        changed = [("U", 10, product(1, "then")), *[("I", 11 + n, row) for n, row in enumerate(new)]]
        case.changes("products", changed)
        case.changes("products", [("U", 40, product(1, "later")), ("D", 41, product(2))])
        case.to_silver("products")
        case.changes("products", [("U", 25, product(4, "waits")), ("U", 50, product(3, "not read"))])
        products = case.house.name("products")
        spark.sql(f"UPDATE {products} SET name = 'wrong' WHERE product_id = 5")
        spark.sql(f"DELETE FROM {products} WHERE product_id = 6")
        spark.sql(f"INSERT INTO {products} SELECT * FROM {products} WHERE product_id = 9")
        yield case


SOURCE = [
    product(1, "then"),
    *[product(n) for n in (2, 3, 5, 6, 9, 12)],
    product(4, "waits"),
    product(7, price="3.00"),  # an update that never came; 8 was deleted, which never came either
    product(10, price="-1.00"),
    product(11, name="nobody"),
]


def asked(case: Case, **request: Any) -> dict[str, Any]:
    """The job's answer."""
    from checksum import answered
    from medallion_glue.positions import Bronze

    wanted = {"generation": case.generation, **request}
    return answered(case.house, case.pipeline, wanted, Bronze("bronze", "artifacts"))


def given(case: Case, name: str, rows: list[Row], columns: Sequence[Any], key: str) -> str:
    """Rows of another engine as a file beside a request; its URI."""
    from medallion_glue.checksums import cells

    texts = case.spark.createDataFrame([tuple(map(str, row.values())) for row in rows], [*rows[0]])
    typed = texts.selectExpr(*[f"CAST({c.name} AS {c.spark}) AS {c.name}" for c in columns])
    found = cells(typed, [c for c in columns if c.name == key], columns, []).collect()
    document = {"rows": [[list(row["k"]), row["cells"]] for row in found]}
    (case.objects / "artifacts" / f"{name}.json").write_text(json.dumps(document))
    return f"s3://artifacts/{name}.json"


def heartbeat(case: Case, number: int) -> str:
    """A heartbeat in bronze, at the position of a change; its token."""
    token = uuid.uuid4().hex
    path = case.objects / "bronze" / case.generation / "medallion/heartbeat" / f"{token}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"token": [token], "dms_change_seq": [seq(number)]}), path)
    return token


@pytest.fixture(scope="module")
def answer(shop: Case) -> dict[str, Any]:
    """One request about everything."""
    token, table = heartbeat(shop, 30), shop.pipeline.table("products")
    uri = given(shop, "source", SOURCE, table.columns, "product_id")
    brands = given(
        shop, "gold", [{"brand_id": 1, "name": "other"}], shop.pipeline.table("brands").columns, "brand_id"
    )
    rows = {"table": "products", "prefixes": [], "uri": uri}
    return asked(
        shop,
        tables=[{"table": "products", "token": token}],
        rows=[{**rows, "token": token}, rows, {"model": "brands", "prefixes": [], "uri": brands}],
        digests=[{"table": "products", "digits": 2, "prefixes": [], "token": token}],
    )


def test_each_row_that_differs_is_named_with_its_layer_its_columns_and_why(answer: dict[str, Any]) -> None:
    found = {each["key"][0]: each for each in answer["rows"][0]["keys"]}
    assert answer["rows"][0]["total"] == 7
    told = {key: (each["layer"], each["reason"], each["columns"]) for key, each in found.items()}
    assert told == {
        "5": ("silver", "different", ["name"]),
        "6": ("silver", "different", []),
        "7": ("bronze", "missing_in_bronze", ["price"]),
        "8": ("bronze", "missing_in_bronze", []),
        "9": ("silver", "different", []),  # it is there twice
        "10": ("silver", "quarantined", []),
        "11": ("silver", "dropped", []),
    }
    assert (found["10"]["rules"], found["11"]["rules"]) == (["priced"], ["named"])
    assert found["10"]["file"].startswith("g0001/")


def test_without_a_heartbeat_what_no_file_holds_is_not_replicated_yet(answer: dict[str, Any]) -> None:
    now = {each["key"][0]: each["reason"] for each in answer["rows"][1]["keys"]}
    assert (now["7"], now["1"], now["5"]) == ("not_replicated", "not_replicated", "different")


def test_what_comes_after_the_heartbeat_is_left_out_and_what_waits_is_told(answer: dict[str, Any]) -> None:
    (table,) = answer["tables"]
    assert (table["rows"], table["whole"]["rows"]) == (10, 10)
    assert table["checksum"] != table["whole"]["checksum"]
    assert table["waiting"] == {"changes": 1, "total": 1, "keys": [{"key": ["4"], "columns": ["name"]}]}


def test_one_changed_row_of_gold_is_found_among_the_evaluated(answer: dict[str, Any]) -> None:
    assert [(each["key"], each["columns"]) for each in answer["rows"][2]["keys"]] == [(["1"], ["name"])]


def test_buckets_are_those_of_the_shared_canonical_select(shop: Case, answer: dict[str, Any]) -> None:
    columns = shop.pipeline.table("brands").columns
    texts = {column.name: column.canonical for column in columns}
    sql = digests_select("spark", shop.house.name("brands"), [texts["brand_id"]], [*texts.values()], 3)
    (expected,) = shop.spark.sql(sql).collect()
    (found,) = asked(shop, digests=[{"table": "brands", "digits": 3, "prefixes": [expected["bucket"][0]]}])[
        "digests"
    ]
    assert found["digests"] == {expected["bucket"]: expected["checksum"]}
    held = answer["digests"][0]["digests"]
    assert sum(int(checksum.split(":")[0]) for checksum in held.values()) == 10


def test_the_life_of_a_row_is_told_from_its_load_to_what_waits(shop: Case) -> None:
    found = asked(shop, trace={"table": "products", "key": {"product_id": "1"}, "generation": "g0001"})
    changes = found["changes"]
    assert [(row["_op"], row["_seq"]) for row in changes] == [("I", ""), ("U", seq(10)), ("U", seq(40))]
    assert all(row["snapshot"] and row["committed_at"] and row["in_bronze"] for row in changes)
    assert (found["row"]["values"]["name"], found["row"]["_seq"]) == ("later", seq(40))
    keys = {entry["model"]: entry["keys"] for entry in found["models"]}
    assert keys["dim_product"] == [["1"]]
    other = asked(shop, trace={"table": "products", "key": {"product_id": "4"}, "generation": "g0001"})
    (waits,) = other["waiting"]
    assert (waits["_seq"], waits["values"]["name"]) == (seq(25), "waits")


def test_rows_of_silver_are_shown(shop: Case) -> None:
    found = asked(shop, peek={"table": "products", "key": {"product_id": "2"}, "limit": 5})
    assert [dict(zip(found["columns"], row, strict=True))["price"] for row in found["rows"]] == ["2.50"]


def test_after_a_reload_of_another_table_what_waits_joins_what_is_there(shop: Case) -> None:
    shop.reload_alone("brands", "g0002")
    shop.changes("products", [("U", 60, product(9, "new"))])
    (table,) = asked(shop, tables=[{"table": "products"}])["tables"]
    assert table["waiting"]["total"] == 3
    assert (table["rows"], table["whole"]["rows"]) == (9, 8)  # of the two of one key its newest is left
