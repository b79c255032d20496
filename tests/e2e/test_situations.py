"""Broken situations made for real: `status` shows it, `doctor` names it, and the remedy, typed as it stands, heals it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import situations as made
from command_line import Medallion
from situations import Situation

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
SITUATIONS = {
    "replication is stopped": Situation(made.stop_replication, "MED-DMS-030"),
    "replication is stopped in the console": Situation(made.stop_replication_by_the_console, "MED-DMS-030"),
    "the replication user's password is another": Situation(
        made.change_password, "MED-SRC-003", in_status=False
    ),
    "the database is stopped": Situation(made.stop_database, "MED-SRC-001"),
}


@pytest.fixture(scope="module")
def broken(home: Path) -> Medallion:
    """A project of one small table, up and run."""
    return stand_up(home)


def stand_up(home: Path) -> Medallion:
    """The project `broken` of one table."""
    project = home / "projects" / "broken"
    tool = Medallion(home, "broken-local")
    tool("init", str(project), "--empty", "--name", "broken")
    tool.project = project
    tool("table", "add", "parts", "--column", "name VARCHAR(20) NOT NULL", "--column", "n INT NOT NULL")
    tool("up", "--yes")
    tool("replicate", "start")
    made.change(tool, "INSERT INTO parts (name, n) VALUES ('a', 1), ('b', 2)")
    tool("run")
    return tool


def findings(tool: Medallion, *words: str) -> dict[str, dict[str, Any]]:
    """What a look finds, by code; it exits 0, or 3 with errors."""
    process = tool.start("--output", "json", *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 3), err
    return {one["code"]: one for one in json.loads(out)["findings"]}


def typed(tool: Medallion, line: str) -> None:
    """Types a remedy as it stands, in a folder that has nothing to do with the project."""
    for part in line.split(" && "):
        name, *words = shlex.split(part)
        assert name == "medallion", line
        Medallion(tool.home, tool.name, None, tool.home).ended(*words, code=0)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_is_seen_named_and_healed(broken: Medallion, name: str) -> None:
    heals(broken, SITUATIONS[name])


def heals(tool: Medallion, situation: Situation) -> None:
    """Breaks it, looks, types what is told until nothing is told any more."""
    held = situation.broken(tool)
    if situation.in_status:
        assert situation.code in findings(tool, "status")
    named = findings(tool, "doctor")
    assert situation.code in named, named
    typed(tool, named[situation.code]["remedy"])
    if held is not None:
        held.close()
    left = findings(tool, "doctor")
    assert situation.code not in left, left
    for _ in range(3):  # what follows of it: a stopped database leaves replication failed
        errors = [one for one in left.values() if one["severity"] == "error"]
        if not errors:
            break
        typed(tool, errors[0]["remedy"])
        left = findings(tool, "doctor")
    assert not [one for one in left.values() if one["severity"] == "error"], left
