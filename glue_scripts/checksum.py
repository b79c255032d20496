"""Glue job: checksums of the silver tables and of every model's full evaluation over them, and where those differ from others.

The request says for which tables (at which heartbeat) and models (at which position of gold); `digests` and `rows` go down to
buckets and keys; `trace` tells one key's life; `peek` shows rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from medallion_glue import checksums as sums
from medallion_glue.arguments import read_arguments
from medallion_glue.divergence import Reasons, columns_of, differing, key_columns, waiting
from medallion_glue.document import Column, Model, Pipeline, Table, read_pipeline
from medallion_glue.history import SCD2_COLUMNS
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.models import GoldModel, Pin, looked_up, pin_tables
from medallion_glue.newest import newest
from medallion_glue.objects import put_json, read_text, split
from medallion_glue.peeked import peeked
from medallion_glue.positions import Bronze, PastModel, Position, TableAt, pinned_at, positions
from medallion_glue.quarantine import kept_out
from medallion_glue.traced import traced

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PARALLEL = 3
LIMIT = 20  # of differences that are described
Request = Mapping[str, Any]


def main() -> None:
    """Runs the job; a table that is not in silver yet has no entry, nor has a model that reads it."""
    names = ("pipeline_uri", "request_uri", "result_uri", "silver_database", "bronze_bucket")
    arguments = read_arguments(*names, catalog="glue_catalog")
    pipeline = read_pipeline(arguments["pipeline_uri"])
    request = json.loads(read_text(arguments["request_uri"]))
    house = Lakehouse(open_session("checksum"), arguments["catalog"], arguments["silver_database"])
    bronze = Bronze(arguments["bronze_bucket"], split(arguments["result_uri"])[0])
    put_json(arguments["result_uri"], answered(house, pipeline, request, bronze))


def answered(house: Lakehouse, pipeline: Pipeline, request: Request, bronze: Bronze) -> dict[str, Any]:
    """The result document of a request document."""
    if "peek" in request:
        return peeked(house, pipeline, request["peek"])
    if "quarantine" in request:
        return kept_out(house, pipeline, request["quarantine"])
    if "trace" in request:
        return traced(house, pipeline, request["trace"], bronze)
    return checksums(house, pipeline, request, bronze)


def checksums(
    house: Lakehouse, pipeline: Pipeline, request: Request, bronze: Bronze | None = None
) -> dict[str, Any]:
    """Checksums, digests and rows of one pinned state of silver."""
    check = Check(house, pipeline, pin_tables(house, pipeline), request, bronze)
    check.reached  # noqa: B018 (asked once, before the threads ask)
    tables = [entry for entry in request.get("tables", ()) if entry["table"] in check.pins]
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = pool.map(check.table, tables)
        models = pool.map(check.model, check.models(request.get("models", ())))
        digests = pool.map(check.digests, request.get("digests", ()))
        rows = pool.map(check.rows, request.get("rows", ()))
        return {
            "positions": {token: vars(position) for token, position in check.reached.items()},
            "tables": list(found),
            "models": list(models),
            "digests": list(digests),
            "rows": list(rows),
        }


@dataclass(frozen=True)
class Check:
    """Checksums over one pinned state of silver."""

    house: Lakehouse
    pipeline: Pipeline
    pins: Mapping[str, Pin]
    request: Request = field(default_factory=dict)
    bronze: Bronze | None = None
    _kept: dict[str, Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def reached(self) -> Mapping[str, Position]:
        """Positions of the request's heartbeats, by token."""
        with self._lock:
            if "reached" not in self._kept:
                entries = [e for part in ("tables", "digests", "rows") for e in self.request.get(part, ())]
                tokens = {entry["token"] for entry in entries if entry.get("token")}
                generation = self.request.get("generation")
                self._kept["reached"] = (
                    positions(self.house.spark, self.bronze.bucket, generation, tokens)
                    if self.bronze and generation and tokens
                    else {}
                )
            found: Mapping[str, Position] = self._kept["reached"]
            return found

    def models(self, names: Sequence[str]) -> Iterator[Model]:
        """The models among `names` whose tables are all there."""
        for model in self.pipeline.models:
            if model.name in names and all(entry.table in self.pins for entry in model.inputs):
                yield model

    def table(self, entry: Request) -> dict[str, Any]:
        """A table's entry: as it was at a heartbeat or a position of its history; what waits for it, and then."""
        table = self.pipeline.table(entry["table"])
        self.house.enter(table.name)
        if entry.get("upto_generation") is not None:
            return {"table": table.name, **sums.checksum(self._until(table, entry), table.columns)}
        there = self._at(entry)
        found = {"table": table.name, **sums.checksum(there.held, table.columns)}
        if there.waiting is not None:
            found["waiting"] = waiting(there, int(entry.get("limit", LIMIT)))
            found["whole"] = sums.checksum(there.whole, table.columns)
        return found

    def _at(self, entry: Request) -> TableAt:
        table = self.pipeline.table(entry["table"])
        position = self.reached.get(entry.get("token") or "")
        pin, generation = self.pins[table.name], self.request.get("generation")
        if self.bronze is None:
            return TableAt(self.house, table, pin)
        return self.bronze.at(self.house, table, pin, generation, position)

    def _until(self, table: Table, entry: Request) -> DataFrame:
        generation, seq = entry["upto_generation"], entry.get("upto_seq")
        until = f"`_generation` = '{generation}'" + (f" AND `_seq` <= '{seq}'" if seq is not None else "")
        changes = self.house.at(table.changes, self.pins[table.name].changes)
        return newest(changes.where(until), table).where("NOT `_is_deleted`")

    def model(self, model: Model) -> dict[str, Any]:
        """A model's entry: its full evaluation, at the position that the request names for it or now."""
        self.house.enter(model.name)
        try:
            rows = self._model_rows(model)
        except LookupError as error:
            return {"model": model.name, "rows": 0, "checksum": "", "position": None, "error": str(error)}
        pins = self._pins(model)
        position = json.dumps(
            {entry.table: pins[entry.table].changes for entry in model.inputs},
            sort_keys=True,
            separators=(",", ":"),
        )
        found = {"model": model.name, **sums.checksum(rows, model.checked), "position": position}
        return found | self._touched(model)

    def _touched(self, model: Model) -> dict[str, Any]:
        """Keys of the model that silver's changes since gold's position touch, where the request asks for them."""
        since = (self.request.get("since") or {}).get(model.name)
        if since is None:
            return {}
        gold = GoldModel(self.house.apart(model.name), self.pipeline, self.pins, model)
        if set(since) != {entry.table for entry in model.inputs} or gold._unreachable(since):
            return {}
        key, limit = _model_key(model), int(self.request.get("limit", LIMIT))
        keys = gold.touched(since)
        texts = ", ".join(column.canonical for column in key if column.name in model.key)
        return {
            "touched": keys.count(),
            "keys": [
                list(row["k"]) for row in keys.selectExpr(f"array({texts}) AS k").limit(limit).collect()
            ],
        }

    def _model_rows(self, model: Model) -> DataFrame:
        """Rows with their surrogate keys looked up as the warehouse does."""
        needed = {lookup.dimension: self.pipeline.model(lookup.dimension) for lookup in model.lookups}
        dimensions = {name: (dimension, self._rows(dimension)) for name, dimension in needed.items()}
        return looked_up(model, self._rows(model), dimensions)

    def _pins(self, model: Model) -> Mapping[str, Pin]:
        """What a model reads: silver as it is, or as gold's position says."""
        known = (self.request.get("positions") or {}).get(model.name)
        if known is None:
            return self.pins
        tables = [self.pipeline.table(entry.table) for entry in model.inputs]
        return {**self.pins, **pinned_at(self.house, tables, known, self.pins)}

    def _rows(self, model: Model) -> DataFrame:
        """A model's rows; a dimension is evaluated once and kept."""
        with self._lock:
            if model.name not in self._kept:
                pins = self._pins(model)
                rows = PastModel(self.house.apart(model.name), self.pipeline, pins, model).rows()
                self._kept[model.name] = rows.persist() if model.kind == "scd2" else rows
            found: DataFrame = self._kept[model.name]
            return found

    def _side(self, entry: Request) -> tuple[DataFrame, Sequence[Column], Sequence[Column]]:
        """Rows, key columns and compared columns of a table or model."""
        self.house.enter(entry.get("table") or entry["model"])
        if "table" in entry:
            there = self._at(entry)
            return there.whole, key_columns(there), there.table.columns
        model = self.pipeline.model(entry["model"])
        return self._model_rows(model), _model_key(model), model.checked

    def digests(self, entry: Request) -> dict[str, Any]:
        """Checksums of buckets; of a table with what waits for it."""
        rows, key, columns = self._side(entry)
        found = sums.digests(rows, key, columns, int(entry["digits"]), entry.get("prefixes") or ())
        return {**_named(entry), "digests": found}

    def rows(self, entry: Request) -> dict[str, Any]:
        """Keys in some buckets that differ from the rows in `uri` ({rows: [[[key…], hashes]…]}), and for a table why."""
        rows, key, columns = self._side(entry)
        ours = sums.cells(rows, key, columns, entry.get("prefixes") or ())
        given = json.loads(read_text(entry["uri"]))["rows"]
        theirs = self.house.spark.createDataFrame([(k, c) for k, c in given], "k array<string>, cells string")
        total, found = differing(theirs, ours, int(entry.get("limit", LIMIT)))
        if "table" in entry and found:
            reasons = Reasons(self._at(entry), tuple(k for k, _, _ in found))
            keys = [reasons.of(*each) for each in found]
        else:
            keys = [
                {"key": list(k), "columns": columns_of(a, b, columns)} | _sides(a, b) for k, a, b in found
            ]
        return {**_named(entry), "total": total, "keys": keys}


def _sides(ours: str | None, expected: str | None) -> dict[str, Any]:
    """Which side lacks the row, and the hashes that it should have."""
    return {"missing": ours is None, "extra": expected is None, "expected": expected}


def _named(entry: Request) -> dict[str, str]:
    return {name: entry[name] for name in ("table", "model") if name in entry}


def _model_key(model: Model) -> list[Column]:
    """What makes a gold row one: the model's key, and a version of it."""
    names = [*model.key, *(SCD2_COLUMNS[:1] if model.kind == "scd2" else ())]
    known = {column.name: column for column in model.checked}
    return [known[name] for name in names]


if __name__ == "__main__":
    main()
