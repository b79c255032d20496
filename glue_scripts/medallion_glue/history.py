"""History: a table's versions as intervals, and an scd2 model as collapsed pieces of its inputs'."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medallion_glue.document import Model, Table
from medallion_glue.evolution import fitting
from medallion_glue.generations import AMID
from medallion_glue.newest import VERDICT

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

OPEN_TS = "TIMESTAMP '9999-12-31 00:00:00'"
_OPEN = f"named_struct('generation', '~', 'seq', '~', 'ts', {OPEN_TS})"
_BEGINNING = "named_struct('generation', '', 'seq', '', 'ts', TIMESTAMP '0001-01-01 00:00:00')"
# A judgement over more than one row counts for a key's newest version alone (medallion_glue.relations).
_REPLACED = f"(startswith(`_bronze_file`, '{VERDICT}') AND `_to`.generation <> '~')"
# A row of a load amid changes whose key's next change was committed by then is no version: it holds that change or a later one.
_OVERTAKEN = (
    f"(`_op` = '{AMID}' AND `_next`.`_generation` = `_generation` "
    "AND (`_next`.`_seq` = '' OR `_next`.`_commit_ts` <= `_commit_ts`))"
)
SCD2_COLUMNS = ("version", "valid_from", "valid_to", "is_current")


def generation_moments(changes: Iterable[DataFrame]) -> dict[str, str]:
    """When each generation's snapshot was taken: one moment for all tables, or joins would show gaps."""
    moments: dict[str, str] = {}
    for frame in changes:
        rows = frame.where("`_seq` = ''").groupBy("_generation").agg({"_commit_ts": "min"})
        for generation, moment in rows.selectExpr(
            "_generation", "CAST(`min(_commit_ts)` AS STRING)"
        ).collect():
            if moment is not None:
                moments[generation] = min(moment, moments.get(generation, moment))
    return moments


def intervals(changes: DataFrame, table: Table, moments: dict[str, str]) -> DataFrame:
    """The table's columns with `_from`, `_to` (half-open positions) and `_deleted`; per key without gap from
    the beginning of time (deleted, columns NULL) to its end. Of versions at one position one counts."""
    keys = ", ".join(f"`{key}`" for key in table.key)
    order = "`_generation`, `_seq`, (`_op` = 'D') DESC, `_bronze_file`, `_bronze_row`"
    window = f"(PARTITION BY {keys} ORDER BY {order})"
    placed = changes.selectExpr(
        *[f"`{column.name}`" for column in table.columns],
        "(`_op` = 'D' OR NOT `_valid`) AS `_kept_out`",
        *["`_op`", "`_generation`", "`_seq`", "`_commit_ts`", "`_bronze_file`", "`_bronze_row`"],
        f"named_struct('generation', `_generation`, 'seq', `_seq`, 'ts', {_moment(moments)}) AS `_from`",
    )
    following = f"lead(struct(`_generation`, `_seq`, `_commit_ts`)) OVER {window} AS `_next`"
    versions = placed.selectExpr("*", following).where(f"NOT coalesce({_OVERTAKEN}, false)")
    spans = versions.selectExpr(
        "*",
        f"coalesce(lead(`_from`) OVER {window}, {_OPEN}) AS `_to`",
        f"lag(`_from`) OVER {window} IS NULL AS `_first`",
    ).selectExpr("*", f"(`_kept_out` AND NOT {_REPLACED}) AS `_deleted`")
    pieces = spans.selectExpr(
        "*", "explode(CASE WHEN `_first` THEN array(true, false) ELSE array(false) END) AS `_before`"
    )
    kept = pieces.where("`_before` OR `_to`.generation <> `_generation` OR `_to`.seq <> `_seq`")
    return kept.selectExpr(
        *[_within(column.name, column.name in table.key) for column in table.columns],
        f"CASE WHEN `_before` THEN {_BEGINNING} ELSE `_from` END AS `_from`",
        "CASE WHEN `_before` THEN `_from` ELSE `_to` END AS `_to`",
        "(`_before` OR `_deleted`) AS `_deleted`",
    )


def _moment(moments: dict[str, str]) -> str:
    """A version's moment: its commit's, or for a snapshot's row that of the generation."""
    known = " ".join(
        f"WHEN `_seq` = '' AND `_generation` = '{g}' THEN TIMESTAMP '{m}'" for g, m in moments.items()
    )
    return f"CASE {known} ELSE `_commit_ts` END" if known else "`_commit_ts`"


def _within(name: str, is_key: bool) -> str:
    return (
        f"`{name}`"
        if is_key
        else f"CASE WHEN `_before` OR `_deleted` THEN NULL ELSE `{name}` END AS `{name}`"
    )


def collapse(pieces: DataFrame, model: Model) -> DataFrame:
    """Rows of an scd2 model in staging order: equal neighbours are one, moments never run backwards."""
    names = [column.name for column in model.columns]
    keys = ", ".join(f"`{key}`" for key in model.key)
    window = f"(PARTITION BY {keys} ORDER BY `_from`, `_to`"
    values = f"struct({', '.join(f'`{name}`' for name in names)})"
    typed = pieces.where("`_from` < `_to`").selectExpr(
        *[fitting(pieces, column) for column in model.columns],
        "`_from`",
        "`_to`",
    )
    same = f"lag(`_to`) OVER {window}) <=> `_from` AND lag({values}) OVER {window}) <=> {values}"
    marked = typed.selectExpr("*", f"CASE WHEN {same} THEN 0 ELSE 1 END AS `_new`")
    numbered = marked.selectExpr("*", f"sum(`_new`) OVER {window} ROWS UNBOUNDED PRECEDING) AS `version`")
    versions = numbered.groupBy(*model.key, "version").agg(*_whole(names, model.key))
    return _dated(versions, model)


def _whole(names: Iterable[str], key: Iterable[str]) -> list[object]:
    from pyspark.sql import functions as f

    attributes: list[object] = [f.first(name).alias(name) for name in names if name not in set(key)]
    return [*attributes, f.min("_from").alias("_from"), f.max("_to").alias("_to")]


def _dated(versions: DataFrame, model: Model) -> DataFrame:
    keys = ", ".join(f"`{key}`" for key in model.key)
    window = f"(PARTITION BY {keys} ORDER BY `version` ROWS BETWEEN UNBOUNDED PRECEDING AND"
    started, ended = (
        f"max(`_from`.ts) OVER {window} CURRENT ROW)",
        f"max(`_to`.ts) OVER {window} 1 PRECEDING)",
    )
    dated = versions.selectExpr("*", f"greatest({started}, {ended}) AS `valid_from`")
    return dated.selectExpr(
        f"xxhash64({keys}, `_from`.generation, `_from`.seq) AS `{model.surrogate}`",
        *[f"`{column.name}`" for column in model.columns],
        "CAST(`version` AS INT) AS `version`",
        "`valid_from`",
        "greatest(`valid_from`, `_to`.ts) AS `valid_to`",
        "(`_to`.generation = '~') AS `is_current`",
    )
