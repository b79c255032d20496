"""DMS: one replication task, its S3 endpoint and the instance that it runs on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

WAITING = "Before load"  # DMS's TableState of a table that is not being loaded yet
LOADED = "Table completed"  # once its full load has ended
BROKEN = ("Table error", "Table cancelled", "Table does not exist")


@dataclass(frozen=True)
class TableStatistics:
    """DMS's counters of one table since its last full load; rows."""

    schema: str
    table: str
    state: str
    full_load_rows: int
    inserts: int
    updates: int
    deletes: int
    last_change: datetime | None
    loaded_at: datetime | None = None  # when its newest full load ended
    load_began: datetime | None = None
    ddls: int = 0  # statements such as ALTER TABLE

    @property
    def load_seconds(self) -> float:
        """How long its newest full load took; 0 where DMS does not tell."""
        return (
            (self.loaded_at - self.load_began).total_seconds() if self.loaded_at and self.load_began else 0.0
        )

    @property
    def changes(self) -> int:
        """Inserts, updates and deletes captured."""
        return self.inserts + self.updates + self.deletes


@dataclass(frozen=True)
class Task:
    """A replication task as DMS describes it."""

    arn: str
    status: str
    stop_reason: str
    message: str
    started: bool  # whether it ever ran: the first start must be start-replication
    checkpoint: str = ""  # DMS's RecoveryCheckpoint: where in the binlog it goes on; lost with the task
    stopped_at: datetime | None = None

    @property
    def binlog(self) -> str | None:
        """The binlog file that the checkpoint names, as in `checkpoint:V1#27#mysql-bin-changelog.157832:1975:…`."""
        found = re.search(r"([\w.-]*\.\d{6,}):\d+", self.checkpoint)
        return found[1] if found else None


class Replication:
    """The replication task of one environment."""

    def __init__(self, target: Target, outputs: dict[str, str]) -> None:
        self.client = target.client("dms")
        self.arn = outputs["ReplicationTaskArn"]
        self.target_endpoint = outputs["TargetEndpointArn"]

    def task(self) -> Task:
        """The task now."""
        found = self.client.describe_replication_tasks(
            Filters=[{"Name": "replication-task-arn", "Values": [self.arn]}], WithoutSettings=True
        )["ReplicationTasks"][0]
        return Task(
            arn=self.arn,
            status=found["Status"],
            stop_reason=found.get("StopReason", ""),
            message=found.get("LastFailureMessage", ""),
            started=found.get("ReplicationTaskStartDate") is not None,
            checkpoint=found.get("RecoveryCheckpoint", ""),
            stopped_at=found.get("ReplicationTaskStats", {}).get("StopDate"),
        )

    def tables(self) -> list[TableStatistics]:
        """Statistics of every table, the heartbeat included."""
        found: list[dict[str, Any]] = []
        marker: dict[str, str] = {}
        while True:
            page = self.client.describe_table_statistics(
                ReplicationTaskArn=self.arn, MaxRecords=500, **marker
            )
            found += page["TableStatistics"]
            if not page.get("Marker"):
                return [_statistics(entry) for entry in found]
            marker = {"Marker": page["Marker"]}

    def generation(self) -> str:
        """The folder that the S3 endpoint writes to."""
        found = self.client.describe_endpoints(
            Filters=[{"Name": "endpoint-arn", "Values": [self.target_endpoint]}]
        )["Endpoints"][0]
        return str(found["S3Settings"]["BucketFolder"])

    def write_generation(self, generation: str) -> None:
        """Points the S3 endpoint to a new folder; the task must be stopped."""
        self.client.modify_endpoint(
            EndpointArn=self.target_endpoint, S3Settings={"BucketFolder": generation}, ExactSettings=False
        )

    def start(self, how: str) -> None:
        """`start-replication` (only ever first), `resume-processing` or `reload-target`."""
        self.client.start_replication_task(ReplicationTaskArn=self.arn, StartReplicationTaskType=how)

    def reload(self, tables: Sequence[tuple[str, str]]) -> None:
        """Has the running task load (schema, table)s again, into the folder that it writes to."""
        asked = [{"SchemaName": schema, "TableName": table} for schema, table in tables]
        self.client.reload_tables(ReplicationTaskArn=self.arn, TablesToReload=asked)

    def stop(self) -> None:
        """Asks the task to stop; it goes through `stopping`."""
        self.client.stop_replication_task(ReplicationTaskArn=self.arn)


@dataclass(frozen=True)
class Instance:
    """A replication instance as DMS describes it."""

    status: str
    size: str  # its class


class ReplicationInstance:
    """The replication instance of one environment: DMS can make it smaller, and never stops it."""

    def __init__(self, target: Target, outputs: dict[str, str]) -> None:
        self.client = target.client("dms")
        self.arn = outputs["ReplicationInstanceArn"]

    def instance(self) -> Instance:
        """The instance now."""
        found = self.client.describe_replication_instances(
            Filters=[{"Name": "replication-instance-arn", "Values": [self.arn]}]
        )["ReplicationInstances"][0]
        return Instance(str(found["ReplicationInstanceStatus"]), str(found["ReplicationInstanceClass"]))

    def resize(self, size: str) -> None:
        """Asks for another class; `modifying` for some minutes, tasks must be stopped."""
        self.client.modify_replication_instance(
            ReplicationInstanceArn=self.arn, ReplicationInstanceClass=size, ApplyImmediately=True
        )


def _statistics(entry: dict[str, Any]) -> TableStatistics:
    return TableStatistics(
        schema=entry["SchemaName"],
        table=entry["TableName"],
        state=entry.get("TableState", ""),
        full_load_rows=entry.get("FullLoadRows", 0),
        inserts=entry.get("Inserts", 0),
        updates=entry.get("Updates", 0),
        deletes=entry.get("Deletes", 0),
        last_change=entry.get("LastUpdateTime"),
        loaded_at=entry.get("FullLoadEndTime"),
        load_began=entry.get("FullLoadStartTime"),
        ddls=entry.get("Ddls", 0),
    )
