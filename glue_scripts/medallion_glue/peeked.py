"""Some rows of silver as they are, tombstones and bookkeeping columns included, for `medallion peek`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion_glue.document import Pipeline
from medallion_glue.lakehouse import Lakehouse

CHANGES = "_changes"


def peeked(house: Lakehouse, pipeline: Pipeline, request: Mapping[str, Any]) -> dict[str, Any]:
    """{columns, rows} of {table}, or of its `<t>_changes`: texts, the newest {limit} of those that match {key}."""
    from pyspark.sql import functions as F

    name = str(request["table"])
    table = pipeline.table(name.removesuffix(CHANGES))
    if not house.exists(name):
        return {"columns": [], "rows": []}
    rows = house.at(name, None)
    for column, text in dict(request.get("key") or {}).items():
        if column not in table.key:
            raise ValueError(f"{table.name}: the key is {', '.join(table.key)}, not {column}")
        rows = rows.where(F.col(f"`{column}`").cast("string") == F.lit(str(text)))
    newest = [F.col(f"`{column}`").desc() for column in ("_generation", "_seq") if column in rows.columns]
    texts = [
        (F.hex(f"`{column}`") if kind == "binary" else F.col(f"`{column}`").cast("string")).alias(column)
        for column, kind in rows.dtypes
    ]
    found = rows.orderBy(*newest).select(*texts).limit(int(request.get("limit", 10))).collect()
    return {"columns": rows.columns, "rows": [list(row) for row in found]}
