"""Data quality on real Spark: rules over one row and over many, what is kept out, how it comes back, unreadable files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_case import Case, comparable, seq

from medallion_cli.expectations import expectation
from medallion_cli.spec_file import ExpectationEntry

pytestmark = pytest.mark.engine


def brand(number: int, name: str | None = None, **more: object) -> dict[str, object]:
    return {"brand_id": number, "name": name, **more}


def product(
    number: int, brand_id: int | None, name: str = "p", price: str | None = "1.00"
) -> dict[str, object]:
    return {"product_id": number, "brand_id": brand_id, "name": name, "price": price}


def rules(**entries: dict[str, Any]) -> list[Any]:
    """Rules as the specification resolves them."""
    return [vars(expectation(n, ExpectationEntry.model_validate(e))) for n, e in entries.items()]


def told(report: Any) -> dict[str, tuple[int, int]]:
    """By rule: rows that broke it in this run, and that do now."""
    return {rule["rule"]: (rule["new"], rule["rows"]) for rule in report.expectations}


def write(case: Case, table: str, name: str, content: bytes | pa.Table) -> Path:
    path = case.objects / "bronze" / case.generation / case.schema / table / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        pq.write_table(content, path)
    return path


def test_rules_over_one_row_keep_out_what_breaks_them_and_count_every_row(case: Case) -> None:
    case.expectations = {
        "products": rules(
            named={"not_null": "name", "on_fail": "quarantine"},
            like_p={"matches": {"name": "^[px]\\d*'?$"}, "on_fail": "drop"},
            sane={"between": {"price": [0, 100]}, "on_fail": "quarantine"},
            known={"in": {"brand_id": [1, 2]}, "on_fail": "warn"},
        )
    }
    rows = [product(1, 1, "p1"), product(2, 9, "x'"), product(3, 1, "", "5.00"), product(4, 1, "zz")]
    case.load("products", [*rows, product(5, 1, "p5", "100.01"), product(6, None, "p", None)])
    report = case.to_silver("products")["products"]
    assert set(case.live("products")) == {(1,), (2,), (6,)}
    assert told(report) == {"named": (1, 1), "like_p": (1, 1), "sane": (1, 1), "known": (1, 1)}
    assert (report.in_quarantine, report.dropped) == (2, 1)
    assert report.rows + report.in_quarantine + report.dropped == 6
    sane = next(rule for rule in report.expectations if rule["rule"] == "sane")
    assert [one["key"] for one in sane["sample"]] == [{"product_id": "5"}]
    assert sane["sample"][0]["file"].startswith(case.generation)
    case.changes("products", [("U", 5, product(5, 1, "p5", "99.00"))])  # mended at the source
    report = case.to_silver("products")["products"]
    assert (report.in_quarantine, report.dropped, report.rows) == (1, 1, 4)
    assert told(report)["sane"] == (0, 0)


HAS_BRAND = {"references": {"brand_id": "brands.brand_id"}, "on_fail": "quarantine"}


def test_a_child_waits_in_quarantine_until_its_parent_is_there(case: Case) -> None:
    case.expectations = {"products": rules(has_brand=HAS_BRAND)}
    case.load("brands", [brand(1, "one")])
    case.load("products", [product(1, 1), product(2, 2), product(3, None)])
    assert case.to_silver("products,brands")["products"].in_quarantine == 1
    assert set(case.live("products")) == {(1,), (3,)}
    case.changes("brands", [("I", 5, brand(2, "two"))])
    report = case.to_silver("products,brands")["products"]
    assert (set(case.live("products")), report.in_quarantine, report.rows) == ({(1,), (2,), (3,)}, 0, 3)


@pytest.mark.parametrize(
    "parent", ["nothing", pytest.param("a file without rows", marks=pytest.mark.recovery)]
)
def test_a_parent_that_is_loaded_and_empty_has_no_rows_to_refer_to(case: Case, parent: str) -> None:
    case.expectations = {"products": rules(has_brand=HAS_BRAND)}
    case.loaded = ("products",)
    case.load("products", [product(1, 1), product(2, None)])
    reports = case.to_silver("products,brands")
    assert (reports["brands"].state, reports["products"].rows) == ("waiting_for_full_load", 2)
    case.loaded = ("products", "brands")
    if parent != "nothing":
        case.load("brands", [])
    report = case.to_silver("products,brands")["products"]
    assert (set(case.live("products")), told(report)) == ({(2,)}, {"has_brand": (1, 1)})
    before = case.snapshots()
    assert case.to_silver("products,brands")["products"].in_quarantine == 1
    assert case.snapshots() == before
    case.changes("brands", [("I", 5, brand(1, "one"))])
    assert case.to_silver("products,brands")["products"].rows == 2


@pytest.mark.recovery
def test_a_parent_whose_load_cannot_be_read_keeps_no_child_out(case: Case) -> None:
    case.expectations = {"products": rules(has_brand=HAS_BRAND)}
    case.load("products", [product(1, 1)])
    torn = write(case, "brands", "LOAD00000001.parquet", GOOD[:70])
    assert case.to_silver("products,brands")["products"].rows == 1
    torn.write_bytes(GOOD)
    assert case.to_silver("products,brands")["products"].in_quarantine == 1


@pytest.mark.recovery
def test_gold_follows_a_child_that_its_parent_lets_out_and_keeps_out_again(case: Case) -> None:
    case.expectations = {"products": rules(has_brand=HAS_BRAND)}
    case.load("brands", [brand(1, "one")])
    case.load("products", [product(1, 1), product(2, 2), product(3, None)])
    case.load("sales", [{"sale_id": 1, "line": 1, "product_id": 2, "quantity": 3}])
    report = case.to_silver()["products"]
    case.to_gold()
    assert (set(case.live("products")), report.in_quarantine) == ({(1,), (3,)}, 1)
    case.changes("brands", [("I", 5, brand(2, "two"))])
    report = case.to_silver()["products"]
    case.to_gold()
    assert (set(case.live("products")), report.in_quarantine, report.rows) == ({(1,), (2,), (3,)}, 0, 3)
    for model in ("dim_product", "fact_sales"):
        assert comparable(case.gold[model]) == comparable(case.evaluated(model))
    assert [row["brand"] for row in case.gold["dim_product"][(2,)] if row["is_current"]] == ["two"]
    before = case.snapshots()
    case.to_silver()
    assert case.snapshots() == before
    case.changes("brands", [("D", 7, brand(2))])
    report = case.to_silver()["products"]
    case.to_gold()
    assert (report.in_quarantine, report.deleted) == (1, 1)
    for model in ("dim_product", "fact_sales"):
        assert comparable(case.gold[model]) == comparable(case.evaluated(model))
    live = case.live("products")
    case.to_silver(replay="all")  # a rebuild from bronze judges the same
    assert case.live("products") == live


@pytest.mark.recovery
def test_of_rows_that_share_what_should_be_unique_the_smallest_key_counts(case: Case) -> None:
    case.expectations = {"brands": rules(one_name={"unique": ["name"], "on_fail": "quarantine"})}
    case.load("brands", [brand(1, "a"), brand(2, "a"), brand(3, None), brand(4, None)])
    report = case.to_silver("brands")["brands"]
    assert (set(case.live("brands")), told(report)) == ({(1,), (3,), (4,)}, {"one_name": (1, 1)})
    again = case.changes("brands", [("U", 5, brand(1, "b"))])
    assert case.to_silver("brands")["brands"].in_quarantine == 0
    assert case.live("brands")[(2,)] == (2, "a")
    case.again(again)  # a duplicate brings nothing back
    case.changes("brands", [("I", 6, brand(0, "a"))])
    assert case.to_silver("brands")["brands"].in_quarantine == 1
    assert set(case.live("brands")) == {(0,), (1,), (3,), (4,)}
    case.expectations = {"brands": rules(one_name={"unique": "name", "on_fail": "fail"})}
    report = case.to_silver("brands")["brands"]
    assert report.state == "failed"
    assert "1 row(s) break 'one_name'" in report.error


@pytest.mark.recovery
def test_a_changed_rule_brings_rows_back_and_gold_follows(case: Case) -> None:
    def quantity(low: int) -> None:
        enough = rules(enough={"expression": f"quantity >= {low}", "on_fail": "quarantine"})
        case.expectations = {"sales": enough}

    quantity(3)
    case.load("brands", [])
    case.load("products", [product(1, 1)])
    sales = [{"sale_id": n, "line": 1, "product_id": 1, "quantity": n} for n in range(1, 6)]
    case.load("sales", sales)
    case.to_silver()
    case.to_gold()
    assert {key[0] for key in case.live("sales")} == {3, 4, 5}
    quantity(2)
    assert case.to_silver()["sales"].rows == 3  # not before it is asked for
    report = case.to_silver("sales", replay="quarantine")["sales"]
    case.to_gold()
    assert (report.read, report.rows, report.in_quarantine) == (1, 4, 1)
    assert comparable(case.gold["fact_sales"]) == comparable(case.evaluated("fact_sales"))
    assert {key[0] for key in case.gold["fact_sales"]} == {2, 3, 4, 5}
    before = case.snapshots()
    assert case.to_silver("sales", replay="quarantine")["sales"].read == 0
    assert case.snapshots() == before


def test_a_changed_rule_brings_rows_back_and_takes_others_away(case: Case) -> None:
    def long(most: int) -> None:
        pattern = f"^.{{{most},}}$"
        case.expectations = {"brands": rules(long={"matches": {"name": pattern}, "on_fail": "quarantine"})}

    long(2)
    case.load("brands", [brand(1, "a"), brand(2, "ab"), brand(3, "abc")])
    case.to_silver("brands")
    long(3)
    report = case.to_silver("brands", replay="quarantine")["brands"]
    assert (set(case.live("brands")), report.in_quarantine) == ({(3,)}, 2)
    long(1)
    report = case.to_silver("brands", replay="quarantine")["brands"]
    assert (set(case.live("brands")), report.in_quarantine) == ({(1,), (2,), (3,)}, 0)


@pytest.mark.recovery
def test_what_is_kept_out_can_be_shown(case: Case) -> None:
    from medallion_glue.quarantine import kept_out

    case.expectations = {"brands": rules(short={"matches": {"name": "^.{1,3}$"}, "on_fail": "quarantine"})}
    case.load("brands", [brand(1, "abc"), brand(2, "abcd"), brand(3, "abcde")])
    file = case.changes("brands", [("U", 4, brand(2, "too long"))])
    case.to_silver("brands")
    found = kept_out(case.house, case.pipeline, {"table": "brands", "limit": 10})
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert [(row["brand_id"], row["name"], row["rules"]) for row in rows] == [
        ("2", "too long", "short"),
        ("3", "abcde", "short"),
    ]
    assert (rows[0]["file"], rows[0]["row"]) == (file, 0)
    one = kept_out(case.house, case.pipeline, {"table": "brands", "key": {"brand_id": "3"}})
    assert [row[0] for row in one["rows"]] == ["3"]


def _unsold(case: Case, on_fail: str = "fail") -> None:
    priced = {"expression": "price > 0", "on_fail": on_fail}
    case.expectations = {"products": rules(priced=priced)}


@pytest.mark.parametrize(
    ("replay", "before"),
    [
        ("quarantine", None),
        pytest.param("quarantine", "quarantine", marks=pytest.mark.recovery),
        pytest.param("all", None, marks=pytest.mark.recovery),
    ],
)
def test_a_rule_that_fails_the_run_takes_no_row_away_when_it_is_judged_later(
    case: Case, replay: str, before: str | None
) -> None:
    if before:
        _unsold(case, before)
    case.load("products", [product(1, 1), product(2, 1, price="0.00"), product(3, 1, price="-1.00")])
    case.to_silver("products")
    live, committed = case.live("products"), case.snapshots()
    _unsold(case)
    report = case.to_silver("products", replay=replay)["products"]
    assert (report.state, report.error) == ("failed", "products: 2 row(s) break 'priced'")
    assert (case.live("products"), case.snapshots()) == (live, committed)
    case.changes("products", [("U", 5, product(2, 1)), ("D", 6, product(3, 1))])  # mended at the source
    assert case.to_silver("products")["products"].state == "ok"
    assert case.to_silver("products", replay=replay)["products"].state == "ok"
    assert set(case.live("products")) == {(1,), (2,)}


def test_a_rule_over_many_rows_that_fails_the_run_takes_no_row_away_when_it_is_judged_later(
    case: Case,
) -> None:
    long = {"matches": {"name": "^.{1,3}$"}, "on_fail": "quarantine"}
    case.expectations = {"brands": rules(long=long)}
    case.load("brands", [brand(1, "a"), brand(2, "a"), brand(3, "long")])
    case.to_silver("brands")
    live, committed = case.live("brands"), case.snapshots()
    case.expectations = {"brands": rules(one_name={"unique": "name", "on_fail": "fail"})}
    report = case.to_silver("brands", replay="quarantine")["brands"]
    assert (report.state, report.error) == ("failed", "brands: 1 row(s) break 'one_name'")
    assert (case.live("brands"), case.snapshots()) == (live, committed)


def test_a_late_version_that_was_replaced_already_fails_nothing(case: Case) -> None:
    _unsold(case)
    case.load("products", [product(1, 1), product(2, 1)])
    case.changes("products", [("U", 9, product(1, 1, price="9.00"))])
    case.to_silver("products")
    late = case.changes("products", [("U", 5, product(1, 1, price="-5.00"))])
    report = case.to_silver("products")["products"]
    assert (report.state, str(case.live("products")[(1,)][3])) == ("ok", "9.00")
    assert late in case.silver_table("products").taken()
    case.changes("products", [("U", 7, product(1, 1)), ("U", 8, product(2, 1, price="-8.00"))])
    report = case.to_silver("products")["products"]
    assert (report.state, report.error) == ("failed", "products: 1 row(s) break 'priced'")


def _parquet(rows: dict[str, Any]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(rows), sink)
    return bytes(sink.getvalue().to_pybytes())


def _damaged() -> bytes:
    """Whole ends, and pages that are nonsense."""
    whole = bytearray(
        _parquet({"brand_id": list(range(5000)), "name": ["n"] * 5000, "dms_change_seq": ["1"] * 5000})
    )
    whole[40:2000] = bytes(255 - (k % 7) for k in range(1960))
    return bytes(whole)


GOOD = _parquet({"Op": ["I"], "brand_id": [9], "name": ["nine"], "dms_change_seq": [seq(9)]})
BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not_parquet": lambda: b"brand_id,name\n1,one\n" * 20,
    "truncated": lambda: GOOD[: len(GOOD) // 2],
    "other_schema": lambda: _parquet({"x": [1, 2], "y": ["a", "b"]}),
    "no_rows": lambda: _parquet(
        {"brand_id": pa.array([], pa.int32()), "dms_change_seq": pa.array([], pa.string())}
    ),
    "damaged": _damaged,
}


def test_files_that_cannot_be_read_are_set_aside_and_taken_once_they_are_mended(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    paths = {
        reason: write(case, "brands", f"20260101-1{number:08d}.parquet", content())
        for number, (reason, content) in enumerate(BAD.items())
    }
    case.changes("brands", [("I", 5, brand(2, "two"))])
    report = case.to_silver("brands")["brands"]
    assert (report.state, report.rows) == ("ok", 2)
    assert {bad.file.rpartition("/")[2]: bad.reason for bad in report.set_aside} == {
        path.name: reason for reason, path in paths.items()
    }
    before = case.snapshots()
    assert len(case.to_silver("brands")["brands"].set_aside) == len(BAD)
    assert case.snapshots() == before
    paths["truncated"].write_bytes(GOOD)
    paths["empty"].unlink()
    report = case.to_silver("brands")["brands"]
    assert (report.rows, case.live("brands")[(9,)]) == (3, (9, "nine"))
    assert {bad.reason for bad in report.set_aside} == BAD.keys() - {"truncated", "empty"}
    case.generation = "g0002"  # the load holds what those files lack
    case.load("brands", [brand(1, "one"), brand(2, "two")])
    assert not case.to_silver("brands")["brands"].set_aside


@pytest.mark.recovery
def test_by_policy_a_file_that_cannot_be_read_fails_its_table(case: Case) -> None:
    case.bad_files["brands"] = "fail"
    case.load("brands", [brand(1, "one")])
    case.load("products", [product(1, 1)])
    path = write(case, "brands", "20260101-100000000.parquet", GOOD[:60])
    reports = case.to_silver()
    assert (reports["brands"].state, reports["products"].rows) == ("failed", 1)
    assert "cannot be read: it is a truncated Parquet file; its policy is fail" in reports["brands"].error
    path.write_bytes(GOOD)
    assert case.to_silver("brands")["brands"].rows == 2


def test_a_broken_load_never_takes_away_what_silver_holds(case: Case) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two")])
    case.to_silver("brands")
    case.generation = "g0002"
    case.load("brands", [brand(1, "uno")])
    broken = write(case, "brands", "LOAD000000FF.parquet", GOOD[:70])
    report = case.to_silver("brands")["brands"]
    assert report.state == "failed"
    assert "what silver holds stays until the load is whole" in report.error
    assert set(case.live("brands")) == {(1,), (2,)}
    broken.unlink()
    case.load("brands", [brand(2, "dos")])
    assert case.to_silver("brands")["brands"].rows == 2
    assert case.live("brands") == {(1,): (1, "uno"), (2,): (2, "dos")}


@pytest.mark.recovery
def test_a_row_that_was_kept_out_and_is_absent_from_a_reload_of_its_table_is_gone(case: Case) -> None:
    rule = {"matches": {"name": "^.{2,}$"}, "on_fail": "quarantine"}
    case.expectations = {"brands": rules(long=rule)}
    case.load("brands", [brand(1, "a"), brand(2, "ab")])
    case.to_silver("brands")
    case.reload_alone("brands", "g0002")
    case.load("brands", [brand(2, "ab")])
    report = case.to_silver("brands")["brands"]
    assert (set(case.live("brands")), report.in_quarantine) == ({(2,)}, 0)
    case.expectations = {}
    case.to_silver("brands", replay="quarantine")
    assert set(case.live("brands")) == {(2,)}, (
        "a rule that is given up brings back nothing that the source lacks"
    )
