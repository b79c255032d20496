"""Columns that change at the source under a whole pipeline are named, and no value moves to another column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Medallion

pytestmark = [pytest.mark.engine, pytest.mark.recovery]


@pytest.fixture(scope="module")
def shop(home: Path) -> Medallion:
    """A project of one small table, up and run."""
    project = home / "projects" / "drifting"
    tool = Medallion(home, "drifting-local")
    tool("init", str(project), "--empty", "--name", "drifting")
    tool.project = project
    tool("table", "add", "parts", "--column", "name VARCHAR(20) NOT NULL", "--column", "n INT NOT NULL")
    tool("up", "--yes")
    change(tool, "INSERT INTO parts (name, n) VALUES ('a', 1), ('b', 2)")
    tool("run")
    tool.verified()
    return tool


def change(tool: Medallion, *statements: str) -> None:
    with tool.source("drifting") as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def found(tool: Medallion, code: str) -> dict[str, Any]:
    """The finding of `status` with this code, which is a warning."""
    out, _ = tool.ended("--output", "json", "status", code=0)
    findings = {one["code"]: one for one in json.loads(out)["findings"]}
    assert code in findings, findings
    return dict(findings[code])


def test_columns_that_drift_are_named_and_gold_keeps_its_columns(shop: Medallion) -> None:
    change(
        shop,
        "ALTER TABLE parts ADD COLUMN colour VARCHAR(10) NOT NULL DEFAULT 'red' FIRST, "
        "RENAME COLUMN name TO label, MODIFY COLUMN n BIGINT NOT NULL",
        "INSERT INTO parts (label, n, colour) VALUES ('c', 3, 'blue')",
    )
    shop("run")
    named = found(shop, "MED-SRC-005")
    assert "looks like a rename of name" in named["evidence"]
    assert "n retyped (int → bigint" in named["evidence"]
    assert shop.query("SELECT name, n FROM gold.parts ORDER BY n") == [
        {"name": "a", "n": 1},
        {"name": "b", "n": 2},
        {"name": None, "n": 3},
    ]
