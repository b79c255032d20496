"""Glue job: looks for a key in silver, or removes it from both of its tables, their history and their files.

Iceberg deletes by writing new files and hiding rows in old ones; so files that may hold the key are rewritten whole, and
every snapshot but the newest is expired, with the files that only they name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from medallion_glue.arguments import read_arguments
from medallion_glue.document import Pipeline, Table, read_pipeline
from medallion_glue.erasures import key_hash
from medallion_glue.lakehouse import Lakehouse, open_session
from medallion_glue.newest import VERDICT
from medallion_glue.objects import put_json, read_text
from medallion_glue.silver import MERGED
from medallion_glue.upkeep import Upkeep


def main() -> None:
    """Runs the job: request {table, key: {column: text}, mode: look|erase} → what there is (after erasing: what is left)."""
    arguments = read_arguments(
        "pipeline_uri", "request_uri", "result_uri", "silver_database", catalog="glue_catalog"
    )
    pipeline = read_pipeline(arguments["pipeline_uri"])
    request = json.loads(read_text(arguments["request_uri"]))
    house = Lakehouse(open_session("erase"), arguments["catalog"], arguments["silver_database"])
    table = pipeline.table(request["table"])
    if request["mode"] == "erase" and house.exists(table.changes):
        erase(house, table, request["key"])
    put_json(arguments["result_uri"], look(house, pipeline, table, request["key"]))


def look(house: Lakehouse, pipeline: Pipeline, table: Table, key: Mapping[str, str]) -> dict[str, Any]:
    """Where the key is: rows in both tables, bronze files that silver took them from, and the position of it all."""
    condition = matching(table, key)
    typed = ", ".join(f"{_literal(table, name, value)} AS `{name}`" for name, value in key.items())
    hashed = house.spark.sql(f"SELECT {typed}").selectExpr(key_hash(table)).first()[0]
    found: dict[str, Any] = {"key_hash": hashed, "rows": {}, "files": [], "emptied": [], "live": 0}
    found |= {"generation": "", "seq": "", "named_by": _named_by(house, pipeline, table, key)}
    if not house.exists(table.changes):
        return found
    changes = house.at(table.changes, None)
    state = house.at(table.name, None).where(condition)
    files = changes.where(f"NOT startswith(`_bronze_file`, '{VERDICT}')").groupBy("_bronze_file")
    held = files.agg(*_counts(condition), *_greatest("_generation", "_seq")).collect()
    own = [row for row in held if row["own"]]
    newest = max(((row["generation"], row["seq"]) for row in held if row["generation"]), default=("", ""))
    return found | {
        "rows": {table.changes: sum(row["own"] for row in own), table.name: state.count()},
        "live": state.where("NOT `_is_deleted`").count(),
        "files": sorted(row["_bronze_file"] for row in own),
        "emptied": sorted(row["_bronze_file"] for row in own if row["own"] == row["all"]),
        "generation": newest[0],
        "seq": newest[1],
    }


def _counts(condition: str) -> list[Any]:
    from pyspark.sql import functions as f

    return [f.count_if(f.expr(condition)).alias("own"), f.count(f.lit(1)).alias("all")]


def _greatest(generation: str, seq: str) -> list[Any]:
    """The greatest position of a file; a file has one generation."""
    from pyspark.sql import functions as f

    return [f.max(generation).alias("generation"), f.max(seq).alias("seq")]


def _named_by(house: Lakehouse, pipeline: Pipeline, table: Table, key: Mapping[str, str]) -> dict[str, int]:
    """Live rows of other tables that have the key's columns with the key's values."""
    found: dict[str, int] = {}
    for other in pipeline.tables:
        if other.name == table.name or not set(key) <= {column.name for column in other.columns}:
            continue
        if house.exists(other.name):
            rows = house.at(other.name, None).where("NOT `_is_deleted`").where(matching(other, key)).count()
            if rows:
                found[other.name] = rows
    return found


def erase(house: Lakehouse, table: Table, key: Mapping[str, str]) -> None:
    """Removes the key; safe to repeat, and has to be when it was killed."""
    condition = matching(table, key)
    caught_up = house.property(table.name, MERGED) == str(house.head(table.changes))
    _remove(house, table.changes, condition)
    if caught_up:
        house.set_properties(table.name, {MERGED: str(house.head(table.changes))})
    _remove(house, table.name, condition)


def _remove(house: Lakehouse, name: str, condition: str) -> None:
    upkeep = Upkeep(house, name)
    if house.head(name) is None:
        return
    house.spark.sql(f"DELETE FROM {house.name(name)} WHERE {condition}")
    upkeep.rewrite(condition)
    upkeep.expire(datetime.now(UTC) + timedelta(minutes=1))


def matching(table: Table, key: Mapping[str, str]) -> str:
    """Spark SQL: whether a row has the key."""
    return " AND ".join(f"`{name}` = {_literal(table, name, value)}" for name, value in key.items())


def _literal(table: Table, name: str, value: str) -> str:
    kind = next(column.spark for column in table.columns if column.name == name)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"CAST('{text}' AS {kind})"


if __name__ == "__main__":
    main()
