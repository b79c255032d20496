"""What the source's own catalogue says about its tables: types, keys, foreign keys.

The pipeline document names the tables; everything else comes from information_schema, so any schema can be
seeded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "integer": 32, "bigint": 64}
TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
BINARIES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_LENGTHS = {"tinytext": 255, "tinyblob": 255}
_TYPE = re.compile(r"\s*(\w+)\s*(?:\((.*)\))?(.*)", re.DOTALL)


@cache
def _parsed(text: str) -> tuple[str, str]:
    match = _TYPE.match(text)
    if match is None:
        raise ValueError(f"not a column type: {text!r}")
    return match[1].lower(), match[2] or ""


@dataclass(frozen=True)
class Column:
    """One column; `type` is the DDL's, such as `decimal(10,2) unsigned`; `on_update` is set by the server on
    UPDATE.
    """

    name: str
    type: str
    nullable: bool = False
    generated: bool = False
    on_update: bool = False
    unique: bool = False

    @property
    def base(self) -> str:
        """The type's name without arguments, lower case."""
        return _parsed(self.type)[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The type's arguments: a length, precision and scale, or the options of an ENUM or SET."""
        text = _parsed(self.type)[1]
        if text.startswith("'"):
            return tuple(option.replace("''", "'") for option in re.findall(r"'((?:[^']|'')*)'", text))
        return tuple(part.strip() for part in text.split(",")) if text else ()

    @property
    def length(self) -> int:
        """Longest text in characters (or bytes of a binary); 1 when CHAR has no length; 1000 when there is no
        limit.
        """
        if self.arguments and self.base not in ("enum", "set"):
            return int(self.arguments[0])
        return 1 if self.base in ("char", "binary", "bit") else _LENGTHS.get(self.base, 1000)

    @property
    def scale(self) -> int:
        """Digits after the point of a DECIMAL, or of a second."""
        position = 1 if self.base in ("decimal", "numeric") else 0
        return int(self.arguments[position]) if len(self.arguments) > position else 0

    @property
    def is_integer(self) -> bool:
        """True for the integer types (not BIT or YEAR)."""
        return self.base in INTEGER_BITS

    @property
    def largest(self) -> int:
        """The greatest value an integer column can hold."""
        bits = INTEGER_BITS[self.base]
        return (1 << bits) - 1 if "unsigned" in self.type.lower() else (1 << (bits - 1)) - 1


@dataclass(frozen=True)
class ForeignKey:
    """`columns` of this table hold `references` of `table`."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One source table."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    @property
    def written(self) -> tuple[Column, ...]:
        """The columns an INSERT names: all but generated ones."""
        return tuple(column for column in self.columns if not column.generated)

    @property
    def sequence(self) -> Column | None:
        """The key column that counts up: the only one, an integer, referring to nothing; else None."""
        if len(self.key) != 1 or self.reference(self.key[0]) is not None:
            return None
        column = self.by_name[self.key[0]]
        return column if column.is_integer else None

    def reference(self, column: str) -> ForeignKey | None:
        """The single-column foreign key that `column` carries, if any."""
        return next((key for key in self.foreign_keys if key.columns == (column,)), None)


def read_facts(cursor: Any, schema: str, tables: Sequence[dict[str, Any]]) -> dict[str, Table]:
    """The facts of the pipeline's tables, by name, from information_schema; a missing table is left out.

    `tables` are the pipeline document's: MariaDB's catalogue calls JSON longtext, the document doesn't.
    """
    columns, keys, foreign = _columns(cursor, schema), _keys(cursor, schema), _foreign_keys(cursor, schema)
    unique = _unique(cursor, schema)
    found = {}
    for entry in tables:
        name = entry["name"]
        if name not in columns:
            continue
        json_names = {c["name"] for c in entry.get("columns", ()) if c["mysql"].lower() == "json"}
        found[name] = Table(
            name,
            tuple(_column(row, json_names, unique.get(name, frozenset())) for row in columns[name]),
            tuple(entry.get("key") or keys.get(name) or ()),
            tuple(foreign.get(name, ())),
        )
    return found


def _column(row: Sequence[str], json_names: set[str], unique: frozenset[str]) -> Column:
    name, declared, nullable, extra = row
    return Column(
        name,
        "json" if name in json_names else declared,
        nullable == "YES",
        "generated" in extra.lower() and "default_generated" not in extra.lower(),
        "on update" in extra.lower(),
        name in unique,
    )


def _columns(cursor: Any, schema: str) -> dict[str, list[Sequence[str]]]:
    cursor.execute(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, EXTRA FROM information_schema.COLUMNS"
        " WHERE TABLE_SCHEMA = %s ORDER BY TABLE_NAME, ORDINAL_POSITION",
        (schema,),
    )
    return _grouped(cursor.fetchall())


def _keys(cursor: Any, schema: str) -> dict[str, list[str]]:
    cursor.execute(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE"
        " WHERE TABLE_SCHEMA = %s AND CONSTRAINT_NAME = 'PRIMARY' ORDER BY TABLE_NAME, ORDINAL_POSITION",
        (schema,),
    )
    return {table: [row[0] for row in rows] for table, rows in _grouped(cursor.fetchall()).items()}


def _unique(cursor: Any, schema: str) -> dict[str, frozenset[str]]:
    cursor.execute(
        "SELECT TABLE_NAME, MIN(COLUMN_NAME) FROM information_schema.STATISTICS"
        " WHERE TABLE_SCHEMA = %s AND NON_UNIQUE = 0 GROUP BY TABLE_NAME, INDEX_NAME HAVING COUNT(*) = 1",
        (schema,),
    )
    return {table: frozenset(row[0] for row in rows) for table, rows in _grouped(cursor.fetchall()).items()}


def _foreign_keys(cursor: Any, schema: str) -> dict[str, list[ForeignKey]]:
    cursor.execute(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME"
        " FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = %s AND REFERENCED_TABLE_SCHEMA = %s"
        " ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
        (schema, schema),
    )
    found: dict[str, list[ForeignKey]] = {}
    for table, rows in _grouped(cursor.fetchall()).items():
        for parts in _grouped(rows).values():
            key = ForeignKey(tuple(p[0] for p in parts), parts[0][1], tuple(p[2] for p in parts))
            found.setdefault(table, []).append(key)
    return found


def _grouped(rows: Iterable[Sequence[str]]) -> dict[str, list[Sequence[str]]]:
    groups: dict[str, list[Sequence[str]]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row[1:])
    return groups


def dependency_order(tables: dict[str, Table]) -> tuple[str, ...]:
    """Table names, parents before children; of a cycle of foreign keys, the member with the fewest open ones
    goes first.
    """
    waiting = {
        name: {key.table for key in table.foreign_keys if key.table in tables and key.table != name}
        for name, table in tables.items()
    }
    ordered: list[str] = []
    while waiting:
        ready = min(waiting, key=lambda name: len(waiting[name]))
        ordered.append(ready)
        del waiting[ready]
        for parents in waiting.values():
            parents.discard(ready)
    return tuple(ordered)
