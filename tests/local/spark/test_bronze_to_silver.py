"""Bronze to silver on real Spark: what DMS can throw at it, and that every file counts exactly once."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest
from warehouse_case import ARROW, Case

pytestmark = pytest.mark.engine


def brand(number: int, name: str | None = None, **more: object) -> dict[str, object]:
    return {"brand_id": number, "name": name, **more}


def test_a_full_load_and_its_changes_arrive_cleaned(case: Case) -> None:
    case.load("brands", [brand(1, " Acme "), brand(2, "  "), brand(3, "Zed")])
    case.changes("brands", [("U", 5, brand(3, "Zed II")), ("I", 6, brand(4, "New")), ("D", 7, brand(1))])
    report = case.to_silver("brands")["brands"]
    assert case.live("brands") == {(2,): (2, None), (3,): (3, "Zed II"), (4,): (4, "New")}
    assert (report.read, report.files, report.inserted, report.rows) == (6, 2, 3, 3)
    assert report.last_change.startswith("2026-01-01T00:00:07")


def test_a_table_waits_until_its_full_load_is_complete(case: Case) -> None:
    case.load("brands", [brand(1, "a")])
    case.loaded = ()
    assert case.to_silver("brands")["brands"].state == "waiting_for_full_load"
    assert not case.house.exists("brands")
    case.loaded = ("brands",)
    assert case.to_silver("brands")["brands"].rows == 1


def test_files_out_of_order_duplicated_and_replayed_count_once(case: Case) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two")])
    late = case.changes("brands", [("U", 10, brand(1, "late"))])
    hidden = (case.objects / "bronze" / late).read_bytes()
    (case.objects / "bronze" / late).unlink()
    newer = case.changes("brands", [("U", 20, brand(1, "newest")), ("D", 21, brand(2))])
    case.to_silver("brands")
    (case.objects / "bronze" / late).write_bytes(hidden)
    case.again(newer)
    report = case.to_silver("brands")["brands"]
    assert case.live("brands") == {(1,): (1, "newest")}
    assert (report.read, report.inserted, report.updated, report.deleted) == (3, 0, 0, 0)


def test_moments_are_read_in_the_unit_that_their_file_is_written_in(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.load("sales", [])
    written = datetime(2026, 1, 2, 3, 4, 5, 678901)
    kept = {"us": written, "ms": written.replace(microsecond=678000)}
    kinds = [pa.timestamp(unit, zone) for unit in kept for zone in (None, "UTC")]
    for number, kind in enumerate(kinds, 1):
        monkeypatch.setitem(ARROW, "sold_at", kind)
        case.changes("sales", [("I", number, {"sale_id": number, "line": 1, "sold_at": kept[kind.unit]})])
    report = case.to_silver("sales")["sales"]
    assert (report.state, report.quarantined, report.drift) == ("ok", 0, ())
    held = case.house.at("sales", None).selectExpr("sale_id", "CAST(sold_at AS STRING)").collect()
    assert dict(map(tuple, held)) == {
        number: str(kept[kind.unit]).removesuffix("000") for number, kind in enumerate(kinds, 1)
    }


def test_nothing_new_adds_no_snapshot(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.to_silver()
    before = case.snapshots()
    again = case.to_silver()
    assert case.snapshots() == before
    assert {r.read for r in again.values()} == {0}
    assert again["brands"].rows == 1


def test_a_changed_key_is_a_delete_and_an_update(case: Case) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two")])
    case.to_silver("brands")
    case.changes(
        "brands", [("U", 5, brand(9, "one moved", BI_brand_id=1)), ("U", 6, brand(2, "same", BI_brand_id=2))]
    )
    report = case.to_silver("brands")["brands"]
    assert case.live("brands") == {(9,): (9, "one moved"), (2,): (2, "same")}
    assert (report.inserted, report.updated, report.deleted) == (1, 1, 1)


def test_keys_that_swap_places_keep_both_rows(case: Case) -> None:
    case.load("brands", [brand(1, "a"), brand(2, "b")])
    moves = [(1, 99), (2, 1), (99, 2)]
    names = {1: "a", 2: "b", 99: "a"}
    case.changes(
        "brands",
        [("U", 5 + i, brand(new, names[old], BI_brand_id=old)) for i, (old, new) in enumerate(moves)],
    )
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "b"), (2,): (2, "a")}


def test_a_delete_may_carry_only_its_key_and_a_null_op_is_an_insert(case: Case) -> None:
    case.load("products", [{"product_id": 1, "brand_id": 1, "name": "x", "price": "1.50"}], op=None)
    case.changes("products", [(None, 4, {"product_id": 2, "name": "y"}), ("D", 5, {"BI_product_id": 1})])
    case.to_silver("products")
    assert set(case.live("products")) == {(2,)}


def test_a_deleted_key_does_not_come_back_by_a_late_update(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.changes("brands", [("D", 50, brand(1))])
    case.to_silver("brands")
    case.changes("brands", [("U", 40, brand(1, "zombie"))])
    case.to_silver("brands")
    assert case.live("brands") == {}


def test_a_new_generation_deletes_what_it_does_not_hold(case: Case) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two")])
    case.changes("brands", [("I", 90, brand(3, "three"))])
    case.to_silver("brands")
    case.generation, case.loaded = "g0002", ()
    case.load("brands", [brand(2, "two"), brand(4, "four")])
    assert case.to_silver("brands")["brands"].state == "waiting_for_full_load"
    assert len(case.live("brands")) == 3
    case.loaded = ("brands",)
    case.changes("brands", [("U", 5, brand(4, "four!"))])
    report = case.to_silver("brands")["brands"]
    assert case.live("brands") == {(2,): (2, "two"), (4,): (4, "four!")}
    assert (report.inserted, report.updated, report.deleted) == (1, 0, 2)
    gone = (
        case.house.at("brands_changes", None)
        .where("_bronze_file = 'snapshot:g0002'")
        .select("brand_id")
        .collect()
    )
    assert sorted(row[0] for row in gone) == [1, 3]


def test_a_generation_may_be_empty(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.to_silver("brands")
    case.generation = "g0002"
    case.to_silver("brands")
    assert case.live("brands") == {}
    before = case.snapshots()
    case.to_silver("brands")
    assert case.snapshots() == before


RULES = [
    {"name": "named", "expression": "name IS NOT NULL", "on_fail": "warn"},
    {"name": "short", "expression": "char_length(name) < 6", "on_fail": "quarantine"},
]


def test_a_bad_newest_version_takes_its_key_away_until_a_good_one_comes(case: Case) -> None:
    case.expectations = {"brands": RULES}
    case.load("brands", [brand(1, "good"), brand(2, None)])
    case.to_silver("brands")
    case.changes("brands", [("U", 5, brand(1, "too long a name"))])
    report = case.to_silver("brands")["brands"]
    assert case.live("brands") == {(2,): (2, None)}
    assert (report.quarantined, report.deleted) == (1, 1)
    case.changes("brands", [("U", 6, brand(1, "fine"))])
    case.to_silver("brands")
    assert case.live("brands")[(1,)] == (1, "fine")
    flags = (
        case.house.at("brands_changes", None).where("size(_failed) > 0").select("_failed", "_valid").collect()
    )
    assert sorted((row[0], row[1]) for row in flags) == [(["named"], True), (["short"], False)]


def test_a_failing_rule_commits_nothing_of_its_table_and_does_not_stop_the_others(case: Case) -> None:
    case.expectations = {"brands": [{**RULES[1], "on_fail": "fail"}]}
    case.load("brands", [brand(1, "far too long")])
    case.load("products", [{"product_id": 1}])
    reports = case.to_silver()
    assert reports["brands"].state == "failed"
    assert "short" in reports["brands"].error
    assert case.house.head("brands_changes") is None
    assert reports["products"].rows == 1
    case.changes("brands", [("U", 9, brand(1, "ok"))])  # the newest version is what counts
    assert case.to_silver("brands")["brands"].rows == 1


def test_killed_between_append_and_merge_the_next_run_completes(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.to_silver("brands")
    key = case.changes("brands", [("U", 5, brand(1, "uno")), ("I", 6, brand(2, "dos"))])
    assert case.silver_table("brands").append([key], None) == 2
    report = case.to_silver("brands")["brands"]
    assert (report.read, report.inserted, report.updated) == (0, 1, 1)
    assert case.live("brands") == {(1,): (1, "uno"), (2,): (2, "dos")}


def test_killed_between_merge_and_its_note_the_next_run_changes_nothing(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.to_silver("brands")
    merged = case.house.property("brands", "medallion.merged_snapshot")
    case.changes("brands", [("U", 5, brand(1, "uno"))])
    case.to_silver("brands")
    rows = case.live("brands")
    case.house.set_properties("brands", {"medallion.merged_snapshot": merged})
    report = case.to_silver("brands")["brands"]
    assert (case.live("brands"), report.updated) == (rows, 0)


def test_a_new_column_and_a_changed_type_are_read_by_name(case: Case) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    case.load("brands", [brand(1, "one")])
    folder = case.objects / "bronze" / "g0001" / case.schema / "brands"
    rows = {"name": ["two"], "brand_id": pa.array([2], pa.int64()), "extra": [1], "dms_change_seq": ["9"]}
    pq.write_table(pa.table(rows), folder / "20260303-000000000.parquet")
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "one"), (2,): (2, "two")}
