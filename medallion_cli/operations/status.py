"""Status: what each layer holds and how fresh it is, from statistics and step files; nothing wakes the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.orchestration import StateMachine
from medallion_cli.aws.replication import LOADED, TableStatistics
from medallion_cli.operations import paused, replicate
from medallion_cli.operations.run import explain, read_step

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.spec import Pipeline

PAUSED = "paused since"


@dataclass(frozen=True)
class Status:
    """The documented JSON of `status`, and what is wrong in words."""

    env: str
    healthy: bool
    layers: list[dict[str, Any]]
    last_run: dict[str, Any] | None
    replication: dict[str, Any]
    findings: list[str]

    @property
    def remedy(self) -> str:
        """The command to try."""
        return "resume" if any(finding.startswith(PAUSED) for finding in self.findings) else "run"

    @property
    def document(self) -> dict[str, Any]:
        """One JSON document."""
        return dict(vars(self))


def status(target: Target, outputs: dict[str, str], pipeline: Pipeline, env: str) -> Status:
    """Looks at replication, the last runs and their step files."""
    now = datetime.now(UTC)
    replication = replicate.status(target, outputs)
    last = StateMachine(target, outputs).last()
    silver, gold = _newest(target, outputs)
    layers: list[dict[str, Any]] = [
        {"layer": "bronze", "tables": [_bronze(t, now) for t in replication.tables]},
        {"layer": "silver", "tables": [_silver(t.name, silver, now) for t in pipeline.tables]},
        {"layer": "gold", "tables": [_gold(m.name, gold, now) for m in pipeline.models]},
    ]
    findings = []
    if (pause := paused.read(target)) is not None:
        findings.append(f"{PAUSED} {pause.at:%Y-%m-%d %H:%M} UTC")
    elif replication.status != "running":
        findings.append(
            f"replication is {replication.status} {replication.message or replication.stop_reason}".strip()
        )
    if last and last.status in ("FAILED", "TIMED_OUT", "ABORTED"):
        summary = read_step(target, outputs, last.run_id, "summary") or {}
        findings.append(f"{last.run_id} {last.status.lower()}: {explain(last, summary)}")
    findings += [
        f"{t['table']}: {t['state']}" for layer in layers for t in layer["tables"] if t["state"] == "failed"
    ]
    return Status(
        env=env,
        healthy=not findings,
        layers=layers,
        last_run=_run(last),
        replication={"status": replication.status, "generation": replication.generation},
        findings=findings,
    )


def _newest(target: Target, outputs: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Newest facts per silver table and per gold model, from the runs' summaries, newest first."""
    from medallion_cli.aws.s3 import folders

    runs = sorted(folders(target, outputs["ArtifactsBucket"], "runs/"), reverse=True)
    silver: dict[str, Any] = {}
    gold: dict[str, Any] = {}
    for run_id in runs[:20]:
        step = read_step(target, outputs, run_id, "bronze_to_silver")
        for entry in (step or {}).get("tables", []):
            silver.setdefault(entry["table"], entry)
        summary = read_step(target, outputs, run_id, "summary")
        for entry in (summary or {}).get("state") or []:
            gold.setdefault(entry["model"], entry)
        if silver and gold:
            break
    return silver, gold


def _bronze(table: TableStatistics, now: datetime) -> dict[str, Any]:
    state = {LOADED: "ok", "Table error": "failed"}.get(table.state, table.state.lower() or "waiting")
    return _row(table.table, table.full_load_rows + table.changes, table.last_change, state, now)


def _silver(name: str, facts: dict[str, Any], now: datetime) -> dict[str, Any]:
    entry = facts.get(name)
    if entry is None:
        return _row(name, None, None, "empty", now)
    return _row(name, entry.get("rows"), _time(entry.get("last_change")), entry.get("state", "ok"), now)


def _gold(name: str, facts: dict[str, Any], now: datetime) -> dict[str, Any]:
    entry = facts.get(name)
    if entry is None:
        return _row(name, None, None, "empty", now)
    loaded = entry.get("last_loaded_at") or entry.get("last_loaded")
    return _row(name, int(entry["rows"]) if entry.get("rows") is not None else None, _time(loaded), "ok", now)


def _row(table: str, rows: int | None, last: datetime | None, state: str, now: datetime) -> dict[str, Any]:
    lag = max(0.0, (now - last).total_seconds()) if last else None
    return {
        "table": table,
        "rows": rows,
        "last_change": last.isoformat() if last else None,
        "lag_seconds": round(lag) if lag is not None else None,
        "state": state,
    }


def _time(value: str | None) -> datetime | None:
    if not value:
        return None
    found = datetime.fromisoformat(value.replace(" ", "T", 1).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _run(execution: Any) -> dict[str, Any] | None:
    if execution is None:
        return None
    return {
        "run_id": execution.run_id,
        "status": execution.status,
        "started_at": execution.started_at.isoformat(),
        "seconds": round(execution.seconds, 1),
    }
