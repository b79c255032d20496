"""Status: what each layer holds, how far it is behind, what runs and what is wrong; only a deep look wakes the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from medallion_cli.aws.replication import BROKEN, LOADED, TableStatistics
from medallion_cli.errors import MedallionError
from medallion_cli.operations import freshness
from medallion_cli.operations.doctor.diagnose import UNTOLD, is_refused, merged, quick, seen, unseen
from medallion_cli.operations.doctor.look import Document, History, Look, moment
from medallion_cli.operations.doctor.runs import quarantine_of
from medallion_cli.operations.doctor.warehouse import statements
from medallion_cli.operations.run import PHASES, explain

if TYPE_CHECKING:
    from medallion_cli.aws.orchestration import Brief, Execution
    from medallion_cli.operations.doctor.rules import Finding
    from medallion_cli.operations.freshness import Facts
    from medallion_cli.operations.replicate import ReplicationStatus
    from medallion_cli.spec import Freshness, Table

T = TypeVar("T")
UNKNOWN = {"status": "unknown", "generation": ""}
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
    """Everything that one screen shows; what can't be looked at is not known, and named."""
    findings = quick(look)
    if is_refused(findings):
        return unreached(look.settings.env, findings)
    if look.deep:
        findings += seen(look, "statements", statements) or []
    asked = _Asked()
    facts = asked.told("freshness", lambda: look.facts)
    history = asked.told("rows of silver and gold", lambda: look.history)
    known = asked.told("replication", lambda: look.replication)
    latency = asked.told("replication lag", lambda: look.latency)
    run = asked.told("last run", lambda: look.last)
    summary = asked.told("last run", lambda: look.summary) or {}
    found = Status(
        env=look.settings.env,
        healthy=True,
        layers=[
            {"layer": "bronze", "tables": _bronze(look, known, latency)},
            {
                "layer": "silver",
                "tables": [_silver(look, table, history, facts) for table in look.pipeline.tables],
            },
            {"layer": "gold", "tables": [*_gold(look, history, facts)]},
        ],
        last_run=_last_run(run, summary) if run else None,
        replication={"status": known.status, "generation": known.generation} if known else dict(UNKNOWN),
        lag=(freshness.lag(facts) if facts else freshness.Lag(None, None, None)).document,
        engines=[*_engines(look)],
        running=[
            *(asked.told("runs in flight", lambda: [*_running(look)]) or []),
            *(asked.told("lock", lambda: [*_working(look)]) or []),
        ],
        schedules=asked.told("schedules", lambda: [asdict(one) for one in look.schedules]) or [],
        quarantine=[*_quarantine(history)] if history else [],
    )
    findings = merged([*findings, *asked.unseen])
    return replace(found, findings=findings, healthy=not any(one.severity == "error" for one in findings))


class _Asked:
    """Asks for one part of the screen after the other; one that can't be told leaves a finding."""

    def __init__(self) -> None:
        self.unseen: list[Finding] = []

    def told(self, name: str, ask: Callable[[], T]) -> T | None:
        """The answer; None where there is none."""
        try:
            return ask()
        except UNTOLD as error:
            self.unseen.append(unseen(name, error))
            return None


def unreached(env: str, findings: list[Finding]) -> Status:
    """Where there is no AWS to ask: why, and nothing else."""
    return Status(
        env=env,
        healthy=False,
        layers=[],
        last_run=None,
        replication=dict(UNKNOWN),
        lag=freshness.Lag(None, None, None).document,
        engines=[],
        running=[],
        schedules=[],
        quarantine=[],
        findings=merged(findings),
    )


def _bronze(look: Look, known: ReplicationStatus | None, latency: float | None) -> list[Document]:
    """Replicated tables as the specification has them, as silver is shown; those that it does not name last."""
    wanted = {table.name: table.freshness for table in look.pipeline.tables}
    if known is None:
        return [_row(look, name, None, None, "unknown") | _behind(None, one) for name, one in wanted.items()]
    places = {name: place for place, name in enumerate(wanted)}
    tables = sorted(known.tables, key=lambda table: places.get(table.table, len(places)))
    return [_replicated(look, table, latency, wanted.get(table.table)) for table in tables]


def _replicated(
    look: Look, table: TableStatistics, latency: float | None, wanted: Freshness | None
) -> Document:
    behind = latency if table.state == LOADED else None
    if table.state in BROKEN and table.last_change is not None:
        behind = (look.now - table.last_change).total_seconds()
    state = {LOADED: "ok", "Table error": "failed"}.get(table.state, table.state.lower() or "waiting")
    rows = table.full_load_rows + table.changes
    return _row(look, table.table, rows, table.last_change, state) | _behind(behind, wanted)


def _silver(look: Look, table: Table, history: History | None, facts: Facts | None) -> Document:
    behind = _behind(freshness.of_table(facts, table.name) if facts else None, table.freshness, facts)
    entry = history.tables.get(table.name) if history else None
    if entry is None:
        return _row(look, table.name, None, None, "empty" if history else "unknown") | behind
    row = _row(
        look, table.name, entry.get("rows"), moment(entry.get("last_change")), entry.get("state", "ok")
    )
    return row | behind | {"quarantined": quarantine_of(entry)}


def _gold(look: Look, history: History | None, facts: Facts | None) -> Iterator[Document]:
    told = {**(history.models if history else {}), **(dict(_asked(look)) if look.deep else {})}
    for model in look.pipeline.models:
        seconds = freshness.of_model(facts, model, look.pipeline) if facts else None
        behind = _behind(seconds, model.freshness, facts)
        entry = told.get(model.name)
        if entry is None:
            yield _row(look, model.name, None, None, "empty" if history else "unknown") | behind
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
    except UNTOLD:
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


def _behind(seconds: float | None, wanted: Freshness | None, facts: Facts | None = None) -> Document:
    """How far behind the source, and how that is judged."""
    at_least = facts is not None and facts.replication is None
    return {
        "behind_seconds": None if seconds is None else round(seconds),
        "freshness": freshness.judged(seconds, wanted, at_least) if wanted else "unknown",
        "warn_after_seconds": wanted and wanted.warn_after,
        "error_after_seconds": wanted and wanted.error_after,
    }


def _last_run(run: Execution, summary: Document) -> Document:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "started_at": run.started_at.isoformat(),
        "seconds": round(run.seconds, 1),
        "cause": explain(run, summary) if run.status in BADLY else None,
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
        except KeyError as error:
            state = f"no stack gives {error}"
        except MedallionError as error:
            state = str(error)
        yield Engine(name, state, state in good)


def _running(look: Look) -> Iterator[Document]:
    """Runs in flight, with what they should take by the last good one."""
    recent = look.recent
    usual = _usual(look) if any(brief.status == "RUNNING" for brief in recent) else None
    yield from (_progress(look, brief, usual) for brief in recent if brief.status == "RUNNING")


def _working(look: Look) -> Iterator[Document]:
    """Who works on the environment."""
    if (holder := look.holder) is not None and look.worked_on:
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


def _quarantine(history: History) -> Iterator[Document]:
    for name, entry in history.tables.items():
        if count := quarantine_of(entry):
            yield {"table": name, "rows": count, "run_id": entry.get("run_id")}
