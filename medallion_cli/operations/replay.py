"""Replay: what a run, and every one after it, took from bronze is processed again, as today's rules and SELECTs have it.

It goes through the state machine like a run. Silver replaces its rows in one commit a table, gold is merged in one
transaction: readers see the old state until the new one is whole. Where nothing differs nothing is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.aws import s3
from medallion_cli.errors import UsageError
from medallion_cli.events import Event
from medallion_cli.operations import paused, replicate
from medallion_cli.operations import run as runs

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Model, Pipeline, Table

EVERYTHING = "all"
LAYERS = ("silver", "gold")
_RUN = re.compile(r"run-\d{8}T\d{6}Z-\w+")
_EXAMPLE = "--from run-20260101T020000Z-3f2a, --from 2026-01-01T02:00 or --from all"


@dataclass(frozen=True)
class Origin:
    """Where a replay begins: a run's id, a moment (UTC), or neither for everything."""

    run_id: str | None = None
    moment: datetime | None = None


@dataclass(frozen=True)
class Read:
    """The bronze files of a table that will be read; moments in ISO 8601, None without a file."""

    table: str
    files: int
    bytes: int
    first: str | None
    last: str | None


@dataclass(frozen=True)
class ReplayPlan:
    """What a replay reads and touches."""

    since: str  # bronze that arrived then or later; `all`
    reads: tuple[Read, ...]
    touches: tuple[str, ...]  # tables of silver
    models: dict[str, str]  # of gold, and how: `in full` or `keys touched since`
    run: runs.RunPlan

    @property
    def document(self) -> dict[str, Any]:
        """The documented JSON."""
        return {
            "since": self.since,
            "reads": [asdict(read) for read in self.reads],
            "silver": list(self.touches),
            "gold": self.models,
        }


