"""Merge: loads the staged rows of a run and merges them into gold, as the state machine does."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations.run import read_step

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.aws.warehouse import Warehouse
    from medallion_cli.spec import Pipeline


@dataclass(frozen=True)
class Staged:
    """What a run has staged and gold does not hold yet: models in merge order, and the batches that load them."""

    run_id: str
    models: tuple[str, ...]
    batches: tuple[list[str], ...]


def staged(
    target: Target,
    outputs: dict[str, str],
    pipeline: Pipeline,
    warehouse: Warehouse,
    model: str | None,
    run_id: str | None,
) -> Staged:
    """What a merge would load of `run_id` (default: the newest that staged); MedallionError when gold has moved on."""
    if model is not None:
        pipeline.model(model)
    run_id = run_id or _last_staged(target, outputs)
    step = read_step(target, outputs, run_id, "silver_to_gold")
    if step is None:
        raise UsageError(f"no staged run {run_id!r}", hint="medallion run --layer gold")
    loaded = _loaded(warehouse, step)
    _refuse_late(warehouse, step, loaded, model)
    names = (entry["model"] for entry in step["models"])
    models = tuple(name for name in names if name not in loaded and model in (None, name))
    batches = tuple(batch for batch in step["load_batches"] if _models_of(batch, step) - loaded)
    return Staged(run_id, models, batches)


def merge(
    target: Target,
    outputs: dict[str, str],
    pipeline: Pipeline,
    warehouse: Warehouse,
    model: str | None,
    run_id: str | None,
) -> Generator[Event, None, list[dict[str, Any]]]:
    """COPYs what `run_id` (default: the newest staged run) staged and calls gold.merge_run; rows of etl.load."""
    found = staged(target, outputs, pipeline, warehouse, model, run_id)
    run_id = found.run_id
    yield Started("copy")
    for batch in found.batches:
        warehouse.batch(batch)
    yield Finished("copy", f"{len(found.batches)} batches")
    yield Started("merge")
    warehouse.execute("CALL gold.merge_run(:run_id, :models)", {"run_id": run_id, "models": model or "all"})
    rows = warehouse.execute(
        "SELECT model, staged_rows, inserted, updated, deleted FROM etl.load WHERE run_id = :run_id ORDER BY model",
        {"run_id": run_id},
    )
    yield Finished("merge", f"{len(rows.rows)} models of {run_id}")
    return [
        dict(zip(("model", "staged_rows", "inserted", "updated", "deleted"), row, strict=True))
        for row in rows.rows
    ]


def _loaded(warehouse: Warehouse, step: dict[str, Any]) -> set[str]:
    """The models of which gold has what the run staged; one that was retried may have staged more since."""
    sql = "SELECT model, to_position, select_hash FROM etl.load WHERE run_id = :run_id"
    held = {tuple(row) for row in warehouse.execute(sql, {"run_id": step["run_id"]}).rows}
    return {e["model"] for e in step["models"] if (e["model"], e["to"], e["hash"]) in held}


def _refuse_late(warehouse: Warehouse, step: dict[str, Any], loaded: set[str], model: str | None) -> None:
    """MedallionError when models or gold have changed since the run staged, before anything is loaded for nothing."""
    stands = _by_model(warehouse, "SELECT model, to_position FROM etl.position")
    shapes = _by_model(warehouse, "SELECT model, shape FROM etl.shape")
    asked = [e for e in step["models"] if e["model"] not in loaded and model in (None, e["model"])]
    late = [e["model"] for e in asked if (e["from"] or "") != stands.get(e["model"], "")]
    other = [e["model"] for e in asked if not shapes.get(e["model"], "").startswith(f"{e['hash']}-")]
    for what, names in (("gold has moved on", late), ("the project's models have changed", other)):
        if names:
            raise MedallionError(
                f"{what} since {step['run_id']} staged {', '.join(names)}: nothing was merged",
                hint="medallion run --layer gold",
            )


def _by_model(warehouse: Warehouse, sql: str) -> dict[str, str]:
    return {str(model): str(value or "") for model, value in warehouse.execute(sql).rows}


def _models_of(batch: list[str], step: dict[str, Any]) -> set[str]:
    return {m["model"] for m in step["models"] if any(f"staging.{m['model']}" in sql for sql in batch)}


def _last_staged(target: Target, outputs: dict[str, str]) -> str:
    from medallion_cli.aws.s3 import folders

    for run_id in sorted(folders(target, outputs["ArtifactsBucket"], "runs/"), reverse=True):
        step = read_step(target, outputs, run_id, "silver_to_gold")
        if step and step["models"]:
            return run_id
    raise MedallionError("no run has staged anything yet", hint="medallion run")
