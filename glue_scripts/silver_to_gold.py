"""Glue job: evaluates the gold models over silver and stages what changed; nothing otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from medallion_glue.arguments import chosen, read_arguments
from medallion_glue.document import Pipeline, read_pipeline
from medallion_glue.faults import one_line
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.ledger import quality_batches, silver_step
from medallion_glue.models import GoldModel, pin_tables
from medallion_glue.objects import put_json
from medallion_glue.staging import Staged, load_batches, write_rows
from medallion_glue.telling import tell

PARALLEL = 2


class ModelFailed(Exception):
    """A model could not be evaluated or staged; the message names it."""


def main() -> None:
    """Runs the job; any failing model fails it, since gold is merged whole or not at all."""
    arguments = read_arguments(
        "pipeline_uri",
        "run_id",
        "artifacts_bucket",
        "silver_database",
        "staging_bucket",
        "positions",
        "copy_role_arn",
        models="all",
        full="false",
        since="{}",
        catalog="glue_catalog",
    )
    started = datetime.now(UTC)
    pipeline = read_pipeline(arguments["pipeline_uri"])
    house = Lakehouse(open_session("silver_to_gold"), arguments["catalog"], arguments["silver_database"])
    staged = list(stage_models(house, pipeline, arguments))
    run_id = arguments["run_id"]
    put_json(
        f"s3://{arguments['artifacts_bucket']}/runs/{run_id}/silver_to_gold.json",
        {
            "run_id": run_id,
            "step": "silver_to_gold",
            "started_at": started.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
            "models": [model.document() for model in staged],
            "load_batches": [
                *load_batches(staged, run_id, arguments["copy_role_arn"]),
                *quality_batches(silver_step(arguments["artifacts_bucket"], run_id), run_id),
            ],
        },
    )


def stage_models(house: Lakehouse, pipeline: Pipeline, arguments: dict[str, str]) -> Iterator[Staged]:
    """Stages the chosen models, a few at a time, in merge order; those with nothing to do are left out."""
    known: Mapping[str, Mapping[str, str]] = json.loads(arguments["positions"] or "{}")
    pins = pin_tables(house, pipeline)
    names = _staged_names(arguments["models"], pipeline)

    def stage(name: str) -> Staged | None:
        gold = GoldModel(house.apart(name), pipeline, pins, pipeline.model(name))
        began = time.monotonic()
        try:
            staged = stage_model(gold, known.get(name), arguments["full"] == "true", arguments)
        except Exception as error:
            raise ModelFailed(f"{name}: {one_line(error)}") from error
        if staged is not None:
            note = f", {staged.note}" if staged.note else ""
            took = f"in {time.monotonic() - began:.1f} s"
            tell(f"{name}: {staged.upserts} upserts, {staged.deletes} deletes {took}{note}")
        return staged

    with ThreadPoolExecutor(PARALLEL) as pool:
        yield from (staged for staged in pool.map(stage, names) if staged is not None)


def _staged_names(models: str, pipeline: Pipeline) -> list[str]:
    """The chosen models that Spark stages; a refresh model is the warehouse's own work."""
    staged = [model.name for model in pipeline.models]
    wanted = [name for name in models.split(",") if name not in pipeline.refreshed]
    return chosen(",".join(wanted), staged)


def stage_model(
    gold: GoldModel, known: Mapping[str, str] | None, full: bool, arguments: Mapping[str, str]
) -> Staged | None:
    """Stages one model, in full or from where it stands; None when there is nothing to do."""
    if not gold.ready:
        return None
    since = None if full else gold.since(known)
    before = known.get("to") if known else None
    again = json.loads(arguments.get("since") or "{}").get(gold.model.name)
    if since is not None and again is not None:  # a replay: what was touched after an older position
        since = gold.since({**(known or {}), "to": again})
    if since is not None and since == json.loads(gold.position):
        return None
    rows = gold.staged(since)
    upserts, deletes, manifest = write_rows(
        rows, arguments["staging_bucket"], arguments["run_id"], gold.model.name
    )
    return Staged(
        model=gold.model.name,
        kind=gold.model.kind,
        from_position=before or None,
        to_position=gold.position,
        select_hash=gold.model.select_hash,
        full=since is None,
        upserts=upserts,
        deletes=deletes,
        manifest=manifest,
        note=gold.note(known) if since is None and not full else None,
    )


if __name__ == "__main__":
    main()
