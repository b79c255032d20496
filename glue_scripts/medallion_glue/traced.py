"""One key's life in bronze and silver: every change with its position, file and snapshot, and the gold keys that it touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medallion_glue.document import Column, Input, Model, Pipeline, Table
from medallion_glue.lakehouse import Lakehouse
from medallion_glue.models import GoldModel, Pin, pin_tables
from medallion_glue.newest import VERDICT
from medallion_glue.positions import Bronze, TableAt
from medallion_glue.relations import AGAIN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LIMIT = 20  # gold keys of a model
CHANGES = 200  # the newest of them
ORDER = ("_generation", "_seq", "_bronze_file", "_bronze_row")
FACTS = ("_op", "_generation", "_seq", "_bronze_file", "_bronze_row", "_failed", "_valid")
Request = Mapping[str, Any]


def traced(house: Lakehouse, pipeline: Pipeline, request: Request, bronze: Bronze) -> dict[str, Any]:
    """What silver holds of {table, key: {column: text}}, and what waits in bronze; `generation` is the one being written."""
    table, key = pipeline.table(request["table"]), request["key"]
    pins, condition = pin_tables(house, pipeline), matching(table, key)
    there = bronze.at(house, table, pins.get(table.name, Pin(None, None)), request.get("generation"))
    if table.name not in pins:
        return {"row": None, "changes": [], "waiting": _waiting(there, condition), "models": []}
    own = house.at(table.changes, None).where(condition)
    row = house.at(table.name, pins[table.name].table).where(condition)
    return {
        "row": next(iter(_rows(row, table, ("_generation", "_seq", "_is_deleted"))), None),
        "silver_snapshot": pins[table.name].table,
        "changes": [*_changes(house, there, own)],
        "waiting": _waiting(there, condition),
        "models": [
            found
            for model in pipeline.models
            for entry in model.inputs
            if entry.table == table.name
            and (found := _touched(house, pipeline, pins, model, entry, condition)) is not None
        ],
    }


def matching(table: Table, key: Mapping[str, str]) -> str:
    """Spark SQL: whether a row has the key."""
    kinds = {column.name: column.spark for column in table.columns}
    parts = [f"`{name}` <=> CAST({_literal(key[name])} AS {kinds[name]})" for name in table.key]
    return " AND ".join(parts)


def _literal(text: str) -> str:
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _rows(rows: DataFrame, table: Table, facts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Values as canonical texts, the facts as they are, and the moment of the commit."""
    texts = [f"{column.canonical} AS `{column.name}`" for column in table.columns]
    moment = "date_format(`_commit_ts`, \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'\") AS `_commit_ts`"
    for row in rows.selectExpr(f"struct({', '.join(texts)}) AS `values`", *facts, moment).collect():
        found = row.asDict(recursive=True)
        yield {**found, "values": found["values"]}


def _changes(house: Lakehouse, there: TableAt, own: DataFrame) -> Iterator[dict[str, Any]]:
    """The changes that silver has taken, oldest first, with the snapshot that holds each."""
    table = there.table
    newest = _newest(own.selectExpr("*", "`_file` AS `_data_file`"))
    found = sorted(_rows(newest, table, [*FACTS, "_data_file"]), key=_order)
    snapshots = _snapshots(house, table.changes, {row["_data_file"] for row in found})
    for row in found:
        snapshot = snapshots.get(row.pop("_data_file"), {})
        file, again = row["_bronze_file"].removeprefix(VERDICT), row["_bronze_file"].startswith(VERDICT)
        where = {"_bronze_file": file, "_bronze_row": row["_bronze_row"] % AGAIN, "judged_again": again}
        yield {**row, **where, **snapshot, "in_bronze": _is_there(there.bronze, file)}


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["_generation"], row["_seq"], row["_op"] != "D", row["_bronze_file"], row["_bronze_row"]


def _is_there(bucket: str, key: str) -> bool | None:
    """Whether a bronze file is still there; None for a tombstone that no file says."""
    from medallion_glue.objects import listed
    from medallion_glue.silver import SNAPSHOT

    if key.startswith(SNAPSHOT):
        return None
    return any(entry.key == key for entry in listed(bucket, key))


def _snapshots(house: Lakehouse, table: str, data_files: set[str]) -> dict[str, dict[str, Any]]:
    """The snapshot that added each data file, and when that was committed; a rewritten file's is that of its rewriting."""
    if not data_files:
        return {}
    name = house.name(table)
    entries = house.spark.table(f"{name}.entries").where("status < 2")
    added = entries.selectExpr("data_file.file_path AS file", "snapshot_id")
    known = house.spark.table(f"{name}.snapshots").selectExpr(
        "snapshot_id", "date_format(committed_at, \"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\") AS at"
    )
    rows = added.join(known, "snapshot_id", "left").collect()
    return {
        row["file"]: {"snapshot": row["snapshot_id"], "committed_at": row["at"]}
        for row in rows
        if row["file"] in data_files
    }


def _waiting(there: TableAt, condition: str) -> list[dict[str, Any]]:
    """Changes in bronze files that silver has not taken."""
    unread = there.unread()
    if not unread:
        return []
    rows = _newest(there.of_bronze(unread).where(condition))
    return sorted(_rows(rows, there.table, FACTS), key=_order)


def _newest(changes: DataFrame) -> DataFrame:
    return changes.orderBy(*[changes[name].desc() for name in ORDER]).limit(CHANGES)


def _touched(
    house: Lakehouse,
    pipeline: Pipeline,
    pins: Mapping[str, Pin],
    model: Model,
    entry: Input,
    condition: str,
) -> dict[str, Any] | None:
    """Keys of a model that any version of the row touches; None when a table of the model is not there."""
    gold = GoldModel(house.apart(model.name), pipeline, pins, model)
    if not gold.ready:
        return None
    own = gold.house.at(pipeline.table(entry.table).changes, None).where(condition)
    if entry.touches is None:
        rows = own.select(*model.key)
    else:
        own.createOrReplaceTempView("changed")
        gold._views(entry.touches, history=model.kind == "scd2")
        rows = gold.house.spark.sql(entry.touches)
    key = _columns(model)
    casts = [f"CAST(`{column.name}` AS {column.spark}) AS `{column.name}`" for column in key]
    distinct = rows.selectExpr(*casts).distinct()
    texts = distinct.selectExpr(f"array({', '.join(column.canonical for column in key)}) AS k").collect()
    found = sorted(list(row["k"]) for row in texts if all(text is not None for text in row["k"]))
    return {"model": model.name, "keys": found[:LIMIT], "total": len(found)}


def _columns(model: Model) -> list[Column]:
    known = {column.name: column for column in model.checked}
    return [known[name] for name in model.key]
