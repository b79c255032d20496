"""Gold models over silver: what each model read last, which keys changes since then touch, and its rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from medallion_glue.document import Input, Model, Pipeline, Table
from medallion_glue.evolution import fitting
from medallion_glue.history import SCD2_COLUMNS, collapse, generation_moments, intervals
from medallion_glue.lakehouse import Lakehouse
from medallion_glue.silver import MERGED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Pin:
    """What one job reads of a silver table: snapshot of `<t>`, and of `<t>_changes` as merged into it."""

    table: int | None
    changes: int | None


def pin_tables(house: Lakehouse, pipeline: Pipeline) -> dict[str, Pin]:
    """A pin for each silver table there is. Rows may be ahead of what is noted; that only repeats work."""
    pins = {}
    for table in pipeline.tables:
        if house.exists(table.name) and house.exists(table.changes):
            merged = house.property(table.name, MERGED)
            pins[table.name] = Pin(house.head(table.name), int(merged) if merged else None)
    return pins


@dataclass(frozen=True)
class GoldModel:
    """One model over pinned silver; needs a session of its own for its views."""

    house: Lakehouse
    pipeline: Pipeline
    pins: Mapping[str, Pin]
    model: Model

    @property
    def ready(self) -> bool:
        """Whether every table it reads has had its full load."""
        return all(entry.table in self.pins for entry in self.model.inputs)

    @cached_property
    def position(self) -> str:
        """What a full evaluation covers: the changes' snapshot of each input, as canonical JSON."""
        seen = {entry.table: self.pins[entry.table].changes for entry in self.model.inputs}
        return json.dumps(seen, sort_keys=True, separators=(",", ":"))

    def since(self, known: Mapping[str, str] | None) -> dict[str, int | None] | None:
        """The position to go on from; None when only a full evaluation will do."""
        if not known or not known.get("to") or known.get("hash") != self.model.select_hash:
            return None
        start: dict[str, int | None] = json.loads(known["to"])
        if set(start) != {entry.table for entry in self.model.inputs}:
            return None
        return None if self._unreachable(start) else start

    def note(self, known: Mapping[str, str] | None) -> str | None:
        """Why a known position is no place to go on from; None when it is one, or there is none."""
        if not known or not known.get("to"):
            return None
        if known.get("hash") != self.model.select_hash:
            return "evaluated in full: its SELECT, columns or inputs have changed"
        gone = self._unreachable(json.loads(known["to"]))
        return (
            f"evaluated in full: changes of {', '.join(gone)} were expired or processed again"
            if gone
            else None
        )

    def _unreachable(self, start: Mapping[str, int | None]) -> list[str]:
        """Inputs whose changes cannot be read from there any more."""
        inputs = {entry.table for entry in self.model.inputs}
        return [t for t, s in start.items() if t in inputs and s is not None and not self._reachable(t, s)]

    def _reachable(self, name: str, snapshot: int) -> bool:
        return self.house.only_grew(self.pipeline.table(name).changes, snapshot)

    def rows(self) -> DataFrame:
        """All rows of the model, typed and in staging order (lookups left to the warehouse)."""
        return self._evaluate(None)

    def staged(self, since: dict[str, int | None] | None) -> DataFrame:
        """What to stage: `_op` and the model's rows; of the touched keys only when `since` is given."""
        if since is None:
            return self.rows().selectExpr("'U' AS `_op`", "*")
        touched = self.touched(since)
        rows = self._evaluate(touched)
        found = rows.selectExpr("*", "true AS `_found`")
        names = [name for name in rows.columns if name not in self.model.key]
        keys = [f"coalesce(f.`{key}`, t.`{key}`) AS `{key}`" for key in self.model.key]
        joined = touched.alias("t").join(found.alias("f"), _same_key("t", "f", self.model.key), "left")
        flat = joined.selectExpr(
            "coalesce(f.`_found`, false) AS `_found`", *keys, *[f"f.`{n}`" for n in names]
        )
        return flat.selectExpr(
            "CASE WHEN `_found` THEN 'U' ELSE 'D' END AS `_op`", *[f"`{n}`" for n in rows.columns]
        )

    def touched(self, since: dict[str, int | None]) -> DataFrame:
        """Distinct model keys that changed rows touch, by their old or their new values."""
        parts = [self._touched_by(entry, since[entry.table]) for entry in self._changed(since)]
        keys = [column for column in self.model.columns if column.name in self.model.key]
        casts = [f"CAST(`{column.name}` AS {column.spark}) AS `{column.name}`" for column in keys]
        union = parts[0].selectExpr(*casts)
        for part in parts[1:]:
            union = union.unionByName(part.selectExpr(*casts))
        return (
            union.where(" AND ".join(f"`{key}` IS NOT NULL" for key in self.model.key)).distinct().persist()
        )

    def _changed(self, since: dict[str, int | None]) -> Iterator[Input]:
        for entry in self.model.inputs:
            if since[entry.table] != self.pins[entry.table].changes:
                yield entry

    def _touched_by(self, entry: Input, after: int | None) -> DataFrame:
        table = self.pipeline.table(entry.table)
        upto = self.pins[entry.table].changes
        assert upto is not None
        new = self.house.appended(table.changes, after, upto)
        if entry.touches is None and set(self.model.key) <= set(table.key):
            return new.select(*self.model.key)
        keys = new.select(*table.key).distinct()
        changed = self._changes(table).join(keys, list(table.key), "left_semi")
        if entry.touches is None:
            return changed.select(*self.model.key)
        changed.createOrReplaceTempView("changed")
        self._views(entry.touches, history=self.model.kind == "scd2")
        return self.house.spark.sql(entry.touches)

    def _evaluate(self, touched: DataFrame | None) -> DataFrame:
        if self.model.kind == "scd2":
            self._interval_views()
        else:
            self._views(self.model.select, history=False)
        rows = self.house.spark.sql(self.model.select)
        if touched is not None:
            from pyspark.sql import functions as f

            rows = rows.join(f.broadcast(touched), list(self.model.key), "left_semi")
        if self.model.kind == "scd2":
            return collapse(rows, self.model)
        return rows.selectExpr(*[fitting(rows, column) for column in self.model.columns])

    def _changes(self, table: Table) -> DataFrame:
        pin = self.pins[table.name].changes
        return (
            self.house.at(table.changes, pin)
            if pin is not None
            else self.house.at(table.changes, None).limit(0)
        )

    def _views(self, sql: str, history: bool) -> None:
        """A view for each silver table that the SQL names: its live rows, or every version it ever had."""
        for table in self.pipeline.tables:
            if table.name not in self.pins or not re.search(rf"\b{re.escape(table.name)}\b", sql):
                continue
            live = self.house.at(table.name, self.pins[table.name].table).where("NOT `_is_deleted`")
            rows = self._changes(table) if history else live
            rows.select(*[column.name for column in table.columns]).createOrReplaceTempView(f"`{table.name}`")

    def _interval_views(self) -> None:
        tables = [self.pipeline.table(entry.table) for entry in self.model.inputs]
        moments = generation_moments([self._changes(table) for table in tables])
        for table in tables:
            intervals(self._changes(table), table, moments).createOrReplaceTempView(f"`{table.name}`")


