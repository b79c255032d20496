"""Silver to gold on real Spark: each model kind, and that incremental ends where full does."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from warehouse_case import EPOCH, Case, comparable

from medallion_cli.operations.progress import LINE

pytestmark = pytest.mark.engine
FOREVER = datetime(9999, 12, 31)


def at(number: int) -> datetime:
    return EPOCH + timedelta(seconds=number)


def brand(number: int, name: str) -> dict[str, object]:
    return {"brand_id": number, "name": name}


def product(number: int, brand_id: int | None, name: str, price: str = "1.00") -> dict[str, object]:
    return {"product_id": number, "brand_id": brand_id, "name": name, "price": price}


def sale(number: int, line: int, product_id: int, quantity: int, sold: int = 5) -> dict[str, object]:
    return {
        "sale_id": number,
        "line": line,
        "product_id": product_id,
        "quantity": quantity,
        "sold_at": at(sold),
    }


def history(case: Case, key: int) -> list[tuple[object, ...]]:
    rows = sorted(case.gold["dim_product"].get((key,), []), key=lambda row: row["version"])
    names = ("version", "name", "brand", "valid_from", "valid_to", "is_current")
    return [
        tuple(v.replace(tzinfo=None) if isinstance(v := r[n], datetime) else v for n in names) for r in rows
    ]


def run(case: Case) -> dict[str, object]:
    case.to_silver()
    return case.to_gold()


def assert_equal_to_full(case: Case) -> None:
    for model in ("brands", "dim_product", "fact_sales"):
        assert comparable(case.gold[model]) == comparable(case.evaluated(model)), model


def small(case: Case) -> Case:
    case.load("brands", [brand(1, "Acme"), brand(2, "Bolt")])
    case.load("products", [product(1, 1, "Anvil", "2.50"), product(2, 2, "Bow")])
    case.load("sales", [sale(1, 1, 1, 2), sale(1, 2, 2, 1), sale(2, 1, 9, 1)])
    return case


def test_what_the_jobs_tell_is_what_a_run_shows(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """`medallion run` reads rows and seconds of each table and model from these lines, as they come."""
    run(small(case))
    told = [match for line in capsys.readouterr().out.splitlines() if (match := LINE.match(line))]
    assert {match[1]: match[2] or (match[3], match[4]) for match in told} == {
        "brands": ("2", "0"),
        "products": "2",
        "sales": "3",
        "dim_product": ("2", "0"),
        "fact_sales": ("3", "0"),
    }
    assert [match[2] for match in told if match[1] == "brands"] == ["2", None]


def test_the_first_run_stages_every_model_in_full(case: Case) -> None:
    staged = run(small(case))
    assert {m: (s.full, s.upserts, s.deletes) for m, s in staged.items()} == {
        "brands": (True, 2, 0),
        "dim_product": (True, 2, 0),
        "fact_sales": (True, 3, 0),
    }
    assert case.gold["fact_sales"][(1, 1)][0]["amount"] == 5
    assert case.gold["fact_sales"][(2, 1)][0]["product"] is None
    assert history(case, 1) == [(1, "Anvil", "Acme", at(0), FOREVER, True)]


def test_a_second_run_without_changes_stages_nothing_at_all(case: Case) -> None:
    run(small(case))
    before = sorted((case.objects / "staging").rglob("*"))
    assert run(case) == {}
    assert sorted((case.objects / "staging").rglob("*")) == before


def test_staged_files_hold_the_types_that_the_warehouse_takes(case: Case) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run(small(case))
    folder = case.objects / "staging" / f"{case.schema}-run1"
    fact = pq.read_schema(next((folder / "fact_sales").glob("*.parquet")))
    assert fact.names == ["_op", "sale_id", "line", "product_id", "product", "quantity", "amount", "sold_at"]
    assert fact.types[1:7] == [
        pa.int64(),
        pa.int16(),
        pa.int32(),
        pa.string(),
        pa.int32(),
        pa.decimal128(18, 2),
    ]
    assert fact.types[7] == pa.timestamp("us", "UTC")
    dim = pq.read_schema(next((folder / "dim_product").glob("*.parquet")))
    own = ["product_id", "name", "brand", "price"]
    assert dim.names == ["_op", "product_sk", *own, "version", "valid_from", "valid_to", "is_current"]
    assert not list(folder.rglob("_SUCCESS"))
    assert not list(folder.rglob(".*"))


def test_a_changed_input_touches_the_keys_that_depend_on_it(case: Case) -> None:
    run(small(case))
    case.changes("brands", [("U", 10, brand(1, "Acme Inc"))])
    staged = run(case)
    assert {m: (s.full, s.upserts, s.deletes) for m, s in staged.items()} == {
        "brands": (False, 1, 0),
        "dim_product": (False, 2, 0),  # a touched key is staged with its whole history
    }
    assert history(case, 1) == [
        (1, "Anvil", "Acme", at(0), at(10), False),
        (2, "Anvil", "Acme Inc", at(10), FOREVER, True),
    ]
    case.changes("products", [("U", 20, product(1, 1, "Anvil", "3.00"))])
    assert run(case)["fact_sales"].upserts == 1
    assert_equal_to_full(case)


def test_a_deleted_row_leaves_its_facts_key_and_closes_its_history(case: Case) -> None:
    run(small(case))
    case.changes("sales", [("D", 10, {"sale_id": 1, "line": 2})])
    case.changes("products", [("D", 11, {"product_id": 2})])
    staged = run(case)
    assert (staged["fact_sales"].upserts, staged["fact_sales"].deletes) == (0, 1)
    assert history(case, 2) == [(1, "Bow", "Bolt", at(0), at(11), False)]
    case.changes("products", [("I", 15, product(2, 2, "Bow"))])
    run(case)
    assert history(case, 2) == [
        (1, "Bow", "Bolt", at(0), at(11), False),
        (2, "Bow", "Bolt", at(15), FOREVER, True),
    ]
    assert_equal_to_full(case)


def test_many_versions_in_one_batch_collapse_without_gap_or_overlap(case: Case) -> None:
    run(small(case))
    names = ["Anvil", "A", "A", " A ", "B", "A"]
    case.changes("products", [("U", 10 + n, product(1, 1, name)) for n, name in enumerate(names)])
    run(case)
    found = history(case, 1)
    assert [(row[1], row[3], row[4]) for row in found] == [
        ("Anvil", at(0), at(10)),  # at another price
        ("Anvil", at(10), at(11)),
        ("A", at(11), at(14)),
        ("B", at(14), at(15)),
        ("A", at(15), FOREVER),
    ]
    assert [row[0] for row in found] == [1, 2, 3, 4, 5]
    assert len({row["product_sk"] for row in case.gold["dim_product"][(1,)]}) == 5


def test_commit_moments_that_run_backwards_leave_no_overlap(case: Case) -> None:
    from warehouse_case import moment

    run(small(case))
    back = {"dms_commit_ts": moment(8)}
    case.changes(
        "products",
        [
            ("U", 10, product(1, 1, "one")),
            ("U", 11, {**product(1, 1, "two"), **back}),
            ("U", 12, product(1, 1, "three")),
        ],
    )
    run(case)
    assert [(row[1], row[3], row[4]) for row in history(case, 1)] == [
        ("Anvil", at(0), at(10)),
        ("one", at(10), at(10)),
        ("two", at(10), at(12)),
        ("three", at(12), FOREVER),
    ]


def test_a_reload_with_equal_rows_opens_no_version(case: Case) -> None:
    run(small(case))
    keys = {k: [row["product_sk"] for row in rows] for k, rows in case.gold["dim_product"].items()}
    case.generation = "g0002"
    small(case)
    run(case)
    assert {k: [row["product_sk"] for row in rows] for k, rows in case.gold["dim_product"].items()} == keys
    assert_equal_to_full(case)


def test_a_changed_select_or_a_lost_position_is_evaluated_in_full(case: Case) -> None:
    run(small(case))
    case.positions["brands"] = {**case.positions["brands"], "hash": "other"}
    case.positions["fact_sales"] = {**case.positions["fact_sales"], "to": '{"products":1,"sales":2}'}
    staged = case.to_gold()
    assert {m: s.full for m, s in staged.items()} == {"brands": True, "fact_sales": True}
    assert case.to_gold(models="dim_product", full=True)["dim_product"].full


def test_a_model_waits_for_all_of_its_inputs(case: Case) -> None:
    case.loaded = ("brands", "products")
    small(case)
    assert set(run(case)) == {"brands", "dim_product"}


def test_killed_before_the_merge_is_noted_gold_is_merely_behind(case: Case) -> None:
    run(small(case))
    merged = case.house.property("sales", "medallion.merged_snapshot")
    case.changes("sales", [("I", 10, sale(3, 1, 1, 1))])
    case.to_silver()
    case.house.set_properties("sales", {"medallion.merged_snapshot": merged})
    assert case.to_gold() == {}
    assert run(case)["fact_sales"].upserts == 1
    assert_equal_to_full(case)


def test_load_batches_are_one_transaction_a_model(case: Case) -> None:
    from medallion_glue.staging import load_batches

    staged = run(small(case))
    batches = load_batches(staged.values(), "run-1", "arn:aws:iam::0:role/copy")
    fact = [s for batch in batches for s in batch if "fact_sales" in s]
    assert fact[0] == "DELETE FROM staging.fact_sales"
    assert fact[1].startswith(
        f"COPY staging.fact_sales FROM 's3://staging/{case.schema}-run1/fact_sales.manifest' IAM_ROLE"
    )
    assert fact[3].endswith(f"'hash-fact_sales', true, {staged['fact_sales'].upserts})")
    many = load_batches(list(staged.values()) * 8, "run-1", "arn")
    assert all(len(batch) <= 40 for batch in many)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.recovery)])
def test_incremental_equals_full_whatever_the_order_of_files(case: Case, seed: int) -> None:
    rng = random.Random(seed)
    small(case)
    run(case)
    number = 10
    for _ in range(3):
        files = []
        for _ in range(rng.randint(1, 4)):
            table = rng.choice(["brands", "products", "sales"])
            changes = []
            for _ in range(rng.randint(1, 6)):
                number += 1
                changes.append(change(rng, table, number))
            files.append((table, changes))
        rng.shuffle(files)
        held_back = files.pop() if len(files) > 1 and rng.random() < 0.5 else None
        for table, changes in files:
            rng.shuffle(changes)
            case.changes(table, changes)
        run(case)
        if held_back:
            case.changes(*held_back)
    run(case)
    assert_equal_to_full(case)
    assert_equal_to_rebuilt(case)


def assert_equal_to_rebuilt(case: Case) -> None:
    """A silver made anew from the same bronze has the same rows."""
    live = {table: case.live(table) for table in ("brands", "products", "sales")}
    fresh = {model: comparable(case.evaluated(model)) for model in case.gold}
    for table in live:
        for name in (table, f"{table}_changes"):
            case.spark.sql(f"DROP TABLE {case.house.name(name)} PURGE")
    case.to_silver()
    assert {table: case.live(table) for table in live} == live
    assert {model: comparable(case.evaluated(model)) for model in case.gold} == fresh


def change(rng: random.Random, table: str, number: int) -> tuple[str, int, dict[str, object]]:
    """A random change; now and then a key moves, or a delete carries only its key."""
    key = rng.randint(1, 4)
    old = rng.randint(1, 4) if rng.random() < 0.25 else key
    op = rng.choice(["I", "U", "U", "D"])
    match table:
        case "brands":
            row, only = brand(key, rng.choice("ab")), {"brand_id": key}
            before = {"BI_brand_id": old}
        case "products":
            row, only = product(key, rng.randint(1, 5), rng.choice("xy")), {"product_id": key}
            before = {"BI_product_id": old}
        case _:
            row, only = sale(key, 1, rng.randint(1, 5), rng.randint(1, 9)), {"sale_id": key, "line": 1}
            before = {"BI_sale_id": old, "BI_line": 1}
    return op, number, only if op == "D" else row | (before if op == "U" else {})
