"""The replication user's secret changes while a task runs: it goes on with the new one, and no change is lost."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.local.services import dms_tasks
from medallion_cli.local.services.dms_tasks import Definition, TaskProcesses

pytestmark = pytest.mark.engine


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def fail_over(server: Any) -> None:
    """The server is away for a moment; every connection has to be made anew."""
    port = server.port
    server.stop()
    server.start(port)


def test_replication_goes_on_with_a_secret_that_was_rotated(
    database: Any, make_task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = f"r{database.name}"[:30]
    database.run(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        f"CREATE USER '{user}'@'%' IDENTIFIED BY 'old'",
        f"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{user}'@'%'",
    )
    made = make_task(f"{database.name}.t")
    secret = json.loads((made.home / "source.json").read_text()) | {"username": user, "password": "old"}
    document = json.loads((made.home / "task.json").read_text())
    ended: list[tuple[str, str, str]] = []
    tasks = TaskProcesses(tmp_path / "tasks", lambda *said: ended.append(said))
    tasks.watch()
    made.home = tasks.home("one")

    def definition() -> Definition:
        return Definition(document, dict(secret), tmp_path / "log", dict(os.environ))

    def arrived(number: int) -> bool:
        return any(row["id"] == number for row in made.rows(f"{database.name}.t"))

    try:
        tasks.start("one", definition)
        until(lambda: arrived(1))
        until(lambda: tasks.statistics("one").get("position"))
        database.run(f"ALTER USER '{user}'@'%' IDENTIFIED BY 'new'", "INSERT INTO t VALUES (2)")
        fail_over(database.server)
        time.sleep(2)  # refused with the old one, until the secret follows
        secret["password"] = "new"
        database.run("INSERT INTO t VALUES (3)")
        until(lambda: arrived(2) and arrived(3))
        assert ended == []
        assert sorted(row["id"] for row in made.rows(f"{database.name}.t")) == [1, 2, 3]
        monkeypatch.setattr(dms_tasks, "_ROTATION_SECONDS", 1.0)
        database.run(f"ALTER USER '{user}'@'%' IDENTIFIED BY 'newer'")
        fail_over(database.server)
        until(lambda: ended)
        assert ended[0][:2] == ("one", "failed")
        assert "Access denied" in ended[0][2]
    finally:
        tasks.close()
