"""Quarantine: which rows rules keep out of silver and why, and judging them anew by today's rules."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations import paused, replicate
from medallion_cli.operations import run as runs
from medallion_cli.operations.peek import Peeked, masked

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

MODE = "quarantine"  # of the state machine's `replay`
Document = dict[str, Any]


def kept_out(look: Look, table: str | None = None) -> Document:
    """What the newest run of each table says: rules that rows break now, and bronze files that are set aside; no job runs."""
    if table is not None:
        look.pipeline.table(table)
    entries = {n: e for n, e in look.history.tables.items() if table in (None, n)}
    return {
        "tables": [
            {
                "table": name,
                "in_quarantine": int(entry.get("in_quarantine") or 0),
                "dropped": int(entry.get("dropped") or 0),
                "run_id": entry.get("run_id"),
            }
            for name, entry in sorted(entries.items())
            if entry.get("in_quarantine") or entry.get("dropped")
        ],
        "rules": [
            {"table": name, **rule}
            for name, entry in sorted(entries.items())
            for rule in entry.get("expectations") or ()
            if rule["rows"]  # what only versions that were replaced have broken keeps nothing out
        ],
        "files": [
            {"table": name, **file}
            for name, entry in sorted(entries.items())
            for file in entry.get("set_aside") or ()
        ],
        "files_total": sum(
            int(entry.get("set_aside_total") or len(entry.get("set_aside") or ()))
            for entry in entries.values()
        ),
    }


def show(
    target: Target,
    outputs: Mapping[str, str],
    settings: Settings,
    pipeline: Pipeline,
    wanted: Document,
    *,
    show_personal: bool,
) -> Generator[Event, None, Peeked]:
    """Rows whose newest version breaks a rule, with the rules, the bronze file and row; by a Glue job.

    `wanted` is {table, key, limit, warnings}: with `warnings` also rows that a rule only warns of.
    """
    from medallion_cli.aws.jobs import run_job
    from medallion_cli.aws.s3 import delete, put_text, read_text

    table = pipeline.table(wanted["table"])
    step = f"quarantine of {table.name}"
    yield Started(step)
    bucket, token = outputs["ArtifactsBucket"], uuid.uuid4().hex
    put_text(target, bucket, f"verify/{token}/request.json", json.dumps({MODE: wanted}))
    place = f"s3://{bucket}/verify/{token}"
    arguments = {
        "--request_uri": f"{place}/request.json",
        "--result_uri": f"{place}/result.json",
        "--run_id": f"{MODE}-{token[:8]}",
    }
    run_job(target, outputs["ChecksumJob"], arguments, min(settings.poll_seconds, 5) / 2, sleep=time.sleep)
    text = read_text(target, bucket, f"verify/{token}/result.json")
    delete(
        target, bucket, [f"verify/{token}/{name}.json" for name in ("request", "result")]
    )  # they hold rows
    if text is None:
        raise MedallionError("the job wrote no rows", hint="medallion logs silver")
    document = json.loads(text)
    found = Peeked(tuple(document["columns"]), tuple(tuple(row) for row in document["rows"]))
    yield Finished(step, f"{len(found.rows)} rows")
    return found if show_personal else masked(found, table.personal)


def replaying(pipeline: Pipeline, table: str | None) -> runs.RunPlan:
    """The run that judges anew."""
    plan = runs.plan(pipeline, None, table)
    return replace(plan, layers=("silver", "gold"), again=(("replay", MODE),))


def replay(
    target: Target, outputs: dict[str, str], settings: Settings, pipeline: Pipeline, table: str | None
) -> Generator[Event, None, runs.RunResult]:
    """Judges every version by the rules that are deployed, and has gold follow: one run through the state machine."""
    paused.refuse(target)
    plan = replaying(pipeline, table)
    yield from replicate.start(target, outputs, settings)
    return (yield from runs.run(target, outputs, settings, plan))
