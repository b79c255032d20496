"""Runs: which there were, and one of them with its timeline, its rows, its quality and what it cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.jobs import JobRun, job_runs
from medallion_cli.aws.orchestration import Brief, Execution, Span, StateMachine
from medallion_cli.operations.logs import BAD, CAUGHT, of_run
from medallion_cli.operations.run import explain, read_step, result_rows

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

TOLD = "tell the failure"
# The states that a reader wants to see; those between two of them (looks, waits, reads) count to the first.
STAGES = {
    "Prepare": "look around",
    "Bronze to silver": "bronze to silver",
    "Read positions": "read positions",
    "Housekeeping": "housekeeping",
    "Silver to gold": "silver to gold",
    "Load staging": "load staging",
    "Merge": "merge",
    "Read gold": "read gold",
    "Write summary": "write summary",
    CAUGHT: TOLD,
}
HOUR = 3600.0
QUIET_SECONDS = 60.0  # Redshift Serverless bills at least a minute a time


@dataclass(frozen=True)
class Stage:
    """A part of a run's timeline; seconds since its start."""

    name: str
    begins: float
    ends: float
    failed: bool = False


@dataclass(frozen=True)
class RunView:
    """One run, in full."""

    run_id: str
    status: str
    started_at: str
    seconds: float
    input: dict[str, Any]
    cause: str | None
    stages: list[Stage]
    tables: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    cost: dict[str, Any]
    jobs: list[JobRun] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def recent(target: Target, outputs: dict[str, str], limit: int) -> list[Brief]:
    """The newest runs, newest first."""
    return StateMachine(target, outputs).recent(limit)[:limit]


def show(target: Target, outputs: dict[str, str], settings: Settings, assets: Assets, run_id: str) -> RunView:
    """One run; UsageError when there is none of that id."""
    run = of_run(target, outputs, run_id)
    summary = read_step(target, outputs, run_id, "summary") or {}
    silver = summary.get("silver") or read_step(target, outputs, run_id, "bronze_to_silver") or {}
    names = ("BronzeToSilverJob", "SilverToGoldJob", "HousekeepingJob")
    found = [job for name in names for job in job_runs(target, outputs[name], since=run.started_at)]
    jobs = [job for job in found if job.run_id == run_id]
    spans = StateMachine(target, outputs).spans(run.arn)
    timeline = stages(run, spans)
    return RunView(
        run_id=run_id,
        status=run.status,
        started_at=run.started_at.isoformat(),
        seconds=round(run.seconds, 1),
        input=run.input,
        cause=explain(run, summary) if run.status in BAD else None,
        stages=timeline,
        tables=result_rows({**summary, "silver": silver}),
        quality=quality(silver),
        cost=cost(jobs, timeline, len(spans), settings, assets),
        jobs=jobs,
    )


def stages(run: Execution, spans: list[Span]) -> list[Stage]:
    """The timeline: each stage until the next one is entered, that of a run in flight until now."""
    if not spans:
        return []
    zero = spans[0].began
    end = max((span.ended or span.began) for span in spans)
    if run.status == "RUNNING":
        end = max(end, datetime.now(UTC))
    marks = [span for span in spans if span.state in STAGES]
    names = [STAGES[span.state] for span in marks]
    begins = [(span.began - zero).total_seconds() for span in marks]
    ends = [*begins[1:], (end - zero).total_seconds()]
    failed = [
        run.status in BAD and name != TOLD and after == TOLD for name, after in pairwise([*names, TOLD])
    ]
    return [Stage(*each) for each in zip(names, begins, ends, failed, strict=True)]


def quality(silver: dict[str, Any]) -> list[dict[str, Any]]:
    """What expectations said, a row a rule where the step file tells them, else a row a table."""
    found: list[dict[str, Any]] = []
    for entry in silver.get("tables", []):
        rules = entry.get("expectations") or entry.get("quality") or []
        found += [{"table": entry["table"], **rule} for rule in rules if isinstance(rule, dict)]
        if not rules and entry.get("quarantined"):
            found.append({"table": entry["table"], "action": "quarantine", "rows": entry["quarantined"]})
    return found


def cost(
    jobs: list[JobRun], timeline: list[Stage], states: int, settings: Settings, assets: Assets
) -> dict[str, Any]:
    """What AWS asks for the run, by configs/prices.yaml: Glue's own seconds, the warehouse's busy ones, transitions."""
    from medallion_cli.operations.prices import load_prices

    prices = load_prices(assets)
    region, note = prices.of(settings.region)
    glue = sum(job.dpu_seconds for job in jobs) / HOUR * region.dpu
    busy = _busy(timeline)
    capacity = float(settings.parameters.get("WarehouseCapacity", "4"))  # as warehouse.yaml
    warehouse = max(busy, QUIET_SECONDS) / HOUR * capacity * region.rpu if busy else 0.0
    transitions = states * region.transition
    return {
        "currency": prices.currency,
        "glue": round(glue, 4),
        "warehouse": round(warehouse, 4),
        "transitions": round(transitions, 4),
        "total": round(glue + warehouse + transitions, 4),
        "as_of": prices.as_of.isoformat(),
        "note": note,
    }


def _busy(timeline: list[Stage]) -> float:
    """Seconds in which the warehouse worked for the run."""
    wanted = ("load staging", "merge", "read gold", "read positions")
    return sum(stage.ends - stage.begins for stage in timeline if stage.name in wanted)
