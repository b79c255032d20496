"""Rows that somebody has already, into the source: an operation of the Lambda, for pipeline tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.synthetic.connection import Cursor, quoted, source
from medallion_cli.synthetic.seeding import Event, Project, Result

# As strict as the source, but a zero date or a key of 0 of an older database is taken as it is.
MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
BATCH = 500


def insert_rows(project: Project, event: Event) -> Result:
    """Writes {rows} of {table}'s {columns} in one transaction: texts, null, or {hex} for bytes; again is no harm.

    A row whose key is there is overwritten. Result: {written}.
    """
    import pymysql

    name, columns = str(event["table"]), [str(column) for column in event["columns"]]
    rows: Sequence[Sequence[Any]] = event["rows"]
    with source(project.schema) as connection, connection.cursor() as cursor:
        _known(project, cursor, name, columns)
        cursor.execute(f"SET SESSION foreign_key_checks = 0, unique_checks = 0, sql_mode = '{MODE}'")
        sql = statement(name, columns)
        try:
            for start in range(0, len(rows), BATCH):
                _insert(cursor, sql, rows[start : start + BATCH])
        except pymysql.err.MySQLError as error:
            raise MedallionError(f"{name}: {error.args[-1]}", hint="medallion validate") from error
        connection.commit()
    return {"written": len(rows)}


def statement(name: str, columns: Sequence[str]) -> tuple[str, str, str]:
    """(head, one row's placeholders, tail) of the statement."""
    names = ", ".join(map(quoted, columns))
    again = ", ".join(f"{quoted(column)} = VALUES({quoted(column)})" for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {quoted(name)} ({names}) VALUES ", f"({marks})", f" ON DUPLICATE KEY UPDATE {again}"


def _insert(cursor: Cursor, sql: tuple[str, str, str], rows: Sequence[Sequence[Any]]) -> None:
    head, marks, tail = sql
    values = [_value(value) for row in rows for value in row]
    cursor.execute(head + ", ".join([marks] * len(rows)) + tail, values)


def _value(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value


def _known(project: Project, cursor: Cursor, name: str, columns: Sequence[str]) -> None:
    """UsageError unless the table is of the pipeline and takes these columns."""
    facts = project.facts(cursor)
    if name not in facts:
        raise UsageError(f"no table {name} in the pipeline")
    if unknown := sorted(set(columns) - {column.name for column in facts[name].written}):
        raise UsageError(f"{name}: no column {unknown[0]} that takes values")
