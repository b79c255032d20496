"""Columns and tables that change at the source, under each policy, on the whole stack: named, and the remedy ends in equal."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Medallion

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
SCHEMA = "drifting"
POLICIES = ("evolve", "ignore", "fail")  # each of the table `<policy>_parts`
TABLES = (*POLICIES, "lone")
WIDE = 5_000_000_000  # no INT holds it


@pytest.fixture(scope="module")
def shop(home: Path) -> Medallion:
    """A project of a small table for each policy and one more, up and run."""
    project = home / "projects" / SCHEMA
    tool = Medallion(home, f"{SCHEMA}-local")
    tool("init", str(project), "--empty", "--name", SCHEMA)
    tool.project = project
    columns = ("name VARCHAR(20) NOT NULL", "n INT NOT NULL", "note VARCHAR(20) NULL", "hue VARCHAR(9) NULL")
    words = [word for column in columns for word in ("--column", column)]
    for table in TABLES:
        tool("table", "add", f"{table}_parts", *words)
    path = project / "configs" / "pipeline.yaml"
    document = yaml.safe_load(path.read_text())
    for policy in POLICIES:
        document["tables"][f"{policy}_parts"] = {"schema_drift": policy}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    tool("up", "--yes")
    for table in TABLES:
        rows = "('a', 1, 'old a', 'red'), ('b', 2, 'old b', 'blue')"
        change(tool, f"INSERT INTO {table}_parts (name, n, note, hue) VALUES {rows}")
    tool("run")
    tool.verified()
    return tool


def change(tool: Medallion, *statements: str) -> None:
    """Runs statements at the source."""
    with closing(tool.source(SCHEMA)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def look(tool: Medallion, command: str = "status") -> dict[str, dict[str, Any]]:
    """What a look finds, by code."""
    process = tool.start("--output", "json", command)
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 3), err
    return {one["code"]: one for one in json.loads(out)["findings"]}


def typed(tool: Medallion, line: str) -> None:
    """Types a remedy as it stands, in a folder that has nothing to do with the project."""
    for part in line.split(" && "):
        name, *words = shlex.split(part)
        assert name == "medallion", line
        Medallion(tool.home, tool.name, None, tool.home).ended(*words, code=0)


def healed(tool: Medallion) -> None:
    """Everything is equal, and nobody finds anything of schemas or silver any more."""
    tool.verified()
    for command in ("status", "doctor"):
        assert not [code for code in look(tool, command) if code.startswith(("MED-SRC", "MED-SIL"))]


def gold(tool: Medallion, policy: str, *columns: str, above: int = 0) -> list[tuple[Any, ...]]:
    """A table's rows in gold whose `n` is above a number, in its order."""
    sql = f"SELECT {', '.join(columns)} FROM gold.{policy}_parts WHERE n > {above} ORDER BY n"
    rows = tool.query(sql)
    return [tuple(row[column] for column in columns) for row in rows]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_column_that_is_added_and_one_that_is_dropped(shop: Medallion, policy: str) -> None:
    change(
        shop,
        f"ALTER TABLE {policy}_parts ADD COLUMN colour VARCHAR(10) NOT NULL DEFAULT 'red' FIRST, DROP COLUMN note",
        f"INSERT INTO {policy}_parts (name, n, colour) VALUES ('c', 3, 'blue')",
    )
    before = [("a", 1, "old a"), ("b", 2, "old b")]
    if policy == "fail":
        assert "colour added" in shop.refused("run", code=1)
        assert gold(shop, policy, "name", "n", "note") == before
        remedy = look(shop)["MED-SIL-010"]["remedy"]
    else:
        shop("run")
        assert gold(shop, policy, "name", "n", "note") == [*before, ("c", 3, None)]
        named = look(shop)["MED-SRC-005"]
        assert "colour added (varchar(10))" in named["evidence"]
        assert "note dropped (varchar(20))" in named["evidence"]
        assert f"schema_drift is {policy}" in named["evidence"]
        remedy = named["remedy"]
    typed(shop, remedy)
    assert gold(shop, policy, "name", "n", "colour") == [("a", 1, "red"), ("b", 2, "red"), ("c", 3, "blue")]
    healed(shop)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_column_that_is_renamed_and_one_that_is_retyped(shop: Medallion, policy: str) -> None:
    change(
        shop,
        f"ALTER TABLE {policy}_parts RENAME COLUMN name TO label, MODIFY COLUMN n BIGINT NOT NULL",
        f"INSERT INTO {policy}_parts (label, n, hue) VALUES ('d', 14, 'green')",
    )
    if policy == "fail":
        assert "label added" in shop.refused("run", code=1)
        assert gold(shop, policy, "name", "n", "hue", above=10) == []
        code = "MED-SIL-010"
    else:
        shop("run")
        assert gold(shop, policy, "name", "n", "hue", above=10) == [(None, 14, "green")]
        named = look(shop)["MED-SRC-005"]["evidence"]
        assert "looks like a rename of name" in named
        assert "n retyped (int → bigint" in named
    change(shop, f"INSERT INTO {policy}_parts (label, n, hue) VALUES ('wide', {WIDE}, 'grey')")
    if policy == "evolve":  # silver has widened its column, gold has not
        shop.refused("run", code=1)
        code = "MED-SIL-012"
    elif policy == "ignore":  # silver sets the row aside
        shop("run")
        assert gold(shop, policy, "name", "n", "hue", above=10) == [(None, 14, "green")]
        code = "MED-SIL-011"
    typed(shop, look(shop)[code]["remedy"])
    assert gold(shop, policy, "label", "n", "hue")[:2] == [("a", 1, "red"), ("b", 2, "blue")]
    assert gold(shop, policy, "label", "n", "hue", above=10) == [("d", 14, "green"), ("wide", WIDE, "grey")]
    healed(shop)


def test_a_table_that_is_truncated_is_named_and_the_remedy_empties_gold(shop: Medallion) -> None:
    change(shop, "TRUNCATE TABLE lone_parts")
    shop("run")
    typed(shop, look(shop)["MED-SRC-007"]["remedy"])
    healed(shop)
    assert gold(shop, "lone", "n") == []


def test_a_table_that_is_dropped_is_named_and_the_remedy_makes_it_again(shop: Medallion) -> None:
    change(shop, "DROP TABLE lone_parts")
    typed(shop, look(shop)["MED-SRC-006"]["remedy"])
    change(shop, "INSERT INTO lone_parts (name, n) VALUES ('again', 1)")
    shop("run")
    healed(shop)
    assert gold(shop, "lone", "name") == [("again",)]
    shop("down", "--yes")
