"""Columns and tables that change at the source under a whole pipeline: each is named, and its remedy, typed, ends in equal."""

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
    """The finding of `status` with this code."""
    out, _ = tool.ended("--output", "json", "status", code=int(code != "MED-SRC-005") * 3)
    findings = {one["code"]: one for one in json.loads(out)["findings"]}
    assert code in findings, findings
    return dict(findings[code])


def typed(tool: Medallion, remedy: str) -> None:
    """Types a remedy as it stands."""
    for line in remedy.split(" && "):
        tool(*line.split()[1:])


def test_columns_that_drift_are_named_and_the_remedy_brings_them_to_gold(shop: Medallion) -> None:
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
    change(shop, "INSERT INTO parts (label, n) VALUES ('wide', 5000000000)")
    shop.refused("run", code=1)
    assert "n holds a number that does not fit int" in found(shop, "MED-SIL-012")["evidence"]
    typed(shop, named["remedy"])
    shop.verified()
    assert shop.query("SELECT label, colour, n FROM gold.parts ORDER BY n") == [
        {"label": "a", "colour": "red", "n": 1},
        {"label": "b", "colour": "red", "n": 2},
        {"label": "c", "colour": "blue", "n": 3},
        {"label": "wide", "colour": "red", "n": 5_000_000_000},
    ]
    status = shop.json("status")
    assert not [one for one in status["findings"] if one["code"].startswith(("MED-SRC", "MED-SIL"))]


def test_a_table_that_is_truncated_is_named_and_the_remedy_empties_gold(shop: Medallion) -> None:
    change(shop, "TRUNCATE TABLE parts")
    shop("run")
    named = found(shop, "MED-SRC-007")
    typed(shop, named["remedy"])
    shop.verified()
    assert shop.query("SELECT COUNT(*) AS n FROM gold.parts") == [{"n": 0}]


def test_a_table_that_is_dropped_is_named_and_the_remedy_makes_it_again(shop: Medallion) -> None:
    change(shop, "DROP TABLE parts")
    named = found(shop, "MED-SRC-006")
    typed(shop, named["remedy"])
    change(shop, "INSERT INTO parts (label, n) VALUES ('again', 1)")
    shop("run")
    shop.verified()
    assert shop.query("SELECT label FROM gold.parts") == [{"label": "again"}]
