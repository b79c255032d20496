"""Checks of runs: how the last one ended, whether data is fresh, whether schedules start anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from medallion_cli import durations
from medallion_cli.operations import freshness
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.causes import code_of
from medallion_cli.operations.doctor.rules import NotLooked
from medallion_cli.operations.frequency import longest_wait
from medallion_cli.operations.run import explain

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding
    from medallion_cli.spec import Model

MISSED = 3  # times of its rate that a schedule may start nothing
SHOWN = 5  # names in one line


def last(look: Look) -> Iterator[Finding]:
    """How the newest run ended, by its cause."""
    run = look.last
    if run is None or run.status not in ("FAILED", "TIMED_OUT", "ABORTED"):
        return
    cause = explain(run, look.summary)
    if run.status == "ABORTED":
        yield finding("MED-RUN-002", f"{run.run_id} aborted: {cause}", where=run.run_id)
        return
    failed = [e for e in (look.summary.get("silver") or {}).get("tables", []) if e.get("state") == "failed"]
    code = code_of(f"{run.error} {cause}")
    if code is None and (look.paused is not None or look.task.status != "running"):
        return  # told by replication's own check
    code = code or "MED-RUN-001"
    if code == "MED-SIL-012" and (model := _model(look, cause)):
        yield _too_wide(model, f"{run.run_id} failed: {cause}", run.run_id)
        return
    table = failed[0]["table"] if failed else _named(look, cause)
    if failed and code == "MED-RUN-001":
        code = "MED-SIL-001"
    yield finding(code, f"{run.run_id} failed: {cause}", where=run.run_id, table=table, folder=".")


def _model(look: Look, cause: str) -> Model | None:
    """The model that a cause begins with, as silver_to_gold names it."""
    return next((one for one in look.pipeline.models if re.search(rf"\b{one.name}: ", cause)), None)


def _too_wide(model: Model, told: str, run_id: str) -> Finding:
    """A copy takes its columns from its table's DDL; those of other models are written down by themselves."""
    if model.kind == "copy":
        return finding("MED-SIL-012", told, where=run_id, table=model.inputs[0].table)
    found = finding(
        "MED-SIL-012", f"{told}; widen it in sql/redshift/tables/{model.name}.sql", where=run_id, table=""
    )
    return replace(found, remedy="medallion up --yes && medallion run")


def _named(look: Look, cause: str) -> str:
    names = [table.name for table in look.pipeline.tables]
    return next((name for name in names if re.search(rf"\b{name}\b", cause)), names[0])


def fresh(look: Look) -> Iterator[Finding]:
    """Tables and models that are behind by more than they may be."""
    found = [] if look.paused is not None else [*states(look)]
    if all(state == "unknown" for _, _, state in found):
        raise NotLooked
    judged: dict[str, list[tuple[float, str]]] = {"late": [], "stale": []}
    for name, behind, state in found:
        if state in judged:
            judged[state].append((behind or 0.0, name))
    for state, code in (("stale", "MED-RUN-003"), ("late", "MED-RUN-004")):
        if names := sorted(judged[state], reverse=True):
            listed = ", ".join(name for _, name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
            yield finding(code, f"{listed}: up to {durations.told(names[0][0])} behind", where="freshness")


def states(look: Look) -> Iterator[tuple[str, float | None, freshness.State]]:
    """Each table and model with the seconds it is behind, and how that is judged."""
    at_least = look.facts.replication is None
    for table in look.pipeline.tables:
        behind = freshness.of_table(look.facts, table.name)
        yield f"silver {table.name}", behind, freshness.judged(behind, table.freshness, at_least)
    for model in look.pipeline.models:
        behind = freshness.of_model(look.facts, model, look.pipeline)
        yield f"gold {model.name}", behind, freshness.judged(behind, model.freshness, at_least)


def scheduled(look: Look) -> Iterator[Finding]:
    """A schedule that is on, and a state machine that it does not start."""
    if look.paused is not None:
        raise NotLooked
    pipeline = next((s for s in look.schedules if s.name == look.outputs["PipelineScheduleName"]), None)
    if pipeline is None or not pipeline.enabled or any(run.status == "RUNNING" for run in look.recent):
        return
    every, began = longest_wait(pipeline.expression), [run.started_at for run in look.recent[:1]]
    since = max([*began, *([pipeline.changed] if pipeline.changed else [])], default=None)
    if every is None or since is None:
        raise NotLooked
    if look.now - since > every * MISSED:
        told = durations.told((look.now - since).total_seconds())
        yield finding(
            "MED-RUN-006", f"{pipeline.expression}, and no run began for {told}", where=pipeline.name
        )


def quarantined(look: Look) -> Iterator[Finding]:
    """Rows that expectations keep out of silver, as the newest runs counted them."""
    counts = {name: quarantine_of(entry) for name, entry in look.history.tables.items()}
    if kept := {name: count for name, count in counts.items() if count}:
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(kept.items()))
        yield finding("MED-SIL-003", f"{told} rows", where="quarantine")


def set_aside(look: Look) -> Iterator[Finding]:
    """Bronze files that the newest run of their table could not take."""
    for name, entry in sorted(look.history.tables.items()):
        files = entry.get("set_aside") or []
        lost = [file for file in files if file["reason"] != "no_rows"]
        untold = max(
            0, int(entry.get("set_aside_total") or 0) - len(files)
        )  # a step file has only so much room
        for code, found in (("MED-SIL-004", lost), ("MED-SIL-005", [f for f in files if f not in lost])):
            if found:
                others = len(found) - 1 + (untold if found is lost or not lost else 0)
                more = f" and {others} more" if others else ""
                told = f"{found[0]['file']} is set aside ({found[0]['reason'].replace('_', ' ')}){more}"
                yield finding(code, told, where=name, table=name)


def quarantine_of(entry: dict[str, object]) -> int:
    """Rows of a table that are in quarantine: all of them where the step file says so, else the newest run's."""
    found = entry.get("in_quarantine", entry.get("quarantined")) or 0
    return int(str(found))