def looked_up(model: Model, rows: DataFrame, dimensions: Mapping[str, tuple[Model, DataFrame]]) -> DataFrame:
    """A fact's rows with its surrogate keys, by the merge procedures' rule: the version valid at `as_of`, the
    first version for anything earlier, -1 when there is none."""
    for lookup in model.lookups:
        dimension, versions = dimensions[lookup.dimension]
        held = versions.selectExpr(
            f"`{dimension.surrogate}` AS `_sk`",
            *[f"`{theirs}` AS `_on_{theirs}`" for theirs in lookup.on.values()],
            *[f"`{name}` AS `_{name}`" for name in SCD2_COLUMNS[:3]],
        )
        same = " AND ".join(f"`{ours}` = `_on_{theirs}`" for ours, theirs in lookup.on.items())
        when = f"`{lookup.as_of}` < `_valid_to` AND (`{lookup.as_of}` >= `_valid_from` OR `_version` = 1)"
        from pyspark.sql import functions as f

        joined = rows.join(held, f.expr(f"{same} AND {when}"), "left")
        rows = joined.selectExpr(
            *[f"`{n}`" for n in rows.columns], f"coalesce(`_sk`, -1) AS `{lookup.column}`"
        )
    return rows


def _same_key(left: str, right: str, keys: tuple[str, ...]) -> object:
    from pyspark.sql import functions as f

    return f.expr(" AND ".join(f"{left}.`{key}` = {right}.`{key}`" for key in keys))
