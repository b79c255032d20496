"""The rules of order, one test a rule: what silver holds of a key after each shape of change (docs/correctness.md).

Every rule has keys of its own in one table, so that three runs of the job serve all of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from medallion_glue import objects as s3
from warehouse_case import Case, FolderClient, moment, seq

pytestmark = pytest.mark.engine

SHORT = {"name": "short", "expression": "char_length(name) < 6", "on_fail": "quarantine"}
BAD = "much too long"
Change = tuple[str | None, int, dict[str, Any]]  # Op, number of the change, row
AT = 9  # the commit time that all changes of a file tie at


def brand(number: int, name: str | None = None, **more: object) -> dict[str, Any]:
    return {"brand_id": number, "name": name, **more}


NEWEST: list[Change] = [
    ("U", 12, brand(1, "last")),
    ("U", 11, brand(1, "first")),
    ("D", 14, brand(2)),
    ("U", 20, brand(4, "new")),
    ("D", 21, brand(5)),
    ("U", 20, brand(7, BAD)),
    ("U", 20, brand(8, BAD)),
    ("D", 21, brand(8, BAD)),
    ("D", 5, brand(9)),
    ("D", 5, {"BI_brand_id": 10}),
    ("D", 5, brand(11, "whole", BI_brand_id=11)),
    (None, 5, brand(12, "again")),
    ("D", 6, brand(13)),
    ("U", 5, brand(15, "moved", BI_brand_id=14)),
    ("I", 6, brand(14, "taken")),
]
BEFORE: list[Change] = [
    ("U", 10, brand(1, "older")),
    ("U", 13, brand(2, "older")),
    (None, 4, brand(13, "older")),
]
BACKWARDS = [("U", 5, 99, brand(3, "early")), ("U", 6, 50, brand(3, "later"))]
LATE: list[Change] = [
    ("U", 10, brand(4, "late")),
    ("U", 11, brand(5, "late")),
    ("I", 12, brand(6, "late")),
    ("U", 10, brand(7, "late")),
]


@dataclass(frozen=True)
class Silver:
    """Live names by key: with the changes, with late ones, with a good version of what was bad."""

    first: dict[int, str]
    late: dict[int, str]
    mended: dict[int, str]
    kept_out: int  # keys whose newest version is bad, after the first run


@pytest.fixture(scope="module")
def silver(spark: Any, objects: Path) -> Iterator[Silver]:
    with pytest.MonkeyPatch.context() as patch:
        client = FolderClient(objects)
        patch.setattr(s3, "client", lambda: client)
        case = Case(spark, objects, f"shop_{uuid.uuid4().hex[:8]}", {"brands": [SHORT]})
        case.load("brands", [brand(n, "old") for n in range(1, 15) if n != 6], op=None)
        for file in (NEWEST, BEFORE):
            write(case, [(op, n, AT, row) for op, n, row in file])
        write(case, BACKWARDS)
        report = case.to_silver("brands")["brands"]
        first = names(case)
        case.changes("brands", LATE)
        case.to_silver("brands")
        late = names(case)
        case.changes("brands", [("U", 30, brand(7, "mend"))])
        case.to_silver("brands")
        yield Silver(first, late, names(case), report.expectations[0]["rows"])


def write(case: Case, changes: Any) -> None:
    """A file of changes with commit times of their own: (Op, number, second, row)."""
    rows = [
        {"Op": op, "dms_commit_ts": moment(at), "dms_change_seq": seq(n), **row} for op, n, at, row in changes
    ]
    case._write("brands", f"2026/01/01/20260101-{case._next():09d}.parquet", rows)


def names(case: Case) -> dict[int, str]:
    return {key[0]: row[1] for key, row in case.live("brands").items()}


def test_ties_in_time_are_decided_by_the_sequence_in_and_across_files(silver: Silver) -> None:
    assert silver.first[1] == "last"
    assert 2 not in silver.first


def test_the_sequence_counts_when_the_clock_runs_backwards(silver: Silver) -> None:
    assert silver.first[3] == "later"


def test_a_late_file_never_takes_a_key_back(silver: Silver) -> None:
    assert (silver.first[4], silver.late[4]) == ("new", "new")
    assert 5 not in silver.late
    assert (silver.first.get(6), silver.late[6]) == (None, "late")


def test_a_bad_newest_version_revives_nothing_and_a_late_good_one_neither(silver: Silver) -> None:
    assert 7 not in silver.first | silver.late
    assert silver.mended[7] == "mend"


def test_a_delete_after_a_bad_version_is_a_delete(silver: Silver) -> None:
    assert 8 not in silver.first
    assert silver.kept_out == 1  # key 7 alone


def test_a_delete_needs_only_its_key_before_or_after(silver: Silver) -> None:
    assert not {9, 10, 11} & set(silver.first)


def test_a_null_op_is_an_insert_at_its_position(silver: Silver) -> None:
    assert silver.first[12] == "again"
    assert 13 not in silver.first


def test_a_key_that_is_left_and_taken_in_one_transaction_keeps_its_newest_owner(silver: Silver) -> None:
    assert (silver.first[14], silver.first[15]) == ("taken", "moved")
