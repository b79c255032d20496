"""Faults of `local simulate` on an environment: each is harmless, or named with a code whose remedy, typed, ends in equal."""

from __future__ import annotations

import json
import shlex
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import Medallion

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
SCHEMA = "worse"
HARMLESS = ("ties", "duplicate", "key-only-delete", "null-op")


@pytest.fixture(scope="module")
def shop(home: Path) -> Medallion:
    """A project of two small tables, up and run."""
    project = home / "projects" / SCHEMA
    tool = Medallion(home, f"{SCHEMA}-local")
    tool("init", str(project), "--empty", "--name", SCHEMA)
    tool.project = project
    for table in ("parts", "others"):
        tool("table", "add", table, "--column", "name VARCHAR(20) NOT NULL", "--column", "n INT NOT NULL")
    tool("up", "--yes")
    change(tool, "INSERT INTO parts (name, n) VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4), ('e', 5)")
    change(tool, "INSERT INTO others (name, n) VALUES ('x', 1)")
    tool("run")
    return tool


def change(tool: Medallion, *statements: str) -> None:
    """Runs statements at the source, a transaction each."""
    with closing(tool.source(SCHEMA)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            connection.commit()


def ask(tool: Medallion, code: int, *words: str) -> Any:
    """The document of a command that ends with `code`."""
    return json.loads(tool.ended("--output", "json", *words, code=code)[0])


def simulate(tool: Medallion, *words: str) -> None:
    waiting = tool.json("local", "simulate", *words)
    assert [one["kind"] for one in waiting] == [words[0]]


def errors(tool: Medallion, command: str) -> dict[str, str]:
    """Remedies of the errors that a look finds, by code; it exits 3 when there are some."""
    process = tool.start("--output", "json", command)
    out, err = process.communicate(timeout=120)
    found = {one["code"]: one for one in json.loads(out)["findings"]}
    told = {code: str(one["remedy"]) for code, one in found.items() if one["severity"] == "error"}
    assert process.returncode == (3 if told else 0), err
    return told


def typed(tool: Medallion, line: str) -> None:
    """Types a remedy as it stands, in a folder that has nothing to do with the project."""
    for part in line.split(" && "):
        name, *words = shlex.split(part)
        assert name == "medallion", line
        Medallion(tool.home, tool.name, None, tool.home).ended(*words, code=0)


def equal_and_healthy(tool: Medallion) -> None:
    assert tool.json("local", "simulate") == []  # all of it was shown
    tool.verified()
    assert (errors(tool, "status"), errors(tool, "doctor")) == ({}, {})


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_fault_that_is_harmless_changes_no_number(shop: Medallion, kind: str) -> None:
    simulate(shop, kind, "--table", "parts")
    change(
        shop,
        "INSERT INTO parts (name, n) VALUES ('fresh', 10), ('short', 11)",
        "UPDATE parts SET n = n + 1 WHERE name = 'a'",
        "UPDATE parts SET n = n * 2, name = 'a' WHERE name = 'a'",
        "DELETE FROM parts WHERE name = 'short'",
        "UPDATE parts SET n = -1 WHERE name = 'b'",
    )
    shop("run")
    equal_and_healthy(shop)


def test_a_late_file_is_missed_and_the_remedy_reads_everything_again(shop: Medallion) -> None:
    simulate(shop, "late", "--table", "parts")
    change(shop, "UPDATE parts SET n = 100 WHERE name = 'c'")
    shop("run")
    (told,) = ask(shop, 3, "verify", "--table", "parts")["differences"]
    assert (told["layer"], told["reason"], told["code"]) == ("bronze", "missing_in_bronze", "MED-VER-001")
    typed(shop, told["remedy"])
    equal_and_healthy(shop)


def test_a_late_file_that_comes_is_taken_by_the_next_run(shop: Medallion) -> None:
    simulate(shop, "late", "--table", "parts")
    change(shop, "UPDATE parts SET n = 200 WHERE name IN ('c', 'd')")
    shop("run")
    change(shop, "UPDATE parts SET n = 300 WHERE name = 'c'")
    shop("run")
    equal_and_healthy(shop)
    found = {row["name"]: row["n"] for row in shop.query("SELECT name, n FROM gold.parts")}
    assert (found["c"], found["d"]) == (300, 200)


def test_a_suspended_table_is_named_and_the_remedy_loads_it_again(shop: Medallion) -> None:
    simulate(shop, "suspend", "--table", "parts")
    change(shop, "UPDATE parts SET n = 7 WHERE name = 'd'", "UPDATE others SET n = 7")
    assert "parts: Table error" in shop.refused("run", code=1)
    for command in ("status", "doctor"):
        assert set(errors(shop, command)) == {"MED-DMS-034"}
    typed(shop, errors(shop, "status")["MED-DMS-034"])
    equal_and_healthy(shop)


def test_a_task_that_fails_says_what_dms_says_and_the_remedy_goes_on(shop: Medallion) -> None:
    simulate(shop, "fail", "--message", "no memory for it")
    change(shop, "UPDATE parts SET n = 8 WHERE name = 'd'")
    deadline = time.monotonic() + 30
    while shop.json("replicate", "status")["status"] != "failed":
        assert time.monotonic() < deadline
    task = shop.client("dms").describe_replication_tasks()["ReplicationTasks"][0]
    assert task["StopReason"] == "Stop Reason FATAL_ERROR"
    assert task["LastFailureMessage"] == "Last Error no memory for it"
    for command in ("status", "doctor"):
        assert "MED-DMS-031" in errors(shop, command)
    typed(shop, errors(shop, "doctor")["MED-DMS-031"])
    equal_and_healthy(shop)
    shop("down", "--yes")
