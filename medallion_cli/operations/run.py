"""One run: bring bronze up to now, then the state machine through silver and gold; the same as the schedule starts."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.orchestration import Execution, StateMachine
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Event, Failed, Finished, Noted, Started
from medallion_cli.operations import replicate
from medallion_cli.operations.progress import Progress

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

LAYERS = ("bronze", "silver", "gold")
RECENT_DAYS = (2, 30)  # that are looked through for runs before all are
# The state machine's states that a run's progress shows; what is entered between two of them counts to the first.
PHASES = ("Bronze to silver", "Silver to gold", "Load staging", "Merge", "Housekeeping", "Write summary")


@dataclass(frozen=True)
class RunPlan:
    """What a run will do."""

    layers: tuple[str, ...]
    tables: tuple[str, ...]  # empty: all
    models: tuple[str, ...]  # empty: all
    full: bool = False
    again: tuple[tuple[str, str], ...] = ()  # of a replay: what goes into the input beside the rest

    @property
    def input(self) -> dict[str, str | list[str]]:
        """The state machine's input."""
        return {
            **dict(self.again),
            "layers": [layer for layer in self.layers if layer != "bronze"],
            "tables": ",".join(self.tables) or "all",
            "models": ",".join(self.models) or "all",
            "full": "true" if self.full else "false",
        }


@dataclass
class RunResult:
    """What a run did."""

    run_id: str | None
    status: str
    seconds: float
    tables: list[dict[str, Any]] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        """The documented JSON."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "seconds": round(self.seconds, 1),
            "tables": self.tables,
        }


def plan(pipeline: Pipeline, layer: str | None, table: str | None, full: bool = False) -> RunPlan:
    """Checks the names; a table's run takes the models that read it along."""
    if layer is not None and layer not in LAYERS:
        raise UsageError(f"no layer {layer!r}", hint=f"one of: {', '.join(LAYERS)}")
    layers = (layer,) if layer else LAYERS
    if table is None:
        return RunPlan(layers, (), (), full)
    pipeline.table(table)
    models = tuple(m.name for m in pipeline.models if any(i.table == table for i in m.inputs))
    return RunPlan(layers, (table,), models, full)


def run(
    target: Target, outputs: dict[str, str], settings: Settings, plan: RunPlan, detach: bool = False
) -> Generator[Event, None, RunResult]:
    """Runs the layers asked for; Ctrl-C leaves the state machine running, the same command attaches to it.

    With `detach` nobody follows it: the result is a run in flight.
    """
    began = time.monotonic()
    tables: list[dict[str, Any]] = []
    if "bronze" in plan.layers:
        arrived = yield from replicate.catch_up(target, outputs, settings)
        tables += [_bronze_row(t) for t in arrived if not plan.tables or t.table in plan.tables]
    if not plan.input["layers"]:
        return RunResult(None, "SUCCEEDED", time.monotonic() - began, tables)
    machine = StateMachine(target, outputs)
    execution = yield from _start(machine, plan.input, settings)
    if detach:
        return RunResult(execution.run_id, execution.status, time.monotonic() - began, tables)
    return (yield from attend(target, outputs, settings, execution, began=began, tables=tables))


def attend(
    target: Target,
    outputs: dict[str, str],
    settings: Settings,
    execution: Execution,
    *,
    began: float,
    tables: list[dict[str, Any]],
    seen: int = 0,
) -> Generator[Event, None, RunResult]:
    """Follows an execution from its event `seen` on, to its result; MedallionError when it ends badly.

    One that gave way to a run that came between did nothing: it is started again once that one has ended.
    """
    machine = StateMachine(target, outputs)
    while True:
        progress = Progress(target, outputs, settings, execution.run_id, tables)
        execution = yield from _follow(machine, execution, settings, seen, progress)
        if not execution.gave_way:
            break
        yield Noted(f"{execution.run_id} gave way to another run")
        execution, seen = (yield from _start(machine, execution.input, settings)), 0
    summary = read_step(target, outputs, execution.run_id, "summary") or {}
    if execution.status != "SUCCEEDED":
        reason = explain(execution, summary)
        yield Failed(execution.run_id, execution.status)
        raise MedallionError(
            f"{execution.run_id} {execution.status.lower()}: {reason}", hint="medallion retry"
        )
    for entry in (read_step(target, outputs, execution.run_id, "silver_to_gold") or {}).get("models", []):
        if entry.get("note"):
            yield Noted(f"{entry['model']}: {entry['note']}")
    moved = [*tables, *result_rows(summary)]
    return RunResult(execution.run_id, execution.status, time.monotonic() - began, moved)


