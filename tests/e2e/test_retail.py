"""The shipped project, from nothing to equal, through changes and a reload; its documented JSON."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from by_hand import change_gold, change_silver, changing, lose_a_file_of
from change_history import Baseline, Span, baseline, customers, products, spans
from command_line import Medallion
from engines import objects, snapshots
from secrecy import CommandLines, leaks, leaks_in_files, secrets

from medallion_cli.operations.replicate import next_generation

pytestmark = pytest.mark.engine
CHECKSUM = re.compile(r"\d+:\d+:\d+:\d+:\d+")
VERIFIED = {
    "equal",
    "position",
    "tables",
    "models",
    "differences",
    "differences_total",
    "differences_exact",
    "waiting",
}
ROW = {"table", "layer", "read", "inserted", "updated", "deleted", "quarantined"}


@pytest.fixture(scope="module")
def command_lines() -> Iterator[CommandLines]:
    """What `ps` showed of every process, from the first `up` on."""
    with CommandLines() as lines:
        yield lines


@pytest.fixture(scope="module")
def retail(home: Path, command_lines: CommandLines) -> Medallion:
    """The environment, seeded and run."""
    tool = Medallion(home)
    tool("up", "--yes")
    tool("seed", "--rows", "20000", "--seed", "1")
    tool("run")
    return tool


@pytest.fixture(scope="module")
def before(retail: Medallion) -> Baseline:
    """The source's rows before any change; the changes have reached gold, layer by layer, after it."""
    rows = baseline(retail)
    retail("seed", "--changes", "2000", "--seed", "2")
    return rows


def test_everything_is_equal_after_a_full_load(retail: Medallion) -> None:
    found = retail.verified()
    assert set(found) == VERIFIED
    assert (found["differences"], found["differences_total"], found["waiting"]) == ([], 0, {})
    assert sum(table["source"]["rows"] for table in found["tables"]) == 20_000
    for entry, one, other in [("tables", "source", "silver"), ("models", "gold", "expected")]:
        for pair in found[entry]:
            assert set(pair) == {entry[:-1], "equal", one, other}
            assert pair[one] == pair[other]
            assert pair[one]["rows"] > 0
            assert CHECKSUM.fullmatch(pair[one]["checksum"])
    assert {m["model"] for m in found["models"]} >= {
        "fact_sales",
        "dim_customer",
        "dim_product",
        "agg_customer",
    }


def test_status_tells_each_layer_and_the_last_run(retail: Medallion) -> None:
    found = retail.json("status")
    assert (found["env"], found["healthy"]) == ("local", True)
    assert [layer["layer"] for layer in found["layers"]] == ["bronze", "silver", "gold"]
    for layer in found["layers"]:
        for table in layer["tables"]:
            assert set(table) >= {"table", "rows", "last_change", "lag_seconds", "state"}
            assert table["rows"] > 0
            assert table["state"] == "ok"
    assert found["last_run"]["status"] == "SUCCEEDED"


