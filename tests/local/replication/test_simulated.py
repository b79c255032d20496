"""Faults that the replicator acts out over a real source: what is in bronze then, also after it was killed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medallion_cli.local.replication.simulation import add_simulation, read_simulations

pytestmark = pytest.mark.engine


@pytest.fixture
def task(database: Any, make_task: Any) -> Any:
    """A task that has loaded two rows."""
    database.run("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(9))", "INSERT INTO a VALUES (1,'x'),(2,'y')")
    made = make_task(f"{database.name}.a")
    made.start()
    made.wait_loaded()
    return made


def change(task: Any, database: Any, *statements: str) -> None:
    """Statements, until they are published."""
    database.run(*statements)
    task.wait_caught_up(database)


def test_rows_lose_what_is_simulated_and_nothing_else(task: Any, database: Any) -> None:
    for kind in ("null-op", "key-only-delete", "ties"):
        add_simulation(task.home.parent, kind, "%", 1)
    change(
        task,
        database,
        "SET TIMESTAMP = 1790000100",
        "INSERT INTO a VALUES (3,'z')",
        "SET TIMESTAMP = 1790000200",
        "DELETE FROM a WHERE id = 1",
    )
    changed = [r for r in task.rows(f"{database.name}.a") if r["Op"] != "I"]
    assert [(r["Op"], r["id"], r["v"]) for r in changed] == [(None, 3, "z"), ("D", 1, None)]
    assert len({r["dms_commit_ts"] for r in changed}) == 1
    assert changed[0]["dms_change_seq"] < changed[1]["dms_change_seq"]


def test_a_late_file_survives_a_kill_and_every_change_is_there_in_the_end(task: Any, database: Any) -> None:
    name = f"{database.name}.a"
    add_simulation(task.home.parent, "late", name, 1)
    add_simulation(task.home.parent, "duplicate", name, 2)
    change(task, database, "UPDATE a SET v = 'first' WHERE id = 1")
    assert len(task.files(name)) == 1
    task.kill()
    task.start()
    change(task, database, "UPDATE a SET v = 'second' WHERE id = 1")
    task.wait(lambda: len(task.files(name)) == 4)
    assert [r["v"] for r in task.rows(name) if r["Op"] == "U"] == ["first", "second", "second"]
    assert task.current(name, ("id",))[(1,)]["v"] == "second"


def test_a_suspended_table_loses_changes_until_it_is_loaded_again(task: Any, database: Any) -> None:
    name = f"{database.name}.a"
    add_simulation(task.home.parent, "suspend", name, 1)
    change(task, database, "UPDATE a SET v = 'lost' WHERE id = 1")
    task.kill()
    task.start()
    change(task, database, "UPDATE a SET v = 'lost, too' WHERE id = 2")
    assert task.statistics()[name]["state"] == "Table error"
    assert {r["Op"] for r in task.rows(name)} == {"I"}


def test_a_failed_task_says_why_and_goes_on_without_losing_a_row(task: Any, database: Any) -> None:
    add_simulation(task.home.parent, "fail", "%", 1, "out of disk")
    database.run("UPDATE a SET v = 'kept' WHERE id = 1")
    assert task.process.wait(30) == 3
    assert json.loads((task.home / "status.json").read_text())["message"] == "out of disk"
    assert read_simulations(task.home.parent) == []
    task.start()
    task.wait_caught_up(database)
    assert task.current(f"{database.name}.a", ("id",))[(1,)]["v"] == "kept"
