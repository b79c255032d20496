"""Rows that rules keep out of silver: shown to people, and judged anew by today's rules.

Silver holds every version with what it broke, so a changed rule needs no bronze. Only a value that did not fit its column is
read again from its file, since silver could not hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion_glue.bronze import change_columns, flagged
from medallion_glue.document import Pipeline
from medallion_glue.evolution import UNFIT
from medallion_glue.lakehouse import Lakehouse
from medallion_glue.newest import VERDICT
from medallion_glue.objects import listed
from medallion_glue.quality import breaking, origin
from medallion_glue.refusing import refuse_whole
from medallion_glue.replay import BronzeGone, Replayed, replay
from medallion_glue.silver import GENERATION, SilverTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MODE = "quarantine"  # of the job's argument `replay`
_UNFIT = f"filter(`_failed`, m -> startswith(m, '{UNFIT}'))"


def kept_out(house: Lakehouse, pipeline: Pipeline, request: Mapping[str, Any]) -> dict[str, Any]:
    """{columns, rows} of the newest versions of {table} that break a rule, as texts; at most {limit} of those with {key}."""
    from pyspark.sql import functions as f

    table = pipeline.table(str(request["table"]))
    if not house.exists(table.changes) or not house.exists(table.name):
        return {"columns": [], "rows": []}
    rows = breaking(house, table, house.property(table.name, GENERATION) or "")
    for column, text in dict(request.get("key") or {}).items():
        if column not in table.key:
            raise ValueError(f"{table.name}: the key is {', '.join(table.key)}, not {column}")
        rows = rows.where(f.col(f"`{column}`").cast("string") == f.lit(str(text)))
    rows = rows if request.get("warnings") else rows.where("NOT `_valid`")
    shown = rows.selectExpr(
        *[_text(column.name, column.spark) for column in table.columns],
        "array_join(`_failed`, ', ') AS `rules`",
        "CAST(`_commit_ts` AS STRING) AS `changed_at`",
        *origin(),
    )
    found = shown.orderBy(*[f"`{key}`" for key in table.key]).limit(int(request.get("limit", 10))).collect()
    return {"columns": shown.columns, "rows": [[_plain(value) for value in row] for row in found]}


def _text(name: str, kind: str) -> str:
    return f"hex(`{name}`) AS `{name}`" if kind == "binary" else f"CAST(`{name}` AS STRING) AS `{name}`"


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int) else str(value)


def rejudged(silver: SilverTable) -> Replayed:
    """Judges every version anew, one commit; what does not fit its column is read again where bronze still has it."""
    house, table = silver.house, silver.table
    if not house.exists(table.changes) or house.head(table.changes) is None:
        return Replayed()
    silver.prepare()
    again = _read_again(silver)
    held = house.at(table.changes, house.head(table.changes))
    own = held.where(f"NOT startswith(`_bronze_file`, '{VERDICT}')")
    anew = _flagged_anew(own, silver)
    refuse_whole(house, table, silver.folders, anew)
    differing = anew.selectExpr("`_failed` AS `_now`", "`_was`", "`_valid` AS `_now_valid`", "`_was_valid`")
    rows = differing.where("NOT (`_now` <=> `_was`) OR `_now_valid` <> `_was_valid`").count()
    if rows:
        names = [name for name, _ in change_columns(table)]
        anew.select(*names).writeTo(house.name(table.changes)).overwrite(_always())
    return Replayed(again.files, again.rows + rows)


def _flagged_anew(own: DataFrame, silver: SilverTable) -> DataFrame:
    """Every version by today's rules over one row; `_was` and `_was_valid` are what stood there."""
    before = own.selectExpr("*", f"{_UNFIT} AS `_unfit`", "`_failed` AS `_was`", "`_valid` AS `_was_valid`")
    return flagged(before.drop("_failed", "_valid"), silver.table)


def _read_again(silver: SilverTable) -> Replayed:
    changes = silver.house.at(silver.table.changes, None)
    rows = changes.where(f"size({_UNFIT}) > 0").selectExpr(*origin()).select("file").distinct().collect()
    files = {row[0] for row in rows}
    moments = [
        entry.modified
        for folder in sorted({file.split("/")[0] for file in files})
        for entry in listed(silver.bronze, f"{folder}/{silver.table.schema}/{silver.table.name}/")
        if entry.key in files
    ]
    if not moments:
        return Replayed()
    try:
        return replay(silver, min(moments).isoformat())
    except BronzeGone:
        return Replayed()


def _always() -> Any:
    from pyspark.sql import functions as f

    return f.lit(True)
