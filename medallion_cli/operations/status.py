"""Status: what each layer holds, how far it is behind, what runs and what is wrong; only a deep look wakes the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from medallion_cli.aws.replication import LOADED, TableStatistics
from medallion_cli.errors import MedallionError
from medallion_cli.operations import freshness, lock
from medallion_cli.operations.doctor.diagnose import merged, quick, seen
from medallion_cli.operations.doctor.look import Document, Look, moment
from medallion_cli.operations.doctor.runs import quarantine_of
from medallion_cli.operations.doctor.warehouse import statements
from medallion_cli.operations.run import PHASES, explain

if TYPE_CHECKING:
    from medallion_cli.aws.orchestration import Brief
    from medallion_cli.operations.doctor.rules import Finding
    from medallion_cli.spec import Freshness

BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class Engine:
    """A component and what its service says of it."""

    engine: str
    state: str
    healthy: bool


@dataclass(frozen=True)
class Status:
    """The documented JSON of `status`."""

    env: str
    healthy: bool
    layers: list[Document]
    last_run: Document | None
    replication: Document
    lag: dict[str, float | None]
    engines: list[Engine]
    running: list[Document]
    schedules: list[Document]
    quarantine: list[Document]
    findings: list[Finding] = field(default_factory=list)

    @property
    def document(self) -> Document:
        """One JSON document."""
        return asdict(self)

    @property
    def errors(self) -> list[Finding]:
        """What makes it unhealthy."""
        return [one for one in self.findings if one.severity == "error"]


def status(look: Look) -> Status:
    """Everything that one screen shows."""
    findings = quick(look)
    if look.deep:
        findings = merged([*findings, *seen(look, "statements", statements)])
    return Status(
        env=look.settings.env,
        healthy=not any(one.severity == "error" for one in findings),
        layers=[
            {"layer": "bronze", "tables": [_bronze(look, t) for t in _in_order(look)]},
            {"layer": "silver", "tables": [_silver(look, t.name, t.freshness) for t in look.pipeline.tables]},
            {"layer": "gold", "tables": [*_gold(look)]},
        ],
        last_run=_last_run(look),
        replication={"status": look.replication.status, "generation": look.replication.generation},
        lag=freshness.lag(look.facts).document,
        engines=[*_engines(look)],
        running=[*_running(look)],
        schedules=[asdict(one) for one in look.schedules],
        quarantine=[*_quarantine(look)],
        findings=findings,
    )


def unreached(env: str, findings: list[Finding]) -> Status:
    """Where there is no AWS to ask: why, and nothing else."""
    return Status(
        env=env,
        healthy=False,
        layers=[],
        last_run=None,
        replication={"status": "unknown", "generation": ""},
        lag=freshness.Lag(None, None, None).document,
        engines=[],
        running=[],
        schedules=[],
        quarantine=[],
        findings=merged(findings),
    )


def _in_order(look: Look) -> list[TableStatistics]:
    """Replicated tables as the specification has them, as silver is shown; those that it does not name last."""
    places = {table.name: place for place, table in enumerate(look.pipeline.tables)}
    return sorted(look.replication.tables, key=lambda table: places.get(table.table, len(places)))


def _bronze(look: Look, table: TableStatistics) -> Document:
    state = {LOADED: "ok", "Table error": "failed"}.get(table.state, table.state.lower() or "waiting")
    known = next((t.freshness for t in look.pipeline.tables if t.name == table.table), None)
    rows = table.full_load_rows + table.changes
    return _row(look, table.table, rows, table.last_change, state) | _behind(look.latency, known)


def _silver(look: Look, name: str, wanted: Freshness) -> Document:
    behind = _behind(freshness.of_table(look.facts, name), wanted)
    entry = look.history.tables.get(name)
    if entry is None:
        return _row(look, name, None, None, "empty") | behind
    row = _row(look, name, entry.get("rows"), moment(entry.get("last_change")), entry.get("state", "ok"))
    return row | behind | {"quarantined": quarantine_of(entry)}


def _gold(look: Look) -> Iterator[Document]:
    asked = dict(_asked(look)) if look.deep else {}
    for model in look.pipeline.models:
        behind = _behind(freshness.of_model(look.facts, model, look.pipeline), model.freshness)
        entry = asked.get(model.name) or look.history.models.get(model.name)
        if entry is None:
            yield _row(look, model.name, None, None, "empty") | behind
            continue
        loaded = entry.get("last_loaded_at") or entry.get("last_loaded")
        rows = int(entry["rows"]) if entry.get("rows") is not None else None
        yield _row(look, model.name, rows, moment(loaded and str(loaded)), "ok") | behind


def _asked(look: Look) -> Iterator[tuple[str, Document]]:
    """Rows of gold from the warehouse itself; nothing when it does not answer, which a finding says."""
    from medallion_cli.aws.warehouse import connect

    try:
        with closing(connect(look.target, look.outputs, look.settings.connection)) as warehouse:
            found = warehouse.execute("SELECT model, rows, last_loaded_at FROM etl.model_state").dicts()
    except MedallionError:
        return
    yield from ((str(entry["model"]), entry) for entry in found)


def _row(look: Look, table: str, rows: int | None, last: datetime | None, state: str) -> Document:
    age = max(0.0, (look.now - last).total_seconds()) if last else None
    return {
        "table": table,
        "rows": rows,
        "last_change": last.isoformat() if last else None,
        "lag_seconds": round(age) if age is not None else None,
        "state": state,
    }


def _behind(seconds: float | None, wanted: Freshness | None) -> Document:
    """How far behind the source, and how that is judged."""
    return {
        "behind_seconds": None if seconds is None else round(seconds),
        "freshness": freshness.judged(seconds, wanted) if wanted else "unknown",
        "warn_after_seconds": wanted and wanted.warn_after,
        "error_after_seconds": wanted and wanted.error_after,
    }


def _last_run(look: Look) -> Document | None:
    run = look.last
    if run is None:
        return None
    cause = explain(run, look.summary) if run.status in BADLY else None
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "seconds": round(run.seconds, 1),
        "cause": cause,
    }


def _engines(look: Look) -> Iterator[Engine]:
    """Each asked of its own service; one that can't be asked is told as such."""
    asked: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
        "source database": (lambda: look.database.status, ("available", "backing-up", "modifying")),
        "replication instance": (lambda: look.instance, ("available", "modifying")),
        "replication": (lambda: look.replication.status, ("running", "starting")),
        "warehouse": (lambda: look.warehouse.lower(), ("available", "modifying")),
    }
    for name, (ask, good) in asked.items():
        try:
            state = ask()
        except MedallionError as error:
            state = str(error)
        yield Engine(name, state, state in good)


