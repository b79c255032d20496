"""What silver tells of data quality, without Spark: statements for the warehouse, foreign files, the order of tables."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "glue_scripts"))

from medallion_glue.document import Column, Expectation, Table
from medallion_glue.ledger import SAMPLE_BYTES, quality_batches
from medallion_glue.relations import waves
from medallion_glue.set_aside import BadFile, BadFiles, is_other, refuse
from medallion_glue.step_file import fitted

from medallion_cli.operations.quarantine import kept_out


def table(name: str, *rules: Expectation, bad_files: str = "set_aside") -> Table:
    columns = tuple(Column(c, "int", f"`{c}`") for c in ("id", "a", "b"))
    return Table(name, "shop", ("id",), columns, rules, bad_files=bad_files)


def step(**entry: Any) -> dict[str, Any]:
    rule = {
        "rule": "r",
        "kind": "in",
        "action": "drop",
        "new": 1,
        "rows": 2,
        "sample": [{"key": {"id": "o'x\\"}}],
    }
    return {
        "finished_at": "2026-01-01T02:03:04.000005+00:00",
        "tables": [{"table": "orders", "read": 3, "expectations": [rule], **entry}],
    }


def test_the_warehouse_is_told_once_however_often_it_is_told() -> None:
    [[delete, insert]] = quality_batches(step(), "run-1")
    assert delete == "DELETE FROM etl.quality WHERE run_id = 'run-1'"
    row = "('run-1', 'orders', 'r', 'in', 'drop', 1, 2, 'id=o''x', '2026-01-01 02:03:04.000005')"
    assert insert.endswith(f"VALUES {row}")


def test_nothing_read_is_nothing_told() -> None:
    assert quality_batches(step(read=0), "run-1") == quality_batches({}, "run-1") == []


def test_a_sample_has_room_in_its_column() -> None:
    found = step()
    found["tables"][0]["expectations"][0]["sample"] = [{"key": {"id": "é" * 3000}}] * 5
    [[_, insert]] = quality_batches(found, "run-1")
    assert insert.count("id=") == 1
    assert len("é" * 3000 * 2) < SAMPLE_BYTES


def test_many_rules_fit_into_the_data_api_and_the_state_machine() -> None:
    found = step()
    rule = found["tables"][0]["expectations"][0] | {"sample": [{"key": {"id": "x" * 250}}] * 5}
    found["tables"][0]["expectations"] = [rule | {"rule": f"r{n}"} for n in range(600)]
    [[delete, *inserts]] = quality_batches(found, "run-1")
    assert delete.startswith("DELETE")
    assert len(inserts) < 39
    assert max(len(sql.encode()) for sql in inserts) < 100_000
    assert sum(len(json.dumps(sql)) for sql in inserts) < 150_000
    assert sum(sql.count("'drop'") for sql in inserts) == 600


def test_a_step_file_fits_between_two_states() -> None:
    file = {
        "file": f"g0001/shop/orders/{'x' * 60}.parquet",
        "reason": "truncated",
        "size": 1,
        "modified": "2026",
    }
    empty = file | {"reason": "no_rows"}
    sample = [{"key": {"id": "x" * 250}, "file": "f", "row": 1}] * 5
    rules = [{"rule": f"r{n}", "rows": 9, "new": 9, "sample": sample} for n in range(20)]
    table = {
        "table": "orders",
        "set_aside": [empty, *[file] * 3000],
        "expectations": rules,
        "error": "e" * 9000,
    }
    small = {"run_id": "run-1", "tables": [{**table, "set_aside": [file], "expectations": rules[:1]}]}
    assert fitted(small) is small
    large = fitted({"run_id": "run-1", "tables": [table] * 10})
    assert len(json.dumps(json.dumps(large))) < 200_000
    entry = large["tables"][0]
    assert entry["set_aside_total"] == 3001
    assert [one["rows"] for one in entry["expectations"]] == [9] * 20
    assert all(one["reason"] == "truncated" for one in entry["set_aside"]), "what is lost is told first"


def refers(to: str) -> Expectation:
    return Expectation("r", "true", "quarantine", "references", ("a",), to, ("id",))


def test_tables_come_after_those_that_they_refer_to() -> None:
    tables = [
        table("c", refers("b")),
        table("b", refers("a")),
        table("a"),
        table("d", refers("d")),
        table("e", refers("x")),
    ]
    assert [[t.name for t in wave] for wave in waves(tables)] == [["a", "d", "e"], ["b"], ["c"]]


@pytest.mark.parametrize(
    ("columns", "load", "other"),
    [
        (["Op", "id", "a", "b", "dms_change_seq"], False, False),
        (["ID", "dms_change_seq"], False, False),
        (["id", "a", "b"], False, True),  # changes without their order
        (["id", "a", "b"], True, False),
        (["BI_id", "dms_change_seq"], False, False),
        (["x", "y", "dms_change_seq"], False, True),
        (["uid", "a", "b", "dms_change_seq"], False, False),  # a renamed key is schema drift
        (["Op", "id", "customer_id", "BI_id", "dms_commit_ts", "dms_change_seq"], False, True),
        (["Op", "id", "customer_id", "total"], True, True),
        (["Op", "id", "a", "customer_id", "total"], True, False),
        (["Op", "id", "BI_id", "dms_commit_ts", "dms_change_seq"], False, False),  # a delete's
    ],
)
def test_a_file_of_another_schema(columns: list[str], load: bool, other: bool) -> None:
    assert is_other(table("orders"), columns, load) is other


def test_of_a_table_with_little_beside_its_key_columns_may_be_added_and_renamed() -> None:
    small = table("orders")
    key_alone, one_more = replace(small, columns=small.columns[:1]), replace(small, columns=small.columns[:2])
    assert not is_other(key_alone, ["id", "x", "y"], True)
    assert not is_other(one_more, ["id", "renamed"], True)
    assert is_other(one_more, ["id", "x", "y"], True)


def test_a_file_without_rows_fails_nothing() -> None:
    none, torn = (BadFile(f"g0001/shop/orders/{r}.parquet", r, 1, "") for r in ("no_rows", "truncated"))
    refuse(table("orders", bad_files="fail"), [none])
    refuse(table("orders"), [none, torn], replaces=True)  # changes do not replace what is there
    with pytest.raises(BadFiles, match="cannot be read: it is a truncated"):
        refuse(table("orders", bad_files="fail"), [none, torn])


def test_what_is_kept_out_is_listed_from_the_newest_runs() -> None:
    rule = {"rule": "r", "kind": "in", "action": "drop", "new": 0, "rows": 2, "sample": []}
    file = {"file": "g0001/shop/a/x.parquet", "reason": "empty", "size": 0, "modified": ""}
    tables = {
        "a": {
            "in_quarantine": 0,
            "dropped": 2,
            "expectations": [rule, rule | {"rows": 0}, rule | {"rows": 0, "new": 1}],
            "run_id": "run-1",
        },
        "b": {"set_aside": [file]},
    }
    pipeline = SimpleNamespace(table=lambda name: name)
    found = kept_out(SimpleNamespace(pipeline=pipeline, history=SimpleNamespace(tables=tables)))  # type: ignore[arg-type]
    assert found["tables"] == [{"table": "a", "in_quarantine": 0, "dropped": 2, "run_id": "run-1"}]
    assert [one["rows"] for one in found["rules"]] == [2]
    assert found["files"] == [{"table": "b", **file}]
