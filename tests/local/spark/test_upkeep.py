"""Upkeep of silver on real Iceberg: erasing leaves nothing behind, housekeeping takes nothing that is still read."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from warehouse_case import Case, comparable

pytestmark = pytest.mark.engine
PERSON = {"brand_id": "2"}
NOW = datetime.now(UTC)


def brand(number: int, name: str) -> dict[str, object]:
    return {"brand_id": number, "name": name}


def known(case: Case) -> Case:
    """Silver and gold with a person, Zoe, who was Zoltan once and is deleted at the source."""
    case.load("brands", [brand(1, "Acme"), brand(2, "Zoltan"), brand(3, "Bolt")])
    case.to_silver("brands")
    case.changes("brands", [("U", 5, brand(2, "Zoe")), ("U", 6, brand(1, "Acme Inc"))])
    case.to_silver("brands")
    case.to_gold("brands")
    case.changes("brands", [("D", 9, {"brand_id": 2})])
    case.to_silver("brands")
    return case


def look(case: Case) -> dict[str, Any]:
    from erase import look as where

    return where(case.house, case.pipeline, case.pipeline.table("brands"), PERSON)


def erase(case: Case) -> None:
    """As operations/erase.py: the ledger first, then the rows."""
    from erase import erase as remove

    found = look(case)
    entry = {"key": found["key_hash"], **{n: found[n] for n in ("generation", "seq", "emptied", "files")}}
    ledger = case.objects / "artifacts" / "erasures" / "brands.json"
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_text(json.dumps({"table": "brands", "erased": [entry]}))
    remove(case.house, case.pipeline.table("brands"), PERSON)


@pytest.fixture
def ledger(objects: Path) -> Any:
    yield
    (objects / "artifacts" / "erasures" / "brands.json").unlink(missing_ok=True)


def told(case: Case) -> list[str]:
    """Data files of silver's brands that name the person."""
    import pyarrow.parquet as pq

    files = [
        p for p in (case.objects / "silver").rglob("*.parquet") if f"{case.schema}_silver/brands" in str(p)
    ]
    texts = {p.name: str(pq.ParquetFile(p).read().to_pylist()) for p in files}
    return [name for name, text in texts.items() if "Zoltan" in text or "Zoe" in text]


@pytest.mark.usefixtures("ledger")
def test_an_erased_key_is_in_no_file_and_does_not_come_back(case: Case) -> None:
    known(case)
    before = look(case)
    assert before["rows"] == {"brands_changes": 3, "brands": 1}
    assert (before["live"], len(before["files"]), len(before["emptied"])) == (0, 3, 1)
    assert told(case)
    case.spark.sql(f"DELETE FROM {case.house.name('brands_changes')} WHERE brand_id = 2 AND name = 'Zoe'")
    assert told(case), "killed here: snapshots still name the old files"
    erase(case)
    assert told(case) == []
    assert look(case)["rows"] == {"brands_changes": 0, "brands": 0}
    assert case.live("brands") == {(1,): (1, "Acme Inc"), (3,): (3, "Bolt")}
    assert case.to_silver("brands")["brands"].read == 0, "the files it was in are not taken again"
    staged = case.to_gold("brands")["brands"]
    assert (staged.full, staged.upserts) == (True, 2)
    assert "expired" in staged.note
    for name in ("brands", "brands_changes"):
        case.spark.sql(f"DROP TABLE {case.house.name(name)} PURGE")
    case.changes("brands", [("I", 20, brand(2, "Somebody else"))])
    case.to_silver("brands")
    assert case.live("brands") == {(1,): (1, "Acme Inc"), (2,): (2, "Somebody else"), (3,): (3, "Bolt")}
    assert told(case) == []


def keep(case: Case, **arguments: str) -> dict[str, Any]:
    from housekeeping import keep_tables

    given = {"positions": json.dumps(case.positions), "tables": "brands", "snapshot_days": "0", **arguments}
    later = datetime.now(UTC) + timedelta(minutes=1)
    return {kept.table: kept for kept in keep_tables(case.house, case.pipeline, given, later)}


def test_housekeeping_leaves_what_models_read_from_and_little_else(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medallion_glue import upkeep

    monkeypatch.setattr(upkeep, "SMALL_FILES", 2)
    case.load("brands", [brand(n, f"b{n}") for n in range(4)])
    case.to_silver("brands")
    case.to_gold("brands")
    for number in range(3):
        case.changes("brands", [("U", 10 + number, brand(number % 4, f"new {number}"))])
        case.to_silver("brands")
    rows = case.live("brands")
    kept = keep(case)
    assert (kept["brands_changes"].files, kept["brands"].files) == (1, 1)
    assert kept["brands"].snapshots == 1
    assert kept["brands_changes"].snapshots > 3, "the model has not read them yet"
    staged = case.to_gold("brands")["brands"]
    assert (staged.full, staged.upserts) == (False, 3)
    assert comparable(case.gold["brands"]) == comparable(case.evaluated("brands"))
    case.to_silver("brands")
    case.to_gold("brands")
    assert keep(case)["brands_changes"].snapshots < kept["brands_changes"].snapshots
    assert case.live("brands") == rows
    lost = next((case.objects / "silver").rglob(f"{case.schema}_silver/brands/data/*.parquet"))
    lost = lost.with_name("killed.parquet")
    lost.write_bytes(b"half")
    os.utime(lost, (NOW.timestamp() - 5 * 86400,) * 2)
    assert upkeep.Upkeep(case.house, "brands").remove_orphans(NOW - timedelta(days=3)) == 1
    assert not lost.exists()
    assert case.live("brands") == rows
    case.changes("brands", [("D", 90, {"brand_id": 1})])
    case.to_silver("brands")
    staged = case.to_gold("brands")["brands"]
    assert (staged.full, staged.deletes) == (False, 1)


def test_bronze_goes_by_whole_generations_and_a_rebuild_still_ends_the_same(case: Case) -> None:
    from medallion_glue.retention import delete_generations

    case.load("brands", [brand(1, "one"), brand(2, "two")])
    case.to_silver("brands")
    case.generation = "g0002"
    case.load("brands", [brand(2, "two"), brand(3, "three")])
    case.to_silver("brands")
    rows = case.live("brands")
    folder = case.objects / "bronze"
    held = [case.house.property("brands", "medallion.generation")]
    mine = list(folder.glob(f"g*/{case.schema}/**/*.parquet"))
    for path in folder.rglob("*.parquet"):
        os.utime(path, (NOW.timestamp() - 100 * 86400,) * 2)
    assert delete_generations("bronze", [*held, None], NOW) == {}, "a table of silver holds nothing yet"
    assert delete_generations("bronze", held, NOW - timedelta(days=200)) == {}
    assert list(delete_generations("bronze", held, NOW - timedelta(days=90))) == ["g0001"]
    assert [p.exists() for p in sorted(mine)] == [False, True]
    for name in ("brands", "brands_changes"):
        case.spark.sql(f"DROP TABLE {case.house.name(name)} PURGE")
    case.to_silver("brands")
    assert case.live("brands") == rows
