"""The rules of order, one test a rule: what silver holds of a key after each shape of change (docs/correctness.md)."""

from __future__ import annotations

import pytest
from warehouse_case import Case, moment, seq

pytestmark = pytest.mark.engine

SHORT = {"name": "short", "expression": "char_length(name) < 6", "on_fail": "quarantine"}


def brand(number: int, name: str | None = None, **more: object) -> dict[str, object]:
    return {"brand_id": number, "name": name, **more}


def tied(case: Case, changes: list[tuple[str | None, int, dict[str, object]]]) -> str:
    """A file of changes that all carry the same commit time."""
    return case._write(
        "brands",
        f"2026/01/01/20260101-{case._next():09d}.parquet",
        [{"Op": op, "dms_commit_ts": moment(9), "dms_change_seq": seq(n), **row} for op, n, row in changes],
    )


def test_ties_in_time_are_decided_by_the_sequence_in_and_across_files(case: Case) -> None:
    case.load("brands", [brand(1, "old"), brand(2, "old")])
    tied(case, [("U", 12, brand(1, "last")), ("U", 11, brand(1, "first")), ("D", 14, brand(2))])
    tied(case, [("U", 10, brand(1, "before")), ("U", 13, brand(2, "before"))])
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "last")}


def test_the_sequence_counts_when_the_clock_runs_backwards(case: Case) -> None:
    case.load("brands", [brand(1, "old")])
    rows = [("U", 5, 99, "earlier"), ("U", 6, 50, "later")]
    facts = [
        {"Op": op, "dms_commit_ts": moment(at), "dms_change_seq": seq(n), **brand(1, name)}
        for op, n, at, name in rows
    ]
    case._write("brands", "2026/01/01/20260101-000000500.parquet", facts)
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "later")}


def test_a_late_file_never_takes_a_key_back(case: Case) -> None:
    case.load("brands", [brand(1, "old"), brand(2, "old")])
    case.changes("brands", [("U", 20, brand(1, "new")), ("D", 21, brand(2))])
    case.to_silver("brands")
    case.changes(
        "brands", [("U", 10, brand(1, "late")), ("U", 11, brand(2, "late")), ("I", 12, brand(3, "l"))]
    )
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "new"), (3,): (3, "l")}


def test_a_bad_newest_version_revives_nothing_and_a_late_good_one_neither(case: Case) -> None:
    case.expectations = {"brands": [SHORT]}
    case.load("brands", [brand(1, "good")])
    case.changes("brands", [("U", 20, brand(1, "much too long"))])
    case.to_silver("brands")
    case.changes("brands", [("U", 10, brand(1, "late"))])
    case.to_silver("brands")
    assert case.live("brands") == {}
    case.changes("brands", [("U", 30, brand(1, "mend"))])
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "mend")}


def test_a_delete_after_a_bad_version_is_a_delete(case: Case) -> None:
    case.expectations = {"brands": [SHORT]}
    case.load("brands", [brand(1, "good")])
    case.changes("brands", [("U", 20, brand(1, "much too long")), ("D", 21, brand(1, "much too long"))])
    report = case.to_silver("brands")["brands"]
    assert case.live("brands") == {}
    assert report.quarantined == 0


@pytest.mark.parametrize("image", [brand(1), {"BI_brand_id": 1}, brand(1, "whole", BI_brand_id=1)])
def test_a_delete_needs_only_its_key_before_or_after(case: Case, image: dict[str, object]) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two")])
    case.changes("brands", [("D", 5, image)])
    case.to_silver("brands")
    assert case.live("brands") == {(2,): (2, "two")}


def test_a_null_op_is_an_insert_at_its_position(case: Case) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two")], op=None)
    case.changes("brands", [(None, 5, brand(1, "again")), ("D", 6, brand(2)), (None, 4, brand(2, "before"))])
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "again")}


def test_a_key_that_is_left_and_taken_in_one_transaction_keeps_its_newest_owner(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    tied(case, [("U", 5, brand(2, "one", BI_brand_id=1)), ("I", 6, brand(1, "another"))])
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "another"), (2,): (2, "one")}
