"""One look at an environment: each fact is asked for once, when the first check wants it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medallion_cli.aws import schedules
from medallion_cli.aws.database import Database
from medallion_cli.aws.orchestration import Brief, Execution, StateMachine
from medallion_cli.aws.replication import BROKEN, LOADED, Replication, ReplicationInstance
from medallion_cli.errors import AwsError
from medallion_cli.operations import freshness, lock, paused, replicate
from medallion_cli.operations.doctor.asked import Asked
from medallion_cli.operations.run import newest_runs, read_step

if TYPE_CHECKING:
    from medallion_cli.aws.database import Instance
    from medallion_cli.aws.replication import Task
    from medallion_cli.aws.session import Target
    from medallion_cli.operations.lock import Holder
    from medallion_cli.operations.paused import Paused
    from medallion_cli.operations.replicate import ReplicationStatus
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

Document = dict[str, Any]
RUNS = 20  # that are read back until every table and model was seen


@dataclass(frozen=True)
class History:
    """What the newest runs say: of each table and model the newest facts, and which run they are of."""

    tables: dict[str, Document] = field(default_factory=dict)  # with `run_id`, `as_of`, `generation`
    models: dict[str, Document] = field(default_factory=dict)
    gold_run: str = ""  # the newest that loaded gold
    moved: dict[str, list[tuple[str, datetime]]] = field(
        default_factory=dict
    )  # runs after it that changed a table


@dataclass
class Look:
    """An environment, looked at now."""

    target: Target
    outputs: dict[str, str]
    settings: Settings
    pipeline: Pipeline
    deep: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def replication(self) -> ReplicationStatus:
        """The task and its tables, without the heartbeat."""
        return replicate.status(self.target, self.outputs)

    @cached_property
    def task(self) -> Task:
        """The task with its checkpoint."""
        return Replication(self.target, self.outputs).task()

    @cached_property
    def database(self) -> Instance:
        """The source as RDS sees it."""
        return Database(self.target, self.outputs["DatabaseIdentifier"]).instance()

    @cached_property
    def source(self) -> Asked | None:
        """The question to the source, from the moment when it was first wanted; None when it is known to be away."""
        if not self.database.answers:
            return None
        return Asked(self.target, self.outputs["SourceFunctionName"])

    @cached_property
    def instance(self) -> str:
        """The replication instance's status."""
        return ReplicationInstance(self.target, self.outputs).instance().status

    @cached_property
    def warehouse(self) -> str:
        """The workgroup's status; asking for it wakes nothing."""
        found = self.target.client("redshift-serverless").get_workgroup(
            workgroupName=self.outputs["WorkgroupName"]
        )
        return str(found["workgroup"].get("status", "AVAILABLE"))

    @cached_property
    def paused(self) -> Paused | None:
        """The mark of a pause."""
        return paused.read(self.target)

    @cached_property
    def holder(self) -> Holder | None:
        """Who has the environment's lock, or left it behind."""
        return lock.holder(self.target)

    @cached_property
    def worked_on(self) -> bool:
        """Whether somebody changes stacks or replication now; not when nobody can tell, which the lock's check names."""
        with suppress(AwsError):
            return self.holder is not None and not self.holder.abandoned
        return False

    @cached_property
    def machine(self) -> StateMachine:
        """The state machine."""
        return StateMachine(self.target, self.outputs)

    @cached_property
    def recent(self) -> list[Brief]:
        """The newest runs, newest first."""
        return self.machine.recent()

    @cached_property
    def last(self) -> Execution | None:
        """The newest run that did not give way to another: a schedule starts one while the last one still works."""
        return self.machine.latest()

    @cached_property
    def summary(self) -> Document:
        """The newest run's summary; empty when it wrote none."""
        return (self.last and self.step(self.last.run_id, "summary")) or {}

    @cached_property
    def schedules(self) -> list[schedules.Schedule]:
        """All of them."""
        return schedules.schedules(self.target, self.outputs)

    def step(self, run_id: str, name: str) -> Document | None:
        """A step file of a run."""
        return read_step(self.target, self.outputs, run_id, name)

    @cached_property
    def history(self) -> History:
        """Newest facts per table and model, from the runs' files."""
        found = History()
        gold_run = ""
        for run_id in newest_runs(self.target, self.outputs, RUNS):
            summary = self.step(run_id, "summary") or {}
            if not gold_run and summary.get("status") == "SUCCEEDED" and summary.get("state"):
                gold_run = run_id
            for entry in summary.get("state") or []:
                found.models.setdefault(entry["model"], entry)
            self._silver(found, run_id, gold_run)
            if gold_run and len(found.tables) == len(self.pipeline.tables):
                break
        return History(found.tables, found.models, gold_run, found.moved)

    def _silver(self, found: History, run_id: str, gold_run: str) -> None:
        """Takes one run's silver step in; what moved counts while no run loaded gold after it."""
        step = self.step(run_id, "bronze_to_silver")
        if step is None:
            return
        as_of = moment(step["started_at"])
        more = {"run_id": run_id, "as_of": as_of, "generation": step.get("generation")}
        for entry in step.get("tables", []):
            found.tables.setdefault(entry["table"], {**entry, **more})
            if not gold_run and entry.get("read") and as_of is not None:
                found.moved.setdefault(entry["table"], []).append((run_id, as_of))

    @cached_property
    def facts(self) -> freshness.Facts:
        """What freshness is worked out from."""
        return freshness.Facts(
            now=self.now,
            replication=self.latency,
            waiting_in_bronze=dict(self._waiting_in_bronze()),
            waiting_in_silver=dict(self._waiting_in_silver()),
            loaded=frozenset([*self._taken(), *self.history.models]),
        )

    @cached_property
    def latency(self) -> float | None:
        """Seconds that bronze is behind the source: DMS's own measure; while it does not run, since it ended."""
        from medallion_cli.aws import metrics

        if self.task.status == "running":
            name = f"{self.settings.prefix}-replication"  # as infra_templates/replication.yaml names it
            return metrics.replication_latency(self.target, name, self.task.arn.rpartition(":")[2])
        ended = self.task.stopped_at
        return (self.now - ended).total_seconds() if ended else None

    def _taken(self) -> Iterator[str]:
        """Tables of silver that the newest run of them did not fail."""
        return (name for name, entry in self.history.tables.items() if entry.get("state", "ok") == "ok")

    def _waiting_in_bronze(self) -> Iterator[tuple[str, datetime]]:
        """Tables whose statistics are newer than silver's look, with the time of the oldest file not taken.

        One that DMS has given up waits since its last change: what came after that is not even in bronze.
        """
        for table in self.replication.tables:
            entry = self.history.tables.get(table.table)
            if table.last_change is None or table.table not in self._names:
                continue
            if table.state in BROKEN:
                yield table.table, table.last_change
            if table.state != LOADED:
                continue
            if entry is None or entry.get("generation") != self.replication.generation:
                yield table.table, table.last_change
                continue
            is_newer = entry["as_of"] is None or table.last_change > entry["as_of"]
            oldest = self._oldest(table.schema, table.table, entry) if is_newer else None
            if oldest is not None:
                yield table.table, oldest

    @cached_property
    def _names(self) -> set[str]:
        return {table.name for table in self.pipeline.tables}

    def _oldest(self, schema: str, table: str, entry: Document) -> datetime | None:
        from medallion_cli.aws.s3 import first_after

        prefix = f"{self.replication.generation}/{schema}/{table}/"
        newest = entry.get("newest_file") or prefix
        found = first_after(self.target, self.outputs["BronzeBucket"], prefix, newest)
        return found[1] if found and "/LOAD" not in found[0] else None

    def _waiting_in_silver(self) -> Iterator[tuple[str, datetime]]:
        """Models whose inputs moved after the last run that loaded gold, with the oldest such run's time."""
        for model in self.pipeline.models:
            tables = freshness.inputs(model, self.pipeline)
            moved = [at for t in tables for _, at in self.history.moved.get(t, [])]
            if moved:
                yield model.name, min(moved)


def moment(value: str | None) -> datetime | None:
    """A time of a step file or of the warehouse, UTC when it does not say."""
    if not value:
        return None
    found = datetime.fromisoformat(value.replace(" ", "T", 1).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
