"""Replication of a trial: one task a generation, killed, cut off and started again as the service would."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pymysql
from expected import Load
from rooms import Rooms
from source_model import Position, SourceModel
from task_zygote import POINTS

PATIENCE = 60.0  # seconds
MAPPINGS = {
    "sequence": {
        "rule-type": "transformation",
        "rule-name": "sequence",
        "rule-target": "column",
        "rule-action": "add-column",
        "value": "dms_change_seq",
        "expression": "$AR_H_CHANGE_SEQ",
        "object-locator": {"schema-name": "%", "table-name": "%"},
        "data-type": {"type": "string", "length": 50},
    },
    "before": {
        "rule-type": "transformation",
        "rule-name": "before",
        "rule-target": "column",
        "rule-action": "add-before-image-columns",
        "object-locator": {"schema-name": "%", "table-name": "%"},
        "before-image-def": {"column-prefix": "BI_", "column-suffix": "", "column-filter": "pk-only"},
    },
}


class ReplicationFailed(Exception):
    """The task has failed for good, or does not get on; the message is the task's own."""


@dataclass
class Replication:
    """The task of the newest generation; `ends` is how far the older ones came, `loads` what each loaded."""

    rooms: Rooms
    source: SourceModel
    chance: random.Random
    faults: Counter[str]
    home: Path
    generation: str = ""
    pid: int = 0
    ends: dict[str, Position] = field(default_factory=dict)
    loads: list[Load] = field(default_factory=list)
    started_at: datetime | None = None
    snapshots: list[tuple[Position, dict[str, Any]]] = field(
        default_factory=list
    )  # the source's rows by position

    @property
    def folder(self) -> Path:
        return self.home / self.generation

    def begin(self, interval: float, kilobytes: int) -> None:
        """A new generation: a task of its own with a full load. The one before has ended."""
        self.generation = f"g{len(self.ends) + 1:04d}"
        self.folder.mkdir(parents=True)
        self.started_at = self.source.clock
        document = {
            "mappings": json.dumps({"rules": self._rules()}),
            "settings": {"ChangeProcessingDdlHandlingPolicy": {"HandleSourceTableTruncated": False}},
            "migration": "full-load-and-cdc",
            "target": str(self.rooms.objects / "bronze"),
            "started_at": int(self.started_at.replace(tzinfo=UTC).timestamp() * 1_000_000),
            "s3": {
                "BucketFolder": self.generation,
                "TimestampColumnName": "dms_commit_ts",
                "DatePartitionEnabled": True,
                "CdcMaxBatchInterval": interval,
                "CdcMinFileSize": kilobytes,
            },
        }
        secret = {
            "host": "127.0.0.1",
            "port": self.rooms.source.port,
            "username": "admin",
            "password": "secret",
        }
        (self.folder / "task.json").write_text(json.dumps(document))
        (self.folder / "source.json").write_text(json.dumps(secret))

    def _rules(self) -> list[dict[str, Any]]:
        selections = [
            {
                **{"rule-type": "selection", "rule-id": str(n), "rule-name": name, "rule-action": "include"},
                "object-locator": {"schema-name": self.source.name, "table-name": name},
            }
            for n, name in enumerate(self.source.tables, 1)
        ]
        return [*selections, *({"rule-id": str(900 + n), **rule} for n, rule in enumerate(MAPPINGS.values()))]

    # Its life

    @property
    def running(self) -> bool:
        if not self.pid or not psutil.pid_exists(self.pid):
            return False
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    def start(self, faulty: bool) -> None:
        """Starts the process unless it runs; a faulty one carries its own end with it."""
        crash = self._planted() if faulty else None  # drawn whether it runs or not
        if self.running:
            return
        self.pid = self.rooms.start_task(self.folder, crash)
        self._crash = crash

    def _planted(self) -> dict[str, Any] | None:
        """Where and how a process is to end, if it is to."""
        drawn = {
            "point": self.chance.choice(POINTS),
            "side": self.chance.choice(("before", "after")),
            "count": self.chance.choice((1, 1, 1, 2, 3)),
            "how": self.chance.choice(("kill", "kill", "full disk")),
        }
        return drawn if self.chance.random() < 0.5 else None

    _crash: dict[str, Any] | None = None

    def _noticed(self) -> None:
        """Counts how the process ended, when it ended by a fault that was planted."""
        status = self.folder / "status.json"
        document = json.loads(status.read_text()) if status.exists() else {}
        if document.get("state") == "failed":
            raise ReplicationFailed(f"replication failed: {document['message']}")
        if self._crash is None:
            raise ReplicationFailed(f"replication ended by itself: {self._last_line()}")
        where = f"{self._crash['side']} {self._crash['point']}"
        self.faults[
            f"replicator: {'disk full' if self._crash['how'] == 'full disk' else 'killed'} {where}"
        ] += 1

    def _last_line(self) -> str:
        return ((self.folder / "log").read_text().strip().splitlines() or [""])[-1]

    def kill(self) -> None:
        """SIGKILL, whatever it does."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
            self._gone()
            self.faults["replicator: killed at any moment"] += 1

    def leave(self) -> None:
        """The trial is over."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
            self._gone()

    def cut(self) -> None:
        """Ends its connections from the server's side."""
        if not self.running:
            return
        with self.rooms.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'")
            for (number,) in cursor.fetchall():
                with suppress(pymysql.err.MySQLError):
                    cursor.execute(f"KILL {number}")
                self.faults["source: connection cut"] += 1

    def stop(self) -> None:
        """A graceful stop; where it had come to is then final."""
        self.start(faulty=False)
        self.wait(lambda: "position" in self.statistics())
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
        self._gone()

    def _gone(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.running:
            if time.monotonic() > deadline:
                raise ReplicationFailed("replication does not stop")
            time.sleep(0.005)

    # How far it is

    def statistics(self) -> dict[str, Any]:
        """What the task tells of itself; empty before it has a position."""
        path = self.folder / "statistics.json"
        with suppress(FileNotFoundError, json.JSONDecodeError):
            found: dict[str, Any] = json.loads(path.read_text())
            return found if found["position"] else {}
        return {}

    def position(self) -> Position:
        found = self.statistics().get("position")
        return (found["file"], found["offset"]) if found else (0, 0)

    def loaded(self) -> list[str]:
        """Tables whose full load is complete, as the state machine asks for them."""
        path = self.folder / "statistics.json"
        if not path.exists():
            return []
        tables = json.loads(path.read_text())["tables"]
        return [name for name, table in tables.items() if table["state"] == "Table completed"]

    def wait(self, condition: Any) -> None:
        """Waits, and starts the process again as often as it ends."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if not self.running:
                self._noticed()
                self.start(faulty=False)
            if time.monotonic() > deadline:
                raise ReplicationFailed(f"replication does not get on: {self._last_line()}")
            time.sleep(0.01)

    def catch_up(self, faulty: bool = False) -> None:
        """Everything that is committed now is in bronze."""
        target = self.source.position()
        self.start(faulty)
        self.wait(lambda: self.position() >= target)
        self._remember_loads()

    # What it loaded

    def mark(self) -> None:
        """Remembers the source's rows at this position: a load that starts here has them."""
        rows = {
            name: {k: table.known(row) for k, row in table.rows.items()}
            for name, table in self.source.tables.items()
        }
        self.snapshots.append((self.source.position(), rows))

    def _remember_loads(self) -> None:
        if any(load.generation == self.generation for load in self.loads):
            return
        tables = self.statistics()["tables"]
        for name in self.source.tables:
            found = tables[f"{self.source.name}.{name}"]["snapshot"]
            at = (found["file"], found["offset"])
            rows = next(rows[name] for position, rows in reversed(self.snapshots) if position <= at)
            moment = self.started_at if rows else None
            self.loads.append(Load(self.generation, name, moment, at, rows))
        self._tell_loaded()

    def _tell_loaded(self) -> None:
        """The document that the command line writes when it has seen the end of a load."""
        path = self.rooms.objects / "artifacts" / "generations" / f"{self.generation}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"tables": None, "loaded": True}))

    def end(self) -> None:
        """The generation is over: what it has not read by now it never will."""
        self.stop()
        self._remember_loads()
        self.ends[self.generation] = self.position()
