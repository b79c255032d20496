"""PostgreSQL's catalog in the Data API's words: type names, column metadata, typed fields, listings."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import TYPE_CHECKING, Any

from medallion_cli.local.engines.redshift import ResultColumn, Session
from medallion_cli.local.engines.redshift_errors import SqlError
from medallion_cli.local.protocol import ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

# PostgreSQL's type OIDs (pg_type.dat) as the Data API names them.
_TYPES = {
    16: "bool",
    17: "varbyte",
    18: "char",
    19: "name",
    20: "int8",
    21: "int2",
    23: "int4",
    25: "varchar",
    26: "oid",
    114: "super",
    700: "float4",
    701: "float8",
    1042: "bpchar",
    1043: "varchar",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1186: "interval",
    1266: "timetz",
    1700: "numeric",
    3802: "super",
}
_WHOLE = {"int2": 5, "int4": 10, "int8": 19, "oid": 10}
_DOUBLE = {"float4", "float8"}
_SIGNED = {*_WHOLE, *_DOUBLE, "numeric"} - {"oid"}
_LARGEST_PAGE = 1_000

_HIDDEN = "('pg_toast', 'medallion_journal')"
DATABASES = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1"
SCHEMAS = (
    "SELECT nspname FROM pg_namespace WHERE nspname LIKE $1 AND nspname NOT LIKE 'pg\\\\_temp%' "
    f"AND nspname NOT LIKE 'pg\\\\_toast%' AND nspname NOT IN {_HIDDEN} ORDER BY 1"
)
TABLES = (
    "SELECT n.nspname, c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'VIEW' ELSE 'TABLE' END "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm') "
    "AND n.nspname LIKE $1 AND c.relname LIKE $2 AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
    f"AND n.nspname NOT LIKE 'pg\\\\_toast%' AND n.nspname NOT IN {_HIDDEN} ORDER BY 1, 2"
)
_TABLE_NAMES = (
    "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
)
COLUMNS = (
    "SELECT n.nspname, c.relname, a.attname, a.atttypid::bigint, a.atttypmod, a.attnotnull, "
    "pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
)


def type_name(oid: int) -> str:
    """The Data API's name of a PostgreSQL type; what it does not know is text."""
    return _TYPES.get(oid, "varchar")


def column_metadata(
    session: Session | None, columns: tuple[ResultColumn, ...] | None
) -> list[dict[str, Any]]:
    """ColumnMetadata of a result; with a session, the tables that columns come from are named."""
    tables = sorted({column.table for column in columns or () if column.table})
    names: dict[int, tuple[str, str]] = {}
    if tables and session is not None:
        listed = ", ".join(str(table) for table in tables)
        with contextlib.suppress(SqlError):  # cancelled just now, and the statement itself is done
            rows = session.execute(f"{_TABLE_NAMES} WHERE c.oid IN ({listed})").rows
            names = {int(str(row[0])): (str(row[1]), str(row[2])) for row in rows}
    return [
        _metadata(each.name, each.oid, each.modifier, *names.get(each.table, ("", "")))
        for each in columns or ()
    ]


def _metadata(name: str, oid: int, modifier: int, schema: str, table: str) -> dict[str, Any]:
    kind = type_name(oid)
    precision, scale = _WHOLE.get(kind, 0), 0
    if kind == "numeric":
        precision, scale = ((modifier - 4) >> 16, (modifier - 4) & 0xFFFF) if modifier >= 0 else (38, 0)
    elif kind in ("varchar", "bpchar"):
        precision = modifier - 4 if modifier >= 4 else 65535
    return {
        "name": name,
        "label": name,
        "typeName": kind,
        "precision": precision,
        "scale": scale,
        "length": 0,
        "nullable": 1,
        "isCaseSensitive": kind in ("varchar", "bpchar"),
        "isCurrency": False,
        "isSigned": kind in _SIGNED,
        "schemaName": schema,
        "tableName": table,
    }


def table_column(row: tuple[str | None, ...]) -> dict[str, Any]:
    """DescribeTable's entry for a row of COLUMNS."""
    schema, table, name, oid, modifier, required, default = row
    found = _metadata(str(name), int(oid or 0), int(modifier or -1), str(schema), str(table))
    found["nullable"] = 0 if required == "t" else 1
    return found | ({"columnDefault": default} if default is not None else {})


def field(value: str | None, kind: str) -> dict[str, Any]:
    """A Field: integers, floats and booleans typed, all else (decimals and timestamps too) a string."""
    if value is None:
        return {"isNull": True}
    if kind in _WHOLE:
        return {"longValue": int(value)}
    if kind in _DOUBLE:
        return {"doubleValue": float(value)}
    if kind == "bool":
        return {"booleanValue": value == "t"}
    return {"stringValue": value.removeprefix("\\x") if kind == "varbyte" else value}


def csv_text(header: list[str] | None, rows: list[list[str | None]]) -> str:
    """Rows as CSV; the first page begins with the column names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if header is not None:
        writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def page_of(found: list[Any], params: dict[str, Any]) -> tuple[list[Any], str | None]:
    """(a page, the next token) of a list, by MaxResults and NextToken."""
    size = params.get("MaxResults") or _LARGEST_PAGE
    try:
        start = int(params.get("NextToken") or 0)
    except ValueError:
        raise ServiceError("ValidationException", "invalid NextToken") from None
    more = start + size < len(found)
    return found[start : start + size], str(start + size) if more else None


def secret(runtime: Runtime, arn: str) -> dict[str, str]:
    """User and password of a secret. ValidationException when it has none."""
    try:
        value = json.loads(runtime.call("secretsmanager", "GetSecretValue", SecretId=arn)["SecretString"])
        return {"username": value["username"], "password": value["password"]}
    except (ValueError, KeyError, TypeError):
        raise ServiceError("ValidationException", f"secret {arn} has no username and password") from None
