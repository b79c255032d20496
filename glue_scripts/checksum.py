"""Glue job: checksums of the silver tables, and of every model's full evaluation over them, for `medallion verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from medallion_glue.arguments import read_arguments
from medallion_glue.checksums import checksum
from medallion_glue.document import Model, Pipeline, Table, read_pipeline
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.models import GoldModel, Pin, looked_up, pin_tables
from medallion_glue.newest import newest
from medallion_glue.objects import put_json, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame


def main() -> None:
    """Runs the job; a table that is not in silver yet has no entry."""
    arguments = read_arguments(
        "pipeline_uri", "request_uri", "result_uri", "silver_database", catalog="glue_catalog"
    )
    pipeline = read_pipeline(arguments["pipeline_uri"])
    request = json.loads(read_text(arguments["request_uri"]))
    house = Lakehouse(open_session("checksum"), arguments["catalog"], arguments["silver_database"])
    put_json(arguments["result_uri"], checksums(house, pipeline, request))


def checksums(house: Lakehouse, pipeline: Pipeline, request: Mapping[str, Any]) -> dict[str, Any]:
    """The result document of a request document."""
    pins = pin_tables(house, pipeline)
    tables = [entry for entry in request["tables"] if entry["table"] in pins]
    models = [
        m for m in pipeline.models if m.name in request["models"] and all(i.table in pins for i in m.inputs)
    ]
    return {
        "tables": [
            {"table": e["table"], **_table_sum(house, pipeline.table(e["table"]), pins, e)} for e in tables
        ],
        "models": list(_model_sums(house, pipeline, pins, models)),
    }


def _table_sum(
    house: Lakehouse, table: Table, pins: Mapping[str, Pin], entry: Mapping[str, Any]
) -> dict[str, Any]:
    """Of the table as it is, or as it was at a position of its history."""
    generation, seq = entry.get("upto_generation"), entry.get("upto_seq")
    if generation is None:
        rows = house.at(table.name, pins[table.name].table)
    else:
        until = f"`_generation` = '{generation}'" + (f" AND `_seq` <= '{seq}'" if seq is not None else "")
        rows = newest(house.at(table.changes, pins[table.name].changes).where(until), table)
    return checksum(rows.where("NOT `_is_deleted`"), table.columns)


def _model_sums(
    house: Lakehouse, pipeline: Pipeline, pins: Mapping[str, Pin], models: list[Model]
) -> list[dict[str, Any]]:
    dimensions: dict[str, tuple[Model, DataFrame]] = {}
    needed = {lookup.dimension for model in models for lookup in model.lookups}
    for name in needed:
        model = pipeline.model(name)
        dimensions[name] = (
            model,
            GoldModel(house.apart().enter(model.name), pipeline, pins, model).rows().persist(),
        )
    found = []
    for model in models:
        rows = (
            dimensions[model.name][1]
            if model.name in needed
            else GoldModel(house.apart().enter(model.name), pipeline, pins, model).rows()
        )
        found.append({"model": model.name, **checksum(looked_up(model, rows, dimensions), model.checked)})
    return found


if __name__ == "__main__":
    main()
