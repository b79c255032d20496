"""CREATE TABLE statements that MySQL 8.4, MariaDB and our parser read alike, from what a database says of itself."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from medallion_cli.operations.scaffold.existing import Column, Existing, Reference

_LITERAL = re.compile(
    r"(?i)^(current_timestamp(\(\d*\))?|-?\d+(\.\d+)?(e[+-]?\d+)?|b'[01]+'|'(?:[^'\\]|\\.|'')*')$", re.DOTALL
)


def create_table(table: Existing, known: Container[str]) -> str:
    """The table with its keys and its references to `known` tables; other indexes are left to the source."""
    parts = [
        *(f"  {column_sql(column)}" for column in table.columns),
        *_keys(table),
        *(f"  {_reference(each)}" for each in table.references if each.table in known),
    ]
    body = ",\n".join(parts)
    return f"CREATE TABLE {_name(table.name)} (\n{body}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"


def column_sql(column: Column) -> str:
    """One column's definition."""
    words = [_name(column.name), plain_type(column.type), *_charset(column)]
    if column.generated:
        kind = "STORED" if re.search(r"(?i)stored|persistent", column.extra) else "VIRTUAL"
        return " ".join([*words, f"GENERATED ALWAYS AS ({column.generated}) {kind}"])
    words.append("NULL" if column.nullable else "NOT NULL")
    if column.default is not None and _LITERAL.match(column.default):
        words.append(f"DEFAULT {_default(column.default)}")
    if found := re.search(r"(?i)on update (current_timestamp(\(\d*\))?)", column.extra):
        words.append(f"ON UPDATE {_default(found[1])}")
    if "auto_increment" in column.extra.lower():
        words.append("AUTO_INCREMENT")
    return " ".join(words)


def plain_type(kind: str) -> str:
    """A type without the display widths that MySQL 8.4 no longer prints; ZEROFILL changes no value."""
    kind = re.sub(r"(?i)\b((?:small|medium|big)?int|year)\(\d+\)", r"\1", kind)
    kind = re.sub(r"(?i)\btinyint\((?!1\))\d+\)", "tinyint", kind)
    return re.sub(r"(?i) zerofill", "", kind)


def _charset(column: Column) -> Iterator[str]:
    """What differs from utf8mb4 in its default order: another character set, or a binary order of keys."""
    if column.charset is None or column.type == "json":
        return
    binary = (column.collation or "").endswith("_bin")
    plain = column.charset.startswith("utf8")
    if not plain:
        yield f"CHARACTER SET {column.charset}"
    if binary:
        yield f"COLLATE {'utf8mb4' if plain else column.charset}_bin"


def _default(text: str) -> str:
    """`current_timestamp()` of MariaDB as both take it; precision stays."""
    found = re.fullmatch(r"(?i)current_timestamp(\(\d+\))?(\(\))?", text)
    return f"CURRENT_TIMESTAMP{found[1] or ''}" if found else text


def _keys(table: Existing) -> Iterator[str]:
    if table.key:
        yield f"  PRIMARY KEY ({_names(table.key)})"
    whole = {n: c for n, c in table.keys.items() if n != "PRIMARY" and n not in table.prefixed}
    for name, columns in whole.items():
        yield f"  UNIQUE KEY {_name(name)} ({_names(columns)})"
    counted = next((c.name for c in table.columns if "auto_increment" in c.extra.lower()), None)
    if counted and counted not in {columns[0] for columns in (table.key, *whole.values()) if columns}:
        yield f"  KEY ({_name(counted)})"


def _reference(each: Reference) -> str:
    return f"FOREIGN KEY ({_names(each.columns)}) REFERENCES {_name(each.table)} ({_names(each.referenced)})"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(_name(name) for name in names)


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
