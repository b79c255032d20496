"""How the source's tables are defined now: operations of the Lambda that read its catalogue and change nothing."""

from __future__ import annotations

from typing import Any

from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.synthetic.connection import quoted, source
from medallion_cli.synthetic.seeding import Event, Project, Result

_COLUMNS = (
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS "
    "WHERE TABLE_SCHEMA = %s ORDER BY TABLE_NAME, ORDINAL_POSITION"
)
_NO_TABLE = 1146


def columns(project: Project, event: Event) -> Result:
    """{tables: {name: [[column, MySQL type], …]}} of the pipeline's tables; one that is gone is left out."""
    known = {str(table["name"]) for table in project.pipeline["tables"]}
    found: dict[str, list[list[str]]] = {}
    with source() as connection, connection.cursor() as cursor:
        cursor.execute(_COLUMNS, (project.schema,))
        for table, column, kind in cursor.fetchall():
            if table in known:
                found.setdefault(table, []).append([column, _text(kind)])
        empty = [name for name in found if _is_empty(cursor, project.schema, name)]
    return {"tables": found, "empty": empty}


def _is_empty(cursor: Any, schema: str, table: str) -> bool:
    cursor.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {quoted(schema)}.{quoted(table)})")
    return bool(int(cursor.fetchone()[0]))


def definition(project: Project, event: Event) -> Result:
    """{ddl}: the CREATE TABLE of {table} as the server gives it; MedallionError when it is gone."""
    import pymysql

    name = str(event["table"])
    if name not in {table["name"] for table in project.pipeline["tables"]}:
        raise UsageError(f"no table {name} in the pipeline")
    with source() as connection, connection.cursor() as cursor:
        try:
            cursor.execute(f"SHOW CREATE TABLE {quoted(project.schema)}.{quoted(name)}")
        except pymysql.err.ProgrammingError as error:
            if error.args[0] != _NO_TABLE:
                raise
            raise MedallionError(f"the source has no table {name} any more") from error
        return {"ddl": str(cursor.fetchone()[1])}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
