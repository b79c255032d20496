"""Replay and reloads of single tables on the whole stack: what changes nothing, what mends, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from by_hand import change_gold
from command_line import Medallion

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
MODELS = ("dim_customer", "dim_product", "fact_sales", "fact_payments", "agg_sales_daily", "agg_customer")


@pytest.fixture(scope="module")
def retail(home: Path) -> Medallion:
    """Seeded, run, changed, run."""
    tool = Medallion(home)
    tool("up", "--yes")
    tool("seed", "--rows", "2000", "--seed", "1")
    tool("run")
    tool("seed", "--changes", "200", "--seed", "2")
    tool("run")
    return tool


def gold(tool: Medallion) -> dict[str, list[Any]]:
    """Sorted rows of gold, histories included, what tells of the load left out."""
    found = {}
    for model in MODELS:
        rows = tool.query(f"SELECT * FROM gold.{model}")
        found[model] = sorted(tuple((k, v) for k, v in row.items() if not k.startswith("_")) for row in rows)
    return found


def test_everything_again_changes_nothing_and_is_told_first(retail: Medallion) -> None:
    before = gold(retail)
    plan = retail.json("replay", "--from", "all", "--dry-run")
    reads = {read["table"]: read["files"] for read in plan["reads"]}
    assert reads["orders"] >= 2
    assert set(plan["gold"].values()) == {"in full"}
    shown, refused = retail.ended("replay", "--from", "all", code=2)
    assert "reads of bronze" in shown
    assert "add --yes" in refused
    done = retail.json("replay", "--from", "all", "--yes")
    assert done["status"] == "SUCCEEDED"
    assert gold(retail) == before
    retail.verified()


def test_gold_that_was_changed_by_hand_is_mended_from_the_run_that_made_it(retail: Medallion) -> None:
    before = gold(retail)
    newest = [run["run_id"] for run in retail.json("runs")]
    first = min(newest)
    change_gold(retail, "UPDATE gold.fact_payments SET amount = amount + 1 WHERE payment_id = 11")
    assert gold(retail) != before
    retail("replay", "--from", first, "--layer", "gold", "--yes")
    assert gold(retail) == before
    assert "neither a run nor a time" in retail.refused("replay", "--from", "yesterday", "--yes", code=2)
    assert "no run" in retail.refused("replay", "--from", "run-20200101T000000Z-aaaa", "--yes", code=2)


def test_any_run_merged_again_changes_nothing(retail: Medallion) -> None:
    before = gold(retail)
    for run in retail.json("runs"):
        retail.ended("merge", "--run", run["run_id"], code=0)
    assert gold(retail) == before


def test_one_table_is_loaded_again_while_the_others_go_on(retail: Medallion) -> None:
    retail("seed", "--changes", "100", "--seed", "3")
    retail("replicate", "reload", "--table", "brands", "--yes")
    retail("seed", "--changes", "100", "--seed", "4")
    retail("run")
    assert retail.json("status")["replication"]["generation"] == "g0002"
    names = {path.parent.name for path in (retail.objects("bronze") / "g0002").rglob("LOAD*")}
    assert names == {"brands"}
    retail.verified()
    before = gold(retail)
    retail("replay", "--from", "all", "--yes")
    assert gold(retail) == before
