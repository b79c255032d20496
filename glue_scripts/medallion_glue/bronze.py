"""Bronze as DMS writes it: which files there are, and their rows as changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medallion_glue.column_types import held_type, kindred
from medallion_glue.document import Column, Table
from medallion_glue.evolution import unfit
from medallion_glue.objects import Listed, listed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

POSITION = [("_op", "string"), ("_generation", "string"), ("_seq", "string"), ("_commit_ts", "timestamp")]
ORIGIN = [
    ("_bronze_file", "string"),
    ("_bronze_row", "bigint"),
    ("_failed", "array<string>"),
    ("_valid", "boolean"),
]
_INVALID = ("drop", "quarantine", "fail")


def change_columns(table: Table) -> list[tuple[str, str]]:
    """Name and Spark type of every column of `<t>_changes`."""
    return [(column.name, column.spark) for column in table.columns] + POSITION + ORIGIN


def files(bucket: str, generation: str, table: Table) -> list[str]:
    """Keys of a table's files in a generation, full load and changes."""
    return [entry.key for entry in entries(bucket, generation, table)]


def entries(bucket: str, generation: str, table: Table) -> list[Listed]:
    """The same with size and time."""
    found = listed(bucket, f"{generation}/{table.schema}/{table.name}/")
    return [entry for entry in found if entry.key.endswith(".parquet")]


def first_written(bucket: str, generation: str) -> str:
    """When a generation began, as a literal: the same whenever it is asked, since bronze is immutable."""
    moment = min((entry.modified for entry in listed(bucket, f"{generation}/")), default=None)
    return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'" if moment else "current_timestamp()"


def read_changes(spark: SparkSession, bucket: str, keys: list[str], table: Table) -> DataFrame:
    """Rows of bronze files as rows of `<t>_changes`: by name, cleaned, key changes split, rules flagged."""
    return changes_of(raw_frames(spark, bucket, keys), bucket, table)


def raw_frames(spark: SparkSession, bucket: str, keys: list[str]) -> list[DataFrame]:
    """Bronze files as they are: in one frame, or one a schema where a column's type changed between them."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    uris = [f"s3://{bucket}/{key}" for key in keys]
    if not uris:
        return []
    try:
        return [spark.read.option("mergeSchema", "true").parquet(*uris)]
    except (PySparkException, Py4JJavaError) as error:  # of the driver, of a task
        if "merging schema" not in str(error):
            raise
    alike: dict[str, list[str]] = {}
    for uri in uris:
        alike.setdefault(spark.read.parquet(uri).schema.json(), []).append(uri)
    return [spark.read.parquet(*same) for same in alike.values()]


def changes_of(frames: list[DataFrame], bucket: str, table: Table) -> DataFrame:
    """Rows of `<t>_changes` of raw frames (one or more)."""
    union = _changes(frames[0], bucket, table)
    for frame in frames[1:]:
        union = union.unionByName(_changes(frame, bucket, table))
    return union


def _changes(raw: DataFrame, bucket: str, table: Table) -> DataFrame:
    present = {field.name.lower(): held_type(field.dataType.simpleString()) for field in raw.schema.fields}
    rows = raw.selectExpr(
        *[_cleaned(column, column.name, present) for column in table.columns],
        *[
            _cleaned(column, f"BI_{column.name}", present)
            for column in table.columns
            if column.name in table.key
        ],
        f"{_or_null('Op', 'string', present, 'I')} AS `_source_op`",
        f"{_or_null('dms_change_seq', 'string', present, '')} AS `_seq`",
        f"{_or_null('dms_commit_ts', 'timestamp', present)} AS `_commit_ts`",
        f"substring(_metadata.file_path, {len(f's3://{bucket}/') + 1}) AS `_bronze_file`",
        "_metadata.row_index AS `_bronze_row`",
        f"{unfit(raw, table)} AS `_unfit`",
    )
    return flagged(_split(rows, table), table)


def _or_null(name: str, kind: str, present: Mapping[str, str], default: str | None = None) -> str:
    """NULL where there is no such column, or one that has no value of this kind (Spark refuses some of these casts)."""
    found = present.get(name.lower())
    value = f"try_cast(`{name}` AS {kind})" if found and kindred(kind, found) else f"CAST(NULL AS {kind})"
    return value if default is None else f"coalesce({value}, '{default}')"


def _cleaned(column: Column, source: str, present: Mapping[str, str]) -> str:
    """A bronze column cast to the silver type and cleaned, named as in bronze."""
    value = _or_null(source, column.spark, present)
    for rule in column.clean:
        match rule:
            case "trim" | "lower" | "upper":
                value = f"{rule}({value})"
            case "null_if_empty":
                value = f"nullif({value}, '')"
            case _:
                raise ValueError(f"no cleaning rule {rule!r}")
    return f"{value} AS `{source}`"


def _split(rows: DataFrame, table: Table) -> DataFrame:
    """An update that moves a row to another key becomes a delete of the old and an update of the new."""
    moved = " OR ".join(f"(`BI_{k}` IS NOT NULL AND NOT (`BI_{k}` <=> `{k}`))" for k in table.key)
    ops = f"CASE WHEN `_source_op` = 'U' AND ({moved}) THEN array('D', 'U') ELSE array(`_source_op`) END"
    exploded = rows.selectExpr("*", f"explode({ops}) AS `_op`")
    left = "`_op` = 'D' AND `_source_op` = 'U'"
    return exploded.selectExpr(
        *[_of_old_key(column.name, left, table) for column in table.columns],
        "`_op`",
        "split_part(`_bronze_file`, '/', 1) AS `_generation`",
        "`_seq`",
        "`_commit_ts`",
        "`_bronze_file`",
        "`_bronze_row`",
        "`_unfit`",
    )


def _of_old_key(name: str, left: str, table: Table) -> str:
    """Of a key that was left only the key is kept; a delete may carry its key as the before image alone."""
    if name in table.key:
        before, after = f"coalesce(`BI_{name}`, `{name}`)", f"coalesce(`{name}`, `BI_{name}`)"
        return f"CASE WHEN {left} THEN {before} ELSE {after} END AS `{name}`"
    return f"CASE WHEN {left} THEN NULL ELSE `{name}` END AS `{name}`"


def flagged(rows: DataFrame, table: Table) -> DataFrame:
    """`_failed` and `_valid` for `_unfit`. A rule that is NULL is met, as with CHECK; a delete meets all."""
    broken = [
        f"CASE WHEN `_op` <> 'D' AND NOT coalesce(({e.expression}), true) THEN '{e.name}' END"
        for e in table.expectations
    ]
    failed = f"concat(`_unfit`, array_compact(array({', '.join(broken)})))" if broken else "`_unfit`"
    invalid = ", ".join(f"'{name}'" for name in table.breaking(*_INVALID))
    valid = f"NOT arrays_overlap(`_failed`, array({invalid}))" if invalid else "true"
    marked = rows.selectExpr("*", f"{failed} AS `_failed`")
    return marked.selectExpr("*", f"(size(`_unfit`) = 0 AND {valid}) AS `_valid`").drop("_unfit")
