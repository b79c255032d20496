"""A key's newest version: by generation, then change sequence; of a delete and an insert there the insert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_glue.document import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STATE = [
    ("_generation", "string"),
    ("_seq", "string"),
    ("_commit_ts", "timestamp"),
    ("_is_deleted", "boolean"),
]
VERDICT = (
    "verdict:"  # begins `_bronze_file` of a version that was judged once more (medallion_glue.relations)
)
_ORDER = "`_generation` DESC, `_seq` DESC, (`_op` = 'D') ASC, `_bronze_file` DESC, `_bronze_row` DESC"


def state_columns(table: Table) -> list[tuple[str, str]]:
    """Name and Spark type of every column of `<t>`."""
    return [(column.name, column.spark) for column in table.columns] + STATE


def newest(changes: DataFrame, table: Table) -> DataFrame:
    """One row a key in the shape of `<t>`, with `_op`, `_failed` and `_is_verdict`: ranked first, so that a newest version
    that is not valid takes its key away instead of bringing an older one back."""
    return newest_rows(changes, table).selectExpr(
        *[f"`{column.name}`" for column in table.columns],
        "`_generation`",
        "`_seq`",
        "`_commit_ts`",
        "(`_op` = 'D' OR NOT `_valid`) AS `_is_deleted`",
        "`_op`",
        "`_failed`",
        f"startswith(`_bronze_file`, '{VERDICT}') AS `_is_verdict`",
    )


def newest_rows(changes: DataFrame, table: Table) -> DataFrame:
    """The same as whole rows of `<t>_changes`."""
    keys = ", ".join(f"`{key}`" for key in table.key)
    ranked = changes.selectExpr("*", f"row_number() OVER (PARTITION BY {keys} ORDER BY {_ORDER}) AS `_rank`")
    return ranked.where("`_rank` = 1").drop("_rank")
