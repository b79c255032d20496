"""Reads CREATE TABLE statements: what a table's columns, types and key are, in every engine of the pipeline."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medallion_cli.canonical import canonical, canonical_model
from medallion_cli.errors import UsageError
from medallion_cli.folders import cache_root

MAX_VARCHAR = 65535  # Redshift: bytes


@dataclass(frozen=True)
class Column:
    """A source column: its MySQL type (lower case) and what stands for it in silver and gold."""

    name: str
    mysql: str
    nullable: bool
    clean: tuple[str, ...] = ()

    @property
    def spark(self) -> str:
        """The silver type."""
        return _TYPES(self.mysql)[0]

    @property
    def redshift(self) -> str:
        """The type in a copy model."""
        return _TYPES(self.mysql)[1]

    @property
    def canonical(self) -> dict[str, str]:
        """Canonical text expressions (see medallion_cli.canonical)."""
        return canonical(self.mysql, self.name, self.clean)


@dataclass(frozen=True)
class GoldColumn:
    """A column of a gold model: its Redshift type as in the DDL and the Spark type that stages it."""

    name: str
    redshift: str

    @property
    def spark(self) -> str:
        """The type staged for COPY, which converts nothing (Redshift: copy from columnar data formats)."""
        return redshift_to_spark(self.redshift)

    @property
    def canonical(self) -> dict[str, str]:
        """Canonical text expressions (see medallion_cli.canonical)."""
        return canonical_model(self.spark, self.name)


@dataclass(frozen=True)
class TableDdl:
    """One parsed CREATE TABLE."""

    name: str
    columns: tuple[tuple[str, str, bool], ...]  # name, type, nullable
    key: tuple[str, ...]


def parse_tables(text: str, dialect: str, where: str) -> dict[str, TableDdl]:
    """Every CREATE TABLE in `text` by table name; UsageError names `where` when it is not SQL."""
    import sqlglot
    from sqlglot import exp

    try:
        statements = sqlglot.parse(text, read=dialect)
    except sqlglot.errors.ParseError as error:
        raise UsageError(f"{where}: {str(error).splitlines()[0]}", hint="medallion validate") from error
    creates = [s for s in statements if isinstance(s, exp.Create) and isinstance(s.this, exp.Schema)]
    return {table.name: table for table in (_table(create, dialect) for create in creates)}


def known_tables(text: str, dialect: str, where: str) -> dict[str, TableDdl]:
    """`parse_tables`, whose answer is kept by the text's hash: to load the parser takes longer than most commands do."""
    digest = hashlib.sha256(f"{_own_digest()}:{dialect}:{text}".encode()).hexdigest()
    path = cache_root() / "ddl" / f"{digest}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        return {entry["name"]: _from_json(entry) for entry in json.loads(path.read_text(encoding="utf-8"))}
    found = parse_tables(text, dialect, where)
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        _keep(path, json.dumps([asdict(table) for table in found.values()]))
    return found


@functools.cache
def _own_digest() -> str:
    """Of this file: what another parser made of the text does not count."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _from_json(entry: dict[str, Any]) -> TableDdl:
    columns = tuple((str(name), str(kind), bool(nullable)) for name, kind, nullable in entry["columns"])
    return TableDdl(str(entry["name"]), columns, tuple(map(str, entry["key"])))


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".ddl.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name, path)


def _table(create: Any, dialect: str) -> TableDdl:
    from sqlglot import exp

    parts = create.this.expressions
    columns = [part for part in parts if isinstance(part, exp.ColumnDef)]
    key = [e.name for part in parts if isinstance(part, exp.PrimaryKey) for e in part.expressions]
    key += [c.name for c in columns if c.find(exp.PrimaryKeyColumnConstraint)]
    return TableDdl(
        name=create.this.this.name,
        columns=tuple((c.name, _type_text(c, dialect), _nullable(c)) for c in columns),
        key=tuple(key),
    )


def _type_text(column: Any, dialect: str) -> str:
    text = column.kind.sql(dialect).replace(", ", ",")
    return re.sub(r"^[^(]*", lambda m: m.group().lower(), text) if dialect == "mysql" else str(text)


def _nullable(column: Any) -> bool:
    from sqlglot import exp

    constraint = column.find(exp.NotNullColumnConstraint)
    return constraint is None or bool(constraint.args.get("allow_null"))


def _TYPES(mysql: str) -> tuple[str, str]:
    """(Spark, Redshift) for a MySQL type. Iceberg has no 1- and 2-byte integers; Redshift no unsigned ones."""
    base, _, rest = mysql.partition("(")
    base = base.split(" ")[0]
    length = int(match.group()) if (match := re.match(r"\d+", rest)) else 0
    unsigned = mysql.endswith("unsigned")
    match base:
        case "tinyint" | "smallint" | "mediumint" | "year":
            return "int", "INTEGER"
        case "int" | "integer":
            return ("bigint", "BIGINT") if unsigned else ("int", "INTEGER")
        case "bigint":
            return ("decimal(20,0)", "DECIMAL(20,0)") if unsigned else ("bigint", "BIGINT")
        case "decimal" | "numeric":
            size = f"({rest.split(')')[0]})" if rest else "(10,0)"
            return f"decimal{size}", f"DECIMAL{size}"
        case "float" | "double" | "real":
            return "double", "DOUBLE PRECISION"
        case "bit" | "bool" | "boolean":
            return "boolean", "BOOLEAN"
        case "date":
            return "date", "DATE"
        case "datetime" | "timestamp":
            return "timestamp", "TIMESTAMP"
        case "time":
            return "string", "VARCHAR(20)"
        case "char" | "varchar":
            return "string", f"VARCHAR({min(4 * max(length, 1), MAX_VARCHAR)})"
        case "enum" | "set":
            return "string", f"VARCHAR({min(4 * max(len(rest), 1), MAX_VARCHAR)})"
        case "json" | "text" | "tinytext" | "mediumtext" | "longtext":
            return "string", f"VARCHAR({MAX_VARCHAR})"
        case "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob":
            return "binary", "VARBYTE(65535)"
        case _:
            raise UsageError(f"no mapping for the MySQL type {mysql!r}", hint="leave the column's table out")


def redshift_to_spark(redshift: str) -> str:
    """The Spark type whose Parquet form Redshift's COPY takes for a column of this type."""
    base, _, rest = redshift.upper().partition("(")
    match base.strip():
        case "SMALLINT" | "INT2":
            return "smallint"
        case "INTEGER" | "INT" | "INT4":
            return "int"
        case "BIGINT" | "INT8":
            return "bigint"
        case "DECIMAL" | "NUMERIC":
            return f"decimal({rest.rstrip(')').replace(' ', '') or '18,0'})"
        case "DOUBLE PRECISION" | "FLOAT8" | "FLOAT" | "DOUBLE":
            return "double"
        case "REAL" | "FLOAT4":
            return "float"
        case "BOOLEAN" | "BOOL":
            return "boolean"
        case "DATE":
            return "date"
        case "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE":
            return "timestamp"
        case "VARCHAR" | "CHAR" | "TEXT" | "BPCHAR" | "CHARACTER VARYING":
            return "string"
        case "VARBYTE" | "VARBINARY" | "BINARY VARYING":
            return "binary"
        case _:
            raise UsageError(f"no staging type for the Redshift type {redshift!r}")
