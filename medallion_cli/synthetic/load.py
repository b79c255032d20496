"""Chunks of rows into the source: LOAD DATA LOCAL where the server allows it, else multi-row INSERT."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from medallion_cli.errors import MedallionError
from medallion_cli.synthetic import ledger
from medallion_cli.synthetic.connection import Connection, Cursor, scalar
from medallion_cli.synthetic.facts import Table
from medallion_cli.synthetic.generate import Rows, chunk_rows
from medallion_cli.synthetic.lookups import SourceLookups
from medallion_cli.synthetic.plan import Chunk, Plan
from medallion_cli.synthetic.recipe import Recipe
from medallion_cli.synthetic.render import load_columns, tab_separated

INSERT_ROWS = 500


def begin_loading(cursor: Cursor) -> bool:
    """Switch the session's key checks off; True when the server allows LOAD DATA LOCAL."""
    cursor.execute("SET SESSION foreign_key_checks = 0, unique_checks = 0")
    return str(scalar(cursor, "SELECT @@GLOBAL.local_infile")) == "1"


def promised_keys(recipe: Recipe, plan: Plan, chunks: Iterable[Chunk]) -> dict[str, range]:
    """The keys that a plan gives to each counted table."""
    totals: dict[str, int] = {}
    for chunk in chunks:
        for name, rows in chunk.expected.items():
            totals[name] = totals.get(name, 0) + rows
    counted = (name for name in totals if recipe.tables[name].table.sequence is not None)
    return {name: range(plan.firsts[name], plan.firsts[name] + totals[name]) for name in counted}


def load_chunk(
    connection: Connection,
    recipe: Recipe,
    recorded: ledger.Recorded,
    chunk: Chunk,
    lookups: SourceLookups,
    local_infile: bool,
) -> dict[str, int]:
    """One transaction: the chunk's rows and its ledger row. Returns rows a table; on any error nothing is
    left behind.
    """
    if recorded.plan is None:
        raise MedallionError(f"plan {recorded.plan_id} is a plan of changes")
    written = {}
    try:
        with connection.cursor() as cursor:
            for rows in chunk_rows(recipe, recorded.plan, chunk, lookups):
                _load_rows(cursor, lookups.schema, recipe.tables[rows.table].table, rows, local_infile)
                written[rows.table] = rows.count
            ledger.written(cursor, recorded.plan_id, chunk, written)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    lookups.forget(tuple(written))
    return written


def _load_rows(cursor: Cursor, schema: str, table: Table, rows: Rows, local_infile: bool) -> None:
    if not rows.count:
        return
    taken = _load_file(cursor, schema, table, rows) if local_infile else _insert(cursor, schema, table, rows)
    if taken != rows.count:
        raise MedallionError(
            f"{schema}.{table.name}: the source took {taken} of {rows.count} rows (keys in use?)",
            hint="medallion seed without --seed",
        )


def _load_file(cursor: Cursor, schema: str, table: Table, rows: Rows) -> int:
    """LOCAL turns errors into warnings, so the caller compares the number of rows, and a warning is an error
    here.
    """
    names, conversions = load_columns(table.written)
    handle, path = tempfile.mkstemp(suffix=".tsv")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(tab_separated(table.written, rows.texts))
        taken: int = cursor.execute(
            f"LOAD DATA LOCAL INFILE %s INTO TABLE `{schema}`.`{table.name}` CHARACTER SET utf8mb4"
            f" ({names}){conversions}",
            (path,),
        )
    finally:
        Path(path).unlink()
    cursor.execute("SHOW WARNINGS LIMIT 1")
    warning = cursor.fetchone()
    if warning:
        raise MedallionError(
            f"{schema}.{table.name}: {warning[2]}", hint="check its rules in configs/synthetic.yaml"
        )
    return taken


def _insert(cursor: Cursor, schema: str, table: Table, rows: Rows) -> int:
    names = ", ".join(f"`{name}`" for name in rows.columns)
    row = f"({', '.join(_placeholder(table, name) for name in rows.columns)})"
    values, taken = list(zip(*rows.texts, strict=True)), 0
    for start in range(0, len(values), INSERT_ROWS):
        part = values[start : start + INSERT_ROWS]
        taken += cursor.execute(
            f"INSERT INTO `{schema}`.`{table.name}` ({names}) VALUES {', '.join([row] * len(part))}",
            [value for one in part for value in one],
        )
    return taken


def _placeholder(table: Table, name: str) -> str:
    return "CAST(%s AS UNSIGNED)" if table.by_name[name].base == "bit" else "%s"