def origin(target: Target, outputs: dict[str, str], text: str) -> Origin:
    """Of what was typed; UsageError when it is neither a run that there was, nor a moment that has passed."""
    if text == EVERYTHING:
        return Origin()
    if _RUN.fullmatch(text):
        if text not in s3.folders(target, outputs["ArtifactsBucket"], "runs/"):
            raise UsageError(f"no run {text!r} among those that are kept", hint="medallion runs")
        return Origin(run_id=text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is neither a run nor a time", hint=_EXAMPLE) from None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    if moment > datetime.now(UTC):
        raise UsageError(f"{text} is not there yet", hint=_EXAMPLE)
    return Origin(moment=moment)


def plan(
    target: Target,
    outputs: dict[str, str],
    pipeline: Pipeline,
    warehouse: Warehouse,
    origin: Origin,
    layer: str | None = None,
    table: str | None = None,
) -> ReplayPlan:
    """Looks at what there is, and changes nothing."""
    if layer is not None and layer not in LAYERS:
        hint = "medallion replicate reload" if layer == "bronze" else f"one of: {', '.join(LAYERS)}"
        raise UsageError(f"no layer {layer!r} to replay", hint=hint)
    chosen = runs.plan(pipeline, None, table)
    layers = (layer,) if layer else LAYERS
    tables = [pipeline.table(name) for name in chosen.tables] or list(pipeline.tables)
    found = ReplayPlan(EVERYTHING, (), (), {}, replace(chosen, layers=layers))
    if "silver" in layers:
        since = _since(target, outputs, origin, {each.name for each in tables})
        reads = tuple(_read(target, outputs, each, since) for each in tables)
        touched = tuple(name for each in tables for name in (f"{each.name}_changes", each.name))
        found = replace(found, since=since, reads=reads, touches=touched)
    if "gold" in layers:
        models = [m for m in pipeline.models if m.staged and (not chosen.models or m.name in chosen.models)]
        found = _with_gold(found, warehouse, origin, models)
    if "silver" in layers:
        found = _again(found, replay=found.since)
    return found


def replay(
    target: Target, outputs: dict[str, str], settings: Settings, plan: ReplayPlan
) -> Generator[Event, None, runs.RunResult]:
    """Runs it; one of the same plan that is in flight is attached to, any other is waited for."""
    paused.refuse(target)
    if "silver" in plan.run.layers:
        yield from replicate.start(target, outputs, settings)
    return (yield from runs.run(target, outputs, settings, plan.run))


def _again(plan: ReplayPlan, **more: str) -> ReplayPlan:
    return replace(plan, run=replace(plan.run, again=(*plan.run.again, *more.items())))


def _since(target: Target, outputs: dict[str, str], origin: Origin, tables: set[str]) -> str:
    """The moment from which on a file may be one that the run took, as an earlier run's step file tells it."""
    if origin.moment is not None:
        return origin.moment.isoformat(timespec="microseconds")
    for before in _before(target, outputs, origin.run_id):
        step = runs.read_step(target, outputs, before, "bronze_to_silver")
        if step and tables <= {e["table"] for e in step["tables"] if e["state"] == "ok"}:
            return str(step["started_at"])
    return EVERYTHING


def _before(target: Target, outputs: dict[str, str], run_id: str | None) -> Iterator[str]:
    """The runs before one, newest first."""
    if run_id is not None:
        names = s3.folders(target, outputs["ArtifactsBucket"], "runs/")
        yield from sorted((name for name in names if _RUN.match(name) and name < run_id), reverse=True)


def _read(target: Target, outputs: dict[str, str], table: Table, since: str) -> Read:
    """What the job will read of a table: with a file of a full load, everything from its folder on."""
    bucket = outputs["BronzeBucket"]
    there = [
        (key, size, at)
        for folder in s3.folders(target, bucket, "")
        for key, size, at in s3.listed(target, bucket, f"{folder}/{table.schema}/{table.name}/")
        if key.endswith(".parquet")
    ]
    start = None if since == EVERYTHING else datetime.fromisoformat(since)
    again = {key for key, _, at in there if start is None or at >= start}
    first = min((key.split("/")[0] for key in again), default="")
    whole = any(key.startswith(f"{first}/") and "/LOAD" in key for key in again)
    taken = [
        entry
        for entry in there
        if again
        and (entry[0] in again or (folder := entry[0].split("/")[0]) > first or (whole and folder == first))
    ]
    moments = sorted(at for _, _, at in taken)
    ends = [f"{moments[n].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for n in (0, -1)] if moments else [None, None]
    return Read(table.name, len(taken), sum(size for _, size, _ in taken), ends[0], ends[1])


def _with_gold(plan: ReplayPlan, warehouse: Warehouse, origin: Origin, models: list[Model]) -> ReplayPlan:
    if origin == Origin():
        in_full = {model.name: "in full" for model in models}
        return replace(plan, models=in_full, run=replace(plan.run, full=True))
    stood = _positions(warehouse, origin)
    since = {model.name: stood[model.name] for model in models if model.name in stood}
    told = {name: "keys touched since" if position else "in full" for name, position in since.items()}
    told |= {m.name: "what differs" for m in models if m.name not in since and "silver" in plan.run.layers}
    asked = json.dumps(since, sort_keys=True, separators=(",", ":"))
    return _again(replace(plan, models=told), since=asked)


def _positions(warehouse: Warehouse, origin: Origin) -> dict[str, str]:
    """Where each model stood before the first merge of the run, or after the moment; empty: nowhere yet."""
    which = "run_id >= :value" if origin.run_id else "merged_at >= CAST(:value AS TIMESTAMP)"
    value = origin.run_id or f"{origin.moment:%Y-%m-%d %H:%M:%S.%f}"
    rows = warehouse.execute(
        f"SELECT model, from_position FROM etl.load WHERE {which} ORDER BY merged_at, run_id",
        {"value": value},
    ).rows
    found: dict[str, str] = {}
    for model, position in rows:
        found.setdefault(str(model), str(position or ""))
    return found
