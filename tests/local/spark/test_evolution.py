"""Schema drift between bronze and silver on real Spark: each change of a column, under each policy."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse_case import ARROW, DDL, Case, moment, seq

pytestmark = pytest.mark.engine

PRICE = pa.decimal128(10, 2)
OLD = {
    "product_id": pa.int32(),
    "brand_id": pa.uint32(),
    "name": pa.string(),
    "price": PRICE,
}


def write(case: Case, columns: dict[str, Any], rows: list[dict[str, Any]], number: int = 0) -> None:
    """A bronze file with exactly these columns, in their order; number 0 is the full load."""
    facts = {
        "Op": "U" if number else "I",
        "dms_commit_ts": moment(number),
        "dms_change_seq": seq(number) if number else "",
    }
    fields = {"Op": pa.string()} | columns | {"BI_product_id": pa.int32()}
    fields |= {"dms_commit_ts": pa.string(), "dms_change_seq": pa.string()}
    arrays = {n: pa.array([(facts | row).get(n) for row in rows], kind) for n, kind in fields.items()}
    name = f"2026/01/01/20260101-{number:09d}.parquet" if number else "LOAD00000001.parquet"
    path = case.objects / "bronze" / case.generation / case.schema / "products" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), path)


def product(number: int, **more: object) -> dict[str, object]:
    return {"product_id": number, "brand_id": 7, "name": f"p{number}", "price": Decimal("1.50"), **more}


def take(case: Case) -> Any:
    return case.to_silver("products")["products"]


def live(case: Case, *columns: str) -> dict[int, tuple[Any, ...]]:
    rows = case.house.at("products", None).where("NOT _is_deleted").select("product_id", *columns).collect()
    return {row[0]: tuple(row)[1:] for row in rows}


def kind(case: Case, column: str) -> str | None:
    found = {f.name: f.dataType.simpleString() for f in case.house.schema("products")}
    return found.get(column)


def told(report: Any) -> list[tuple[Any, ...]]:
    return [(d.column, d.change, d.now, d.rows, d.followed) for d in report.drift]


def loaded(case: Case, policy: str = "evolve") -> Case:
    case.schema_drift["products"] = policy
    write(case, OLD, [product(1), product(2)])
    assert take(case).drift == ()
    return case


ADDED = {
    "product_id": pa.int32(),
    "weight": pa.float32(),
    **{n: t for n, t in OLD.items() if n != "product_id"},
}


def test_a_new_column_is_followed_from_any_place_and_stays(case: Case) -> None:
    loaded(case)
    write(case, ADDED, [product(2, weight=0.5)], 5)
    report = take(case)
    assert told(report) == [("weight", "added", "double", 0, True)]
    assert live(case, "weight", "name", "price") == {
        1: (None, "p1", Decimal("1.50")),
        2: (0.5, "p2", Decimal("1.50")),
    }
    write(case, ADDED, [product(2, weight=0.75)], 6)
    assert told(take(case)) == [("weight", "added", "double", 0, True)]
    assert live(case, "weight")[2] == (0.75,)
    write(case, OLD, [product(2, name="gone again")], 7)
    assert take(case).drift == ()
    assert live(case, "weight", "name")[2] == (None, "gone again")
    assert case.to_silver("products", replay="all")["products"].rows == 2


def test_a_model_sees_a_followed_column_only_once_the_specification_has_it(case: Case) -> None:
    case.load("brands", [{"brand_id": 7, "name": "b"}])
    case.load("sales", [])
    loaded(case)
    case.to_silver()
    before = case.to_gold() and case.gold
    write(case, ADDED, [product(1, weight=0.5, name="heavy")], 5)
    take(case)
    case.to_gold()
    current = [v for vs in case.gold["dim_product"].values() for v in vs if v.get("is_current")]
    assert before is not None
    assert {row["name"] for row in current} == {"heavy", "p2"}
    assert all("weight" not in row for row in current)


@pytest.mark.recovery
def test_ignore_leaves_a_new_column_in_bronze(case: Case) -> None:
    loaded(case, "ignore")
    write(case, ADDED, [product(2, weight=0.5, name="new")], 5)
    assert told(take(case)) == [("weight", "added", "double", 0, False)]
    assert kind(case, "weight") is None
    assert live(case, "name")[2] == ("new",)


def test_fail_takes_nothing_until_the_specification_agrees(case: Case) -> None:
    loaded(case, "fail")
    dropped = {n: t for n, t in OLD.items() if n != "price"}
    write(case, OLD, [product(1, name="before")], 4)
    write(case, dropped, [product(1, name="after")], 5)
    report = take(case)
    assert (report.state, report.error) == (
        "failed",
        "products: schema drift at the source: price dropped (decimal(10,2)); its policy is fail",
    )
    assert live(case, "name")[1] == ("p1",)
    case.schema_drift["products"] = "evolve"
    assert take(case).state == "ok"
    assert live(case, "name", "price")[1] == ("after", None)


def test_types_widen_in_place(case: Case) -> None:
    loaded(case)
    wide = OLD | {"product_id": pa.int64(), "price": pa.decimal128(14, 2)}
    write(case, wide, [product(2**40, price=Decimal("123456789012.34"))], 5)
    report = take(case)
    assert told(report) == [
        ("product_id", "widened", "bigint", 0, True),
        ("price", "widened", "decimal(14,2)", 0, True),
    ]
    assert (kind(case, "product_id"), kind(case, "price")) == ("bigint", "decimal(14,2)")
    assert live(case, "price")[2**40] == (Decimal("123456789012.34"),)
    assert live(case, "price")[1] == (Decimal("1.50"),)
    write(case, OLD, [product(1, name="an old file")], 6)
    assert (take(case).state, live(case, "name")[1]) == ("ok", ("an old file",))


def test_many_files_of_both_types_are_taken_together(case: Case) -> None:
    loaded(case)
    wide = OLD | {"price": pa.decimal128(14, 2)}
    for number in range(3, 7):
        write(case, OLD, [product(1, name=f"narrow {number}")], number)
    for number in range(7, 11):
        write(case, wide, [product(2, price=Decimal(f"123456789{number:03d}.34"))], number)
    report = take(case)
    assert (report.state, told(report)) == ("ok", [("price", "widened", "decimal(14,2)", 0, True)])
    assert live(case, "name", "price") == {
        1: ("narrow 6", Decimal("1.50")),
        2: ("p2", Decimal("123456789010.34")),
    }


@pytest.mark.parametrize(
    ("arrow", "fits", "does_not"),
    [
        pytest.param(pa.string(), "2.50", "two", marks=pytest.mark.recovery),
        (pa.string(), "2.5", "2.505"),
        (pa.decimal128(12, 4), Decimal("2.5000"), Decimal("2.5001")),
        pytest.param(pa.float64(), 2.5, 2.501, marks=pytest.mark.recovery),
        pytest.param(pa.int64(), 2, 10**9, marks=pytest.mark.recovery),
    ],
)
def test_a_value_that_does_not_fit_sets_its_row_aside(
    case: Case, arrow: Any, fits: Any, does_not: Any
) -> None:
    loaded(case)
    write(case, OLD | {"price": arrow}, [product(1, price=fits), product(2, price=does_not)], 5)
    report = take(case)
    assert [(d.column, d.change, d.rows) for d in report.drift] == [("price", "retyped", 1)]
    assert report.quarantined == 1
    assert live(case, "price") == {1: (Decimal("2.50") if fits != 2 else Decimal("2.00"),)}


@pytest.mark.parametrize(
    ("mysql", "value"),
    [
        pytest.param("datetime(6)", pa.array([7], pa.int64()), marks=pytest.mark.recovery),
        pytest.param("date", pa.array([7], pa.int32()), marks=pytest.mark.recovery),
        ("datetime(6)", pa.array(["12:30:00"])),
    ],
)
def test_what_is_no_moment_never_becomes_one(case: Case, mysql: str, value: Any) -> None:
    case.mysql[("sales", "sold_at")] = mysql
    case.load("sales", [{"sale_id": 1, "line": 1, "sold_at": None}])
    case.to_silver("sales")
    folder = case.objects / "bronze" / "g0001" / case.schema / "sales"
    rows = {"sale_id": [1], "line": [1], "sold_at": value, "dms_change_seq": [seq(9)]}
    pq.write_table(pa.table({"Op": ["U"], **rows}), folder / "20260303-000000000.parquet")
    report = case.to_silver("sales")["sales"]
    assert (report.state, report.quarantined, report.rows) == ("ok", 1, 0)


DAY, NOON = date(2024, 5, 1), datetime(2024, 5, 1, 12)
RETYPED: list[tuple[str, str, list[Any], list[Any]]] = [  # from, to, what is the same in it, and what is not
    ("string", "date", ["2024-05-01"], ["2024-05-01 13:45", "2024-05", "2024-02-30", "2024-05-01\n", ""]),
    (
        "string",
        "timestamp",
        ["2024-05-01 13:45:00", "2024-05-01T13:45:00.123456000"],
        ["12:30:00", "2024-05-01", "2024-05-01 13:45:00.1234567", "2024-05-01 13:45:00Z"],
    ),
    ("string", "int", ["12", "-0012"], ["12.7", " 12", "9999999999", "1e3", "twelve"]),
    ("string", "decimal(24,2)", ["1234567890123456789012.50", "2.5000"], ["2.505", ".5", "1e2", "2.5 "]),
    ("string", "double", ["0.1", "0.30000000000000004", "1.5e15"], ["1d", "NaN", "1e999", "12345678901234567.8"]),
    ("string", "boolean", ["0", "1", "true"], ["maybe", "yes", "7"]),
    ("int", "boolean", [0, 1], [7, -1]),
    ("date", "boolean", [None], [DAY]),
    ("timestamp", "date", [datetime(2024, 5, 1)], [NOON]),
    ("date", "int", [None], [DAY]),
    ("binary", "int", [None], [bytearray(b"7")]),
    ("bigint", "double", [2**53], [2**53 + 1]),
]  # fmt: skip


def test_only_a_value_that_comes_back_the_same_fits_another_type(spark: Any) -> None:
    from medallion_glue.document import Column, Table
    from medallion_glue.evolution import unfit

    for kind, target, same, other in RETYPED:
        rows = spark.createDataFrame([(value,) for value in [*same, *other]], f"v {kind}")
        table = Table("t", "s", ("v",), (Column("v", target, "`v`"),), ())
        marks = [bool(row[0]) for row in rows.selectExpr(unfit(rows, table)).collect()]
        assert marks == [False] * len(same) + [True] * len(other), (kind, target)


LONG = [product(1, name="x" * 81), product(2, name="é" * 80)]  # of 80 characters


@pytest.mark.parametrize("policy", ["evolve", pytest.param("ignore", marks=pytest.mark.recovery)])
def test_a_text_that_is_longer_than_its_column_sets_its_row_aside(case: Case, policy: str) -> None:
    loaded(case, policy)
    write(case, OLD, LONG, 5)
    report = take(case)
    assert told(report) == [("name", "lengthened", None, 1, False)]
    assert (report.quarantined, report.in_quarantine) == (1, 1)
    assert live(case, "name") == {2: ("é" * 80,)}
    case.mysql[("products", "name")] = "varchar(200)"
    report = case.to_silver("products", replay="quarantine")["products"]
    assert (report.drift, report.in_quarantine, live(case, "name")[1]) == ((), 0, ("x" * 81,))


def test_by_policy_a_text_that_is_longer_than_its_column_fails_the_table(case: Case) -> None:
    loaded(case, "fail")
    write(case, OLD, LONG, 5)
    report = take(case)
    assert (report.state, report.error) == (
        "failed",
        "products: schema drift at the source: name lengthened (varchar(80)); its policy is fail",
    )
    assert live(case, "name") == {1: ("p1",), 2: ("p2",)}


def test_a_key_that_is_longer_than_its_column_fails_the_table(spark: Any) -> None:
    from medallion_glue.document import Column, Table
    from medallion_glue.evolution import SchemaDrifted, counted, unfit

    table = Table("t", "s", ("code",), (Column("code", "string", "`code`", (), "char(3)"),), ())
    rows = spark.createDataFrame([("abc",), ("abcd",)], "code string")
    rows = rows.selectExpr("code", f"{unfit(rows, table)} AS `_failed`")
    assert counted(rows.where("code = 'abc'"), table, []) == []
    with pytest.raises(SchemaDrifted, match="values of the key code do not fit"):
        counted(rows, table, [])


@pytest.mark.recovery
def test_another_type_in_the_specification_converts_what_silver_holds(case: Case) -> None:
    loaded(case)
    case.mysql[("products", "price")] = "varchar(20)"
    write(case, OLD | {"price": pa.string()}, [product(2, price="two")], 5)
    report = take(case)
    assert (report.state, report.drift, report.quarantined) == ("ok", (), 0)
    assert live(case, "price") == {1: ("1.50",), 2: ("two",)}
    assert take(case).rows == 2


@pytest.mark.recovery
def test_a_type_in_the_specification_that_no_value_of_before_can_be_is_null_until_a_reload(
    case: Case,
) -> None:
    case.mysql[("products", "price")] = "int"
    write(case, OLD | {"price": pa.int32()}, [product(1, price=7), product(2, price=8)])
    take(case)
    case.mysql[("products", "price")] = "date"
    write(case, OLD | {"price": pa.date32()}, [product(2, price=DAY)], 5)
    report = take(case)
    assert (report.state, live(case, "price")) == ("ok", {1: (None,), 2: (DAY,)})


@pytest.mark.recovery
def test_a_key_that_does_not_fit_fails_the_table(case: Case) -> None:
    loaded(case, "ignore")
    write(case, OLD | {"product_id": pa.int64()}, [product(2**40)], 5)
    report = take(case)
    assert report.state == "failed"
    assert "values of the key product_id do not fit" in report.error
    assert set(live(case)) == {1, 2}


def test_a_number_too_wide_for_gold_fails_its_model_instead_of_being_wrapped(case: Case) -> None:
    case.load("brands", [])
    case.load("sales", [])
    loaded(case)
    write(case, OLD | {"product_id": pa.int64()}, [product(2**40)], 5)
    case.to_silver()
    with pytest.raises(Exception, match="product_id holds a number that does not fit int"):
        case.to_gold(models="dim_product")


@pytest.mark.recovery
def test_a_column_that_the_specification_has_first_is_null_until_it_comes(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.load("brands", [{"brand_id": 7, "name": "b"}])
    case.to_silver("brands")
    monkeypatch.setitem(DDL["brands"][1], "country", "varchar(2)")
    monkeypatch.setitem(ARROW, "country", pa.string())
    case.schema_drift["brands"] = "fail"
    case.to_silver("brands")
    case.to_gold(models="brands", full=True)
    assert case.gold["brands"][(7,)] == [{"brand_id": 7, "name": "b", "country": None}]
    case.changes("brands", [("U", 5, {"brand_id": 7, "name": "b", "country": "de"})])
    assert case.to_silver("brands")["brands"].state == "ok"
    case.to_gold(models="brands")
    assert case.gold["brands"][(7,)][0]["country"] == "de"
