"""A real MariaDB for the session, and replication tasks that run as they do under the DMS service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest

from medallion_cli.local.engines import processes
from medallion_cli.local.engines.mariadb import MariaDB

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medallion"
SEQUENCE = {
    "rule-type": "transformation",
    "rule-id": "900",
    "rule-name": "seq",
    "rule-target": "column",
    "rule-action": "add-column",
    "value": "dms_change_seq",
    "expression": "$AR_H_CHANGE_SEQ",
    "object-locator": {"schema-name": "%", "table-name": "%"},
    "data-type": {"type": "string", "length": 50},
}
BEFORE = {
    "rule-type": "transformation",
    "rule-id": "901",
    "rule-name": "before",
    "rule-target": "column",
    "rule-action": "add-before-image-columns",
    "object-locator": {"schema-name": "%", "table-name": "%"},
    "before-image-def": {"column-prefix": "BI_", "column-suffix": "", "column-filter": "pk-only"},
}


def table_mappings(*tables: str) -> str:
    """A TableMappings document for `schema.table` names."""
    rules: list[dict[str, Any]] = [
        {
            "rule-type": "selection",
            "rule-id": str(number),
            "rule-name": name,
            "rule-action": "include",
            "object-locator": dict(zip(("schema-name", "table-name"), name.split("."), strict=True)),
        }
        for number, name in enumerate(tables, 1)
    ]
    return json.dumps({"rules": [*rules, SEQUENCE, BEFORE]})


@dataclass
class Database:
    """The server and a schema of the test's own."""

    server: MariaDB
    name: str

    def connect(self, **options: Any) -> pymysql.connections.Connection[Any]:
        """The master user's connection, which is in the binlog."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.server.port,
            user="admin",
            password="secret",
            database=self.name,
            **{"autocommit": True, **options},
        )

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs statements; the last one's rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@dataclass
class TaskProcess:
    """One replication task in a folder, started and stopped as the service does."""

    home: Path
    target: Path
    process: subprocess.Popen[bytes] | None = None
    log: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Starts the replicator."""
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "medallion_cli.local.replication", str(self.home)],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        """Stops gracefully; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """Kills at once, as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def output(self) -> str:
        """What the replicator said."""
        return (self.home / "log").read_text()

    def statistics(self) -> dict[str, Any]:
        """The statistics by table, empty before the first."""
        path = self.home / "statistics.json"
        return json.loads(path.read_text())["tables"] if path.exists() else {}

    def position(self) -> tuple[int, int]:
        """The binlog position up to which changes are published; (0, 0) before the end of the full load."""
        path = self.home / "statistics.json"
        found = json.loads(path.read_text())["position"] if path.exists() else None
        return (found["file"], found["offset"]) if found else (0, 0)

    def wait(self, condition: Any, seconds: float = 60) -> None:
        """Waits until the condition holds; fails with the log when it doesn't or the replicator ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process is None or self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def wait_loaded(self) -> None:
        """Waits for the end of the full load."""
        self.wait(lambda: self.position() != (0, 0))

    def wait_caught_up(self, database: Database) -> None:
        """Waits until everything committed before the call is published."""
        ((name, offset, *_),) = database.run("SHOW MASTER STATUS")
        self.wait(lambda: self.position() >= (int(name.rpartition(".")[2]), offset))

    def files(self, table: str, folder: str = "g0001") -> list[Path]:
        """Bronze files of `schema.table` in name order."""
        return sorted((self.target / folder / table.replace(".", "/")).rglob("*.parquet"))

    def rows(self, table: str, folder: str = "g0001") -> list[dict[str, Any]]:
        """All bronze rows of `schema.table`."""
        return [row for path in self.files(table, folder) for row in _table(path).to_pylist()]

    def current(self, table: str, key: tuple[str, ...], folder: str = "g0001") -> dict[Any, dict[str, Any]]:
        """What the rows amount to: applied in change order, by key, without the DMS columns."""
        out: dict[Any, dict[str, Any]] = {}
        for row in sorted(self.rows(table, folder), key=lambda row: row["dms_change_seq"]):
            if row["Op"] != "I":
                out.pop(tuple(row[f"BI_{name}"] for name in key), None)
            if row["Op"] != "D":
                out[tuple(row[name] for name in key)] = {k: v for k, v in row.items() if k not in _FRAME(key)}
        return out


def _FRAME(key: tuple[str, ...]) -> set[str]:
    return {"Op", "dms_commit_ts", "dms_change_seq", *(f"BI_{name}" for name in key)}


def _table(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    server = MariaDB(tmp_path_factory.mktemp("mariadb") / "source", cache=CACHE)
    server.start(processes.free_port())
    server.write_master("admin", "secret")
    yield server
    server.stop()


@pytest.fixture
def database(server: MariaDB, request: pytest.FixtureRequest) -> Database:
    name = f"t{abs(hash(request.node.nodeid)) % 10**10}"
    server.create_database(name)
    return Database(server, name)


@pytest.fixture
def make_task(server: MariaDB, tmp_path: Path) -> Iterator[Any]:
    made: list[TaskProcess] = []

    def make(*tables: str, folder: str = "g0001", **s3: Any) -> TaskProcess:
        home = tmp_path / f"task{len(made)}"
        home.mkdir()
        settings = {"ChangeProcessingDdlHandlingPolicy": {"HandleSourceTableTruncated": False}}
        document = {
            "mappings": table_mappings(*tables),
            "settings": settings,
            "migration": "full-load-and-cdc",
            "target": str(tmp_path / "objects" / "bronze"),
            "started_at": 1_790_000_000_123_456,
            "s3": {
                "BucketFolder": folder,
                "TimestampColumnName": "dms_commit_ts",
                "DatePartitionEnabled": True,
                "CdcMaxBatchInterval": 1,
                "CdcMinFileSize": 32000,
                **s3,
            },
        }
        source = {"host": "127.0.0.1", "port": server.port, "username": "admin", "password": "secret"}
        (home / "task.json").write_text(json.dumps(document))
        (home / "source.json").write_text(json.dumps(source))
        task = TaskProcess(home, tmp_path / "objects" / "bronze")
        made.append(task)
        return task

    yield make
    for task in made:
        if task.process is not None and task.process.poll() is None:
            task.kill()