def _running(look: Look) -> Iterator[Document]:
    """Runs in flight, with what they should take by the last good one; and who works on the environment."""
    recent = look.recent
    usual = _usual(look) if any(brief.status == "RUNNING" for brief in recent) else None
    yield from (_progress(look, brief, usual) for brief in recent if brief.status == "RUNNING")
    holder = lock.holder(look.target)
    if holder is not None and not holder.abandoned:
        yield {"what": holder.operation, "by": holder.owner, "since": holder.since}


def _usual(look: Look) -> float | None:
    """Seconds that the last good run took."""
    good = look.machine.good()
    return good.seconds if good else None


def _progress(look: Look, brief: Brief, usual: float | None) -> Document:
    entered = [state for _, state in look.machine.entered(brief.arn)]
    phases = [state for state in dict.fromkeys(entered) if state in PHASES]
    seconds = (look.now - brief.started_at).total_seconds()
    return {
        "what": "run",
        "run_id": brief.run_id,
        "state": phases[-1] if phases else "Prepare",
        "phase": len(phases),
        "phases": len(PHASES),
        "seconds": round(max(0.0, seconds), 1),
        "usual_seconds": None if usual is None else round(usual, 1),
        "since": brief.started_at.isoformat(),
    }


def _quarantine(look: Look) -> Iterator[Document]:
    for name, entry in look.history.tables.items():
        if count := quarantine_of(entry):
            yield {"table": name, "rows": count, "run_id": entry.get("run_id")}
