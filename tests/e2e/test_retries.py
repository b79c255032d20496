"""Runs that failed or were stopped: `retry`, typed as the failed command says it, redrives them, and everything is equal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from command_line import Medallion
from engines import warehouse

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
SCHEMA = "retried"


@pytest.fixture(scope="module")
def shop(home: Path) -> Medallion:
    """A project of one small table, up."""
    project = home / "projects" / SCHEMA
    tool = Medallion(home, f"{SCHEMA}-local")
    tool("init", str(project), "--empty", "--name", SCHEMA)
    tool.project = project
    tool("table", "add", "parts", "--column", "name VARCHAR(20) NOT NULL")
    tool("up", "--yes")
    return tool


def change(tool: Medallion, statement: str) -> None:
    with closing(tool.source(SCHEMA)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        connection.commit()


def rename(tool: Medallion, old: str, new: str) -> None:
    """Takes a staging table away, or brings it back."""
    with warehouse(tool) as connection:
        connection.execute(f"ALTER TABLE staging.{old} RENAME TO {new}")  # type: ignore[arg-type]
        connection.commit()


def test_a_run_that_failed_is_redriven_and_one_that_succeeded_is_left_alone(shop: Medallion) -> None:
    change(shop, "INSERT INTO parts (name) VALUES ('a'), ('b')")
    rename(shop, "parts", "away")
    assert "retry" in shop.refused("run", code=1).splitlines()[-1]
    rename(shop, "away", "parts")
    failed, *_ = shop.json("runs")
    done = shop.json("retry")
    assert (done["retried"], done["how"], done["status"]) == (failed["run_id"], "redriven", "SUCCEEDED")
    shop.verified()
    assert shop.json("retry")["how"] == "nothing"


def test_a_run_that_was_stopped_goes_on(shop: Medallion) -> None:
    change(shop, "UPDATE parts SET name = 'c' WHERE name = 'b'")
    stopped = shop("run", "--detach").strip()
    arn = shop.json("outputs")["StateMachineArn"].replace(":stateMachine:", ":execution:")
    shop.client("stepfunctions").stop_execution(executionArn=f"{arn}:{stopped}")
    done = shop.json("retry")
    assert (done["retried"], done["how"], done["status"]) == (stopped, "redriven", "SUCCEEDED")
    shop.verified()
    assert shop.query("SELECT name FROM gold.parts ORDER BY name") == [{"name": "a"}, {"name": "c"}]
    shop("down", "--yes")