def idle(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Waits until no run is in flight."""
    machine = StateMachine(target, outputs)
    for running in machine.running():
        yield Noted(f"waiting for {running.run_id}")
        yield from _follow(machine, running, settings)


def read_step(target: Target, outputs: dict[str, str], run_id: str, step: str) -> dict[str, Any] | None:
    """A step file of a run; None when the step did not write one."""
    from medallion_cli.aws.s3 import read_text

    text = read_text(target, outputs["ArtifactsBucket"], f"runs/{run_id}/{step}.json")
    return json.loads(text) if text else None


def newest_runs(target: Target, outputs: dict[str, str], count: int) -> list[str]:
    """Ids of the newest runs that have files, newest first; there are tens of thousands after a year."""
    from medallion_cli.aws.s3 import folders

    found: list[str] = []
    for days in (*RECENT_DAYS, None):
        after = "" if days is None else f"run-{datetime.now(UTC) - timedelta(days=days):%Y%m%d}"
        found = sorted(folders(target, outputs["ArtifactsBucket"], "runs/", after), reverse=True)
        if len(found) >= count:
            break
    return found[:count]


def result_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a run's result: a table a layer."""
    silver = (summary.get("silver") or {}).get("tables", [])
    rows = [_silver_row(entry) for entry in silver]
    return rows + [_gold_row(entry) for entry in summary.get("gold") or []]


def explain(execution: Execution, summary: dict[str, Any]) -> str:
    """The cause of a failed run in one line: the table's own error before the state's."""
    for entry in (summary.get("silver") or {}).get("tables", []):
        if entry.get("state") == "failed":
            return f"{entry['table']}: {_first_line(entry.get('error') or '')}"
    error = summary.get("error") or {}
    cause = error.get("Cause") or error.get("cause") or execution.cause
    try:
        parsed = json.loads(cause)
        cause = (
            parsed.get("ErrorMessage") or parsed.get("errorMessage") or cause
            if isinstance(parsed, dict)
            else cause
        )
    except (TypeError, ValueError):
        pass
    return _first_line(str(cause or execution.error or "the embedded AWS stopped while it ran"))


def _start(
    machine: StateMachine, asked: dict[str, Any], settings: Settings
) -> Generator[Event, None, Execution]:
    """An execution with this input: the one in flight, or a new one once no other is."""
    for running in machine.running():
        if running.input == asked:
            yield Noted(f"attached to {running.run_id}, in flight since {running.started_at:%H:%M:%S}")
            return running
        yield Noted(f"waiting for {running.run_id}")
        yield from _follow(machine, running, settings)
    return machine.execution(machine.start(new_run_id(), asked))


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"run-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def _follow(
    machine: StateMachine,
    execution: Execution,
    settings: Settings,
    seen: int = 0,
    progress: Progress | None = None,
) -> Generator[Event, None, Execution]:
    """Tells each phase as it is entered after the event `seen`, until the execution ends."""
    current, told = "", set[str]()
    while True:
        execution = machine.execution(execution.arn)
        entered = machine.entered(execution.arn, seen)
        seen = max((event for event, _ in entered), default=seen)
        for _, state in entered:
            if state in told or state not in PHASES:
                continue
            if current:
                yield Finished(current)
            told.add(state)
            current = state
            yield Started(current)
        if execution.status != "RUNNING":
            if current:
                ended = execution.status == "SUCCEEDED"
                yield Finished(current) if ended else Failed(current, execution.error or execution.status)
            return execution
        if progress is not None:
            yield from progress.look(current)
        time.sleep(min(settings.poll_seconds, 5) / 2)


def _bronze_row(table: Any) -> dict[str, Any]:
    inserted = table.inserts + table.full_load_rows
    return _row(
        table.table,
        "bronze",
        inserted + table.updates + table.deletes,
        inserted,
        table.updates,
        table.deletes,
    )


def _silver_row(entry: dict[str, Any]) -> dict[str, Any]:
    counts = [entry.get(k, 0) for k in ("read", "inserted", "updated", "deleted", "quarantined")]
    return _row(entry["table"], "silver", *counts)


def _gold_row(entry: dict[str, Any]) -> dict[str, Any]:
    counts = [int(entry.get(k) or 0) for k in ("staged_rows", "inserted", "updated", "deleted")]
    return _row(entry["model"], "gold", *counts)


def _row(
    table: str, layer: str, read: int, inserted: int, updated: int, deleted: int, quarantined: int = 0
) -> dict[str, Any]:
    return {
        "table": table,
        "layer": layer,
        "read": read,
        "inserted": inserted,
        "updated": updated,
        "deleted": deleted,
        "quarantined": quarantined,
    }


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no cause given")
