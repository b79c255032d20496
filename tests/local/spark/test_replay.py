"""Bronze processed again: nothing changes unless a rule has, the old state stays until the new one is there."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from medallion_glue import objects as s3
from warehouse_case import Case, FolderClient, comparable, moment

pytestmark = pytest.mark.engine
TABLES = ("brands", "products", "sales")


def brand(number: int, name: str | None = None, **more: object) -> dict[str, object]:
    return {"brand_id": number, "name": name, **more}


def product(number: int, brand_id: int, name: str) -> dict[str, object]:
    return {"product_id": number, "brand_id": brand_id, "name": name, "price": "2.50"}


def sale(number: int, product_id: int) -> dict[str, object]:
    return {
        "sale_id": number,
        "line": 1,
        "product_id": product_id,
        "quantity": 2,
        "sold_at": datetime(2026, 1, 2),
    }


def changed(case: Case) -> Case:
    """Two generations with changes in each, taken as they came, and gold by every run."""
    case.load("brands", [brand(1, "one"), brand(2, "two"), brand(3, "three")])
    case.load("products", [product(1, 1, "Anvil"), product(2, 2, "Bow")])
    case.load("sales", [sale(1, 1), sale(2, 2)])
    case.to_silver()
    case.to_gold()
    case.changes(
        "brands", [("U", 5, brand(1, "uno")), ("D", 6, brand(2)), ("U", 7, brand(4, "x", BI_brand_id=3))]
    )
    case.changes("products", [("U", 8, product(1, 4, "Anvil"))])
    case.to_silver()
    case.to_gold()
    case.generation = "g0002"
    later = {"dms_commit_ts": moment(60)}
    case.load("brands", [brand(1, "uno") | later, brand(4, "four") | later])
    case.load("products", [product(1, 4, "Anvil") | later])
    case.load("sales", [sale(1, 1) | later])
    case.changes("brands", [("U", 70, brand(1, "eins"))])
    case.to_silver()
    case.to_gold()
    case.changes("brands", [("I", 80, brand(9, "neun"))])
    case.to_silver()
    case.to_gold()
    return case


def state(case: Case) -> dict[str, Any]:
    """Rows of silver with their positions, every change, and gold with histories and surrogates."""
    found: dict[str, Any] = {}
    for table in TABLES:
        rows = case.house.at(table, None).where("NOT _is_deleted").collect()
        found[table] = sorted((tuple(row) for row in rows), key=repr)
        changes = case.house.at(f"{table}_changes", None).where("_bronze_file NOT LIKE '%again%'").collect()
        found[f"{table}_changes"] = sorted((tuple(row) for row in changes), key=repr)
    return found | {model: comparable(rows) for model, rows in case.gold.items()}


def heads(case: Case) -> list[int | None]:
    return [case.house.head(f"{table}{suffix}") for table in TABLES for suffix in ("", "_changes")]


@pytest.fixture(scope="module")
def grown(spark: Any, objects: Path) -> Iterator[Case]:
    """The case that each test here leaves with the state that it had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3, "client", lambda: FolderClient(objects))
        case = Case(spark, objects, f"shop_{uuid.uuid4().hex[:8]}")
        note(case, "g0001")
        yield changed(case)


def note(case: Case, folder: str) -> None:
    """That a load was seen complete, as the command line notes it."""
    path = case.objects / "artifacts" / "generations" / f"{folder}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"tables": null, "loaded": true}')


def test_a_replay_of_everything_changes_nothing_and_commits_nothing(grown: Case) -> None:
    case = grown
    before, committed = state(case), heads(case)
    reports = case.to_silver(replay="all")
    assert {report.state for report in reports.values()} == {"ok"}, reports
    assert reports["brands"].files == 5
    assert case.to_gold() == {}
    assert (state(case), heads(case)) == (before, committed)


@pytest.mark.recovery
def test_a_rule_that_changed_is_applied_to_what_was_taken_and_gold_follows_in_full(grown: Case) -> None:
    case = grown
    before = state(case)
    rule = {"name": "short", "expression": "char_length(name) < 4", "on_fail": "quarantine"}
    case.expectations = {"brands": [rule]}
    case.to_silver()
    assert (9,) in case.live("brands"), "what was taken stays as it was taken"
    report = case.to_silver("brands", replay="all")["brands"]
    assert set(case.live("brands")) == set(), "eins, four and neun are all too long"
    assert (report.deleted, report.read) == (3, 11)
    staged = case.to_gold()
    assert staged["dim_product"].full
    assert "processed again" in staged["dim_product"].note
    for model in case.gold:
        assert comparable(case.gold[model]) == comparable(case.evaluated(model)), model
    case.expectations = {}
    case.to_silver("brands", replay="all")
    case.to_gold()
    assert state(case) == before


