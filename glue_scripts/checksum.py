"""Glue job: checksums of the silver tables, and of every model's full evaluation over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from medallion_glue.arguments import read_arguments
from medallion_glue.checksums import checksum
from medallion_glue.document import Model, Pipeline, Table, read_pipeline
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.models import GoldModel, Pin, looked_up, pin_tables
from medallion_glue.newest import newest
from medallion_glue.objects import put_json, read_text
from medallion_glue.peeked import peeked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PARALLEL = 3


def main() -> None:
    """Runs the job; a table that is not in silver yet has no entry, nor has a model that reads it."""
    names = ("pipeline_uri", "request_uri", "result_uri", "silver_database")
    arguments = read_arguments(*names, catalog="glue_catalog")
    pipeline = read_pipeline(arguments["pipeline_uri"])
    request = json.loads(read_text(arguments["request_uri"]))
    house = Lakehouse(open_session("checksum"), arguments["catalog"], arguments["silver_database"])
    put_json(arguments["result_uri"], checksums(house, pipeline, request))


def checksums(house: Lakehouse, pipeline: Pipeline, request: Mapping[str, Any]) -> dict[str, Any]:
    """The result document of a request document; `peek` asks for rows instead."""
    if "peek" in request:
        return peeked(house, pipeline, request["peek"])
    check = Check(house, pipeline, pin_tables(house, pipeline))
    with ThreadPoolExecutor(PARALLEL) as pool:
        tables = pool.map(check.table, [entry for entry in request["tables"] if entry["table"] in check.pins])
        models = pool.map(check.model, list(check.models(request["models"])))
        return {"tables": list(tables), "models": list(models)}


@dataclass(frozen=True)
class Check:
    """Checksums over one pinned state of silver."""

    house: Lakehouse
    pipeline: Pipeline
    pins: Mapping[str, Pin]
    _evaluated: dict[str, DataFrame] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def models(self, names: list[str]) -> Iterator[Model]:
        """The models among `names` whose tables are all there."""
        for model in self.pipeline.models:
            if model.name in names and all(entry.table in self.pins for entry in model.inputs):
                yield model

    def table(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A table's entry: as it is, or as it was at a position of its history."""
        table = self.pipeline.table(entry["table"])
        self.house.enter(table.name)
        return {"table": table.name, **checksum(self._state(table, entry), table.columns)}

    def _state(self, table: Table, entry: Mapping[str, Any]) -> DataFrame:
        generation, seq = entry.get("upto_generation"), entry.get("upto_seq")
        if generation is None:
            rows = self.house.at(table.name, self.pins[table.name].table)
        else:
            until = f"`_generation` = '{generation}'" + (f" AND `_seq` <= '{seq}'" if seq is not None else "")
            changes = self.house.at(table.changes, self.pins[table.name].changes)
            rows = newest(changes.where(until), table)
        return rows.where("NOT `_is_deleted`")

    def model(self, model: Model) -> dict[str, Any]:
        """A model's entry: its full evaluation, surrogate keys looked up as the warehouse does."""
        self.house.enter(model.name)
        needed = {lookup.dimension: self.pipeline.model(lookup.dimension) for lookup in model.lookups}
        dimensions = {name: (dimension, self._rows(dimension)) for name, dimension in needed.items()}
        rows = looked_up(model, self._rows(model), dimensions)
        return {"model": model.name, **checksum(rows, model.checked)}

    def _rows(self, model: Model) -> DataFrame:
        """A model's rows; a dimension is evaluated once and kept."""
        with self._lock:
            if model.name not in self._evaluated:
                gold = GoldModel(self.house.apart(model.name), self.pipeline, self.pins, model)
                rows = gold.rows()
                self._evaluated[model.name] = rows.persist() if model.kind == "scd2" else rows
            return self._evaluated[model.name]


if __name__ == "__main__":
    main()