def test_query_gives_decimals_as_text_and_times_as_iso(retail: Medallion) -> None:
    (row,) = retail.query(
        "SELECT revenue, ordered_at FROM gold.fact_sales ORDER BY order_id, line_no LIMIT 1"
    )
    assert re.fullmatch(r"\d+\.\d\d", row["revenue"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", row["ordered_at"])


def test_changes_reach_gold_layer_by_layer(retail: Medallion, before: Baseline) -> None:
    bronze = retail.json("run", "--layer", "bronze")
    assert set(bronze) == {"run_id", "status", "seconds", "tables"}
    assert (bronze["run_id"], bronze["status"]) == (None, "SUCCEEDED")
    silver = retail.json("run", "--layer", "silver")
    assert {row["layer"] for row in silver["tables"]} == {"silver"}
    assert sum(row["read"] for row in silver["tables"]) >= 2_000
    gold = retail.json("run", "--layer", "gold")
    assert {row["layer"] for row in gold["tables"]} == {"gold"}
    for row in [*bronze["tables"], *silver["tables"], *gold["tables"]]:
        assert set(row) == ROW
    retail.verified()


@pytest.mark.parametrize("expected", [customers, products], ids=["dim_customer", "dim_product"])
def test_history_equals_the_generators_ledger(retail: Medallion, before: Baseline, expected: Any) -> None:
    dimension, wanted = expected(retail, before)
    assert len(wanted) >= 3, "the generator changes some keys three times"
    found = spans(retail, dimension)
    for key, periods in wanted.items():
        _same(dimension, key, found[key], periods)


def _same(dimension: str, key: int, found: list[Span], wanted: list[Span]) -> None:
    """Values are equal; moments within two seconds (the binlog has whole ones); neighbours meet exactly."""
    where = f"{dimension} {key}\n{found}\n{wanted}"
    assert [span.values for span in found] == [span.values for span in wanted], where
    assert [span.is_current for span in found] == [span.is_current for span in wanted], where
    for one, other in zip(found, wanted, strict=True):
        assert one.start <= one.end, where
        assert one.starts_with(other), where
        assert one.ends_with(other), where
    for earlier, later in itertools.pairwise(found):
        assert earlier.end == later.start, where


def test_a_further_run_moves_nothing_and_leaves_nothing(retail: Medallion, before: Baseline) -> None:
    held = (snapshots(retail), objects(retail, "staging"))
    found = retail.json("run")
    assert found["status"] == "SUCCEEDED"
    moved = [row for row in found["tables"] if any(row[name] for name in ROW - {"table", "layer"})]
    assert moved == []
    assert (snapshots(retail), objects(retail, "staging")) == held


def test_merging_a_merged_run_again_changes_nothing(retail: Medallion, before: Baseline) -> None:
    loads = "SELECT run_id, model, merged_at FROM etl.load ORDER BY 1, 2"
    rows = "SELECT order_id, line_no, _run_id FROM gold.fact_sales ORDER BY 1, 2"
    held = (retail.query(loads), retail.query(rows))
    again = retail.json("merge")
    assert {row["model"] for row in again} >= {"fact_sales", "dim_customer"}
    assert (retail.query(loads), retail.query(rows)) == held


def test_a_life_is_told_from_the_binlog_to_the_dashboard(retail: Medallion, before: Baseline) -> None:
    (sold,) = retail.query("SELECT order_id, line_no FROM gold.fact_sales ORDER BY order_id, line_no LIMIT 1")
    found = retail.json("trace", "--table", "orders", "--key", str(sold["order_id"]))
    assert found["source"]["order_id"] == str(sold["order_id"])
    first = found["changes"][0]
    assert (first["op"], first["position"]["text"]) == ("I", "g0001, full load")
    assert (retail.objects("bronze") / first["bronze"]["file"]).is_file()
    assert first["silver"]["snapshot"]
    assert first["run_id"].startswith("run-")
    assert found["silver"]["values"]["status"] == found["source"]["status"]
    (sales,) = (entry for entry in found["gold"] if entry["model"] == "fact_sales")
    assert sold["line_no"] in {row["line_no"] for row in sales["rows"]}
    assert {load["run_id"] for load in sales["loads"]} == {row["_run_id"] for row in sales["rows"]}
    assert {entry["model"] for entry in found["aggregates"]} >= {"agg_sales_daily", "agg_customer"}
    assert found["dashboard"]


@pytest.mark.recovery
def test_damage_is_named_by_layer_table_key_and_column(retail: Medallion, before: Baseline) -> None:
    retail("run")
    lose_a_file_of(retail, "addresses", "UPDATE addresses SET city = 'Elsewhere' WHERE address_id = 7")
    change_silver(retail, "UPDATE silver.brands SET name = 'nobody' WHERE brand_id = 3")
    change_gold(retail, "UPDATE gold.fact_payments SET amount = amount + 1 WHERE payment_id = 11")
    out, err = retail.ended("--output", "json", "verify", code=3)
    found = json.loads(out)
    shown = {(d["layer"], d["table"], tuple(d["key"].values()), *d["columns"]) for d in found["differences"]}
    assert shown == {
        ("bronze", "addresses", ("7",), "city"),
        ("silver", "brands", ("3",), "name"),
        ("gold", "fact_payments", ("11",), "amount"),
    }
    assert found["differences_total"] == 3
    assert {d["code"] for d in found["differences"]} == {"MED-VER-001", "MED-VER-002", "MED-VER-003"}
    assert "MED-VER-001 not equal: brands, addresses, fact_payments" in err
    assert "try medallion replicate reload --yes && medallion run && medallion verify" in err
    retail("replicate", "reload", "--yes")
    retail("run")
    retail.verified()


def test_a_reload_is_a_new_generation_and_keeps_history(retail: Medallion, before: Baseline) -> None:
    generation = retail.json("status")["replication"]["generation"]
    history = {name: spans(retail, name) for name in ("dim_customer", "dim_product")}
    assert any(not span.is_current for periods in history["dim_customer"].values() for span in periods)
    retail("replicate", "reload", "--yes")
    retail("run")
    assert retail.json("status")["replication"]["generation"] == next_generation(generation)
    retail.verified()
    for name, periods in history.items():
        assert spans(retail, name) == periods


@pytest.mark.recovery
def test_verify_is_equal_while_changes_flow(retail: Medallion, before: Baseline) -> None:
    retail("run")
    with changing(retail, "UPDATE payments SET amount = amount + 0.01 WHERE payment_id = %s"):
        found = retail.verified()
    assert found["waiting"]["payments"] > 0
    assert found["position"]["seq"]


def test_the_page_holds_the_five_answers_without_a_network(retail: Medallion, tmp_path: Path) -> None:
    page = tmp_path / "sales.html"
    retail("dashboard", "--html", str(page))
    text = page.read_text(encoding="utf-8").replace("http://www.w3.org", "")
    assert len(retail.json("dashboard")) == 5
    assert "http://" not in text
    assert "https://" not in text


def test_up_again_changes_nothing(retail: Medallion) -> None:
    retail("up", "--yes")
    assert retail.json("plan")["changes"] == []


def test_no_secret_can_be_read_by_somebody_else(retail: Medallion, command_lines: CommandLines) -> None:
    """Not in processes, logs, files that all may read, templates, parameters, outputs, events or answers."""
    assert leaks(retail, command_lines) == []
    values = secrets(retail)
    name, value = next(iter(values.items()))
    planted = retail.state / "planted"
    planted.write_text(f"password={value}")
    planted.chmod(0o644)
    try:
        assert leaks_in_files(retail, values) == [f"{name} in {planted}"]  # it would have been found
    finally:
        planted.unlink()