@pytest.mark.recovery
def test_a_replay_from_a_moment_leaves_older_files_alone(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    first = case.changes("brands", [("I", 5, brand(2, "long name"))])
    second = case.changes("brands", [("I", 6, brand(3, "long name"))])
    for key, day in ((first, 2), (second, 3)):
        at = datetime(2026, 1, day, tzinfo=UTC).timestamp()
        os.utime(case.objects / "bronze" / key, (at, at))
    load = next((case.objects / "bronze" / "g0001" / case.schema / "brands").glob("LOAD*"))
    os.utime(load, (1, 1))
    case.to_silver("brands")
    case.expectations = {"brands": [{"name": "r", "expression": "name = 'one'", "on_fail": "drop"}]}
    report = case.to_silver("brands", replay="2026-01-02T12:00:00+00:00")["brands"]
    assert (report.files, set(case.live("brands"))) == (1, {(1,), (2,)})
    load.unlink()
    assert "not in bronze any more" in case.to_silver("brands", replay="all")["brands"].error
    assert set(case.live("brands")) == {(1,), (2,)}, "refused, nothing changed"
    case.to_silver("brands", replay="2026-01-02T00:00:00+00:00")
    assert set(case.live("brands")) == {(1,)}, "from what is left it can"


def test_killed_between_both_commits_the_next_run_completes(grown: Case) -> None:
    from medallion_glue.replay import replay

    case = grown
    held = state(case)
    case.expectations = {"brands": [{"name": "r", "expression": "brand_id <> 9", "on_fail": "drop"}]}
    before = case.live("brands")
    assert replay(case.silver_table("brands"), "all").rows
    assert case.live("brands") == before, "readers see the old state until the new one is whole"
    case.to_silver("brands")
    assert set(case.live("brands")) == set(before) - {(9,)}
    case.expectations = {}
    case.to_silver("brands", replay="all")
    case.to_gold()
    assert state(case) == held


def test_a_rebuild_from_nothing_equals_what_grew_step_by_step(grown: Case) -> None:
    """Surrogates are functions of keys and positions."""
    case = grown
    before = state(case)
    note(case, "g0001")
    assert len(before["dim_product"][(1,)]) == 4, "brand and product changed, then the reload and a change"
    for table in TABLES:
        for name in (table, f"{table}_changes"):
            case.spark.sql(f"DROP TABLE {case.house.name(name)} PURGE")
    case.to_silver()
    case.positions.clear()
    case.gold.clear()
    case.to_gold()
    assert state(case) == before


@pytest.mark.recovery
def test_files_under_the_same_and_under_another_name_change_nothing(grown: Case) -> None:
    """Any file of any generation, in any order."""
    case = grown
    before = state(case)
    bronze = case.objects / "bronze"
    for number, path in enumerate(sorted(p for p in bronze.rglob("*.parquet") if case.schema in str(p))):
        path.with_name(f"2027{number:04d}-again.parquet").write_bytes(path.read_bytes())
        path.write_bytes(path.read_bytes())
    case.to_silver()
    case.to_gold()
    assert state(case) == before
    case.to_silver(replay="all")
    case.to_gold()
    assert {k: v for k, v in state(case).items() if "changes" not in k} == {
        k: v for k, v in before.items() if "changes" not in k
    }


@pytest.mark.recovery
def test_one_table_is_loaded_alone_and_the_others_go_on(case: Case) -> None:
    case.load("brands", [brand(1, "one"), brand(2, "two"), brand(5, "missed at the source")])
    case.load("products", [product(1, 1, "Anvil"), product(2, 2, "Bow")])
    case.load("sales", [sale(1, 1)])
    case.changes("products", [("U", 5, product(2, 2, "Bow II"))])
    case.to_silver()
    case.to_gold()
    case.reload_alone("brands", "g0002", loaded=False)
    case.changes("products", [("I", 11, product(3, 1, "Cart"))])
    case.changes("brands", [("U", 12, brand(1, "uno"))])
    reports = case.to_silver()
    assert (reports["brands"].state, reports["products"].rows) == ("waiting_for_full_load", 3)
    assert len(case.live("brands")) == 3, "DMS's word is on the load before: the old state stays"
    later = {"dms_commit_ts": moment(15)}
    case.load("brands", [brand(1, "zwei") | later, brand(2, "two!") | later, brand(6, "new") | later])
    case.changes("brands", [("U", 13, brand(1, "zwei")), ("D", 20, brand(6))])
    case.reload_alone("brands", "g0002")
    case.to_silver()
    case.to_gold()
    assert case.live("brands") == {(1,): (1, "zwei"), (2,): (2, "two!")}
    assert set(case.live("products")) == {(1,), (2,), (3,)}
    names = [row["brand"] for row in sorted(case.gold["dim_product"][(1,)], key=lambda r: r["version"])]
    assert names == ["one", "uno", "zwei"], "a change of before the load is no detour through the load's row"
    for model in case.gold:
        assert comparable(case.gold[model]) == comparable(case.evaluated(model)), model
    before = state(case)
    case.to_silver(replay="all")
    assert case.to_gold() == {}
    assert state(case) == before
    assert case.house.property("products", "medallion.generation") == "g0001", "which retention has to keep"
    case.generation = "g0001"
    case.changes("products", [("U", 6, product(2, 2, "late"))])
    case.generation = "g0002"
    case.to_silver("products")
    assert "late" in case.live("products")[(2,)], "of a table that goes on every folder since its load counts"


def test_a_load_of_one_table_is_a_version_or_none_whenever_runs_and_files_come(case: Case) -> None:
    """Brand 1 changed after the load, 2 only before it, 3 both, in a file that comes late."""
    case.load("brands", [brand(1, "nine"), brand(2, "two"), brand(3, "three")])
    case.load("products", [product(n, n, f"product {n}") for n in (1, 2, 3)])
    case.load("sales", [])
    run(case)
    case.reload_alone("brands", "g0002")
    loaded = {"dms_commit_ts": moment(15)}
    case.load("brands", [brand(1, "ten") | loaded, brand(3, "drei") | loaded])
    case.load("brands", [brand(2, "zwei") | loaded])
    case.changes("brands", [("U", 12, brand(2, "deux")), ("U", 13, brand(2, "zwei"))])
    assert run(case).files == 3
    assert run(case).files == 0, "a file of which no row is a version has been taken, too"
    case.changes("brands", [("U", 20, brand(1, "twelve")), ("U", 21, brand(3, "trois"))])
    run(case)
    case.changes("brands", [("U", 14, brand(3, "drei"))])
    run(case)
    assert {number: histories(case, number) for number in (1, 2, 3)} == {
        1: ["nine", "ten", "twelve"],
        2: ["two", "deux", "zwei"],
        3: ["three", "drei", "trois"],
    }
    before = state(case)
    case.to_silver("brands", replay="all")
    assert case.to_gold() == {}
    for name in ("brands", "brands_changes"):
        case.spark.sql(f"DROP TABLE {case.house.name(name)} PURGE")
    note(case, "g0001")
    run(case)
    case.to_gold(full=True)
    assert state(case) == before


def run(case: Case) -> Any:
    """Both jobs; silver's report on the brands."""
    report = case.to_silver()["brands"]
    case.to_gold()
    return report


def histories(case: Case, number: int) -> list[str]:
    rows = sorted(case.gold["dim_product"][(number,)], key=lambda row: row["version"])
    return [row["brand"] for row in rows]


def test_a_whole_generation_after_one_of_a_single_table(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.load("products", [product(1, 1, "Anvil")])
    case.to_silver("brands,products")
    case.reload_alone("brands", "g0002", loaded=False)
    case.changes("products", [("U", 11, product(1, 1, "Anvil II"))])
    case.generation = "g0003"
    case.load("brands", [brand(7, "seven")])
    case.load("products", [product(1, 1, "Anvil III")])
    case.to_silver("brands,products")
    assert set(case.live("brands")) == {(7,)}
    assert case.live("products")[(1,)][2] == "Anvil III"
    names = case.house.at("products_changes", None).orderBy("_generation", "_seq").select("name").collect()
    assert [row[0] for row in names] == ["Anvil", "Anvil II", "Anvil III"]


def test_gold_from_an_older_position_mends_what_was_touched_since_and_stands_where_it_stood(
    grown: Case,
) -> None:
    case = grown
    name, stood = "dim_product", dict(case.positions)
    held = json.loads(stood[name]["to"])
    older = {
        table: case.house.handle(f"{table}_changes").currentSnapshot().parentId() or held[table]
        for table in held
    }
    before = state(case)
    case.gold[name].pop((1,))
    staged = case.to_gold(since=json.dumps({name: json.dumps(older, sort_keys=True, separators=(",", ":"))}))
    assert set(staged) == {name}
    assert not staged[name].full
    assert (staged[name].from_position, staged[name].to_position) == (stood[name]["to"],) * 2
    assert state(case) == before
    case.gold[name].clear()
    assert case.to_gold(since=json.dumps({name: ""}))[name].full, "from before its first merge"
    assert state(case) == before
    assert case.to_gold(since=json.dumps({name: stood[name]["to"]})) == {}, "nothing was touched since"


def test_compaction_of_files_is_no_reason_to_evaluate_in_full(case: Case) -> None:
    case.load("brands", [brand(1, "one")])
    case.to_silver("brands")
    case.to_gold("brands")
    case.changes("brands", [("I", 90, brand(10, "ten"))])
    case.to_silver("brands")
    options = "options => map('rewrite-all', 'true')"
    name = f"{case.house.database}.brands_changes"
    case.spark.sql(f"CALL {case.house.catalog}.system.rewrite_data_files(table => '{name}', {options})")
    assert case.house.handle("brands_changes").currentSnapshot().operation() == "replace"
    assert not case.to_gold("brands")["brands"].full
