"""Column types on their way from MySQL to Parquet, as DMS maps them (user guide: MySQL source data types).

A `kind` is the text of a Parquet/Arrow type: `int8` … `uint64`, `float32`, `float64`, `bool`, `date`,
`timestamp` (microseconds, no zone), `string`, `binary`, `decimal(p,s)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.local.replication.faults import Unsupported

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DECIMAL = 38  # decimal128's, Spark's and Redshift's; a wider DECIMAL travels as text
_INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 32, "int": 32, "bigint": 64}
_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json", "time"}
_BINARIES = {
    "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob",
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
    "geometrycollection",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A source column by name and kind; `mysql` is its full MySQL type where that is known (full load)."""

    name: str
    kind: str
    mysql: str = ""


@dataclass(frozen=True)
class Shape:
    """What a table looks like at one point of the binlog: columns in order, and the key's column indexes."""

    schema: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[int, ...]

    @property
    def name(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.table}"


def kind_of(mysql: str, where: str) -> str:
    """The kind of a full MySQL type such as `int(10) unsigned`; `where` names the column in the error."""
    base = re.split(r"[ (]", mysql, maxsplit=1)[0].lower()
    if base in _INTEGERS:
        return f"{'u' if 'unsigned' in mysql else ''}int{_INTEGERS[base]}"
    if base in _TEXTS:
        return "string"
    if base in _BINARIES:
        return "binary"
    match base:
        case "decimal":
            precision, scale = (int(part) for part in re.findall(r"\d+", mysql)[:2])
            return decimal_kind(precision, scale)
        case "float":
            return "float32"
        case "double":
            return "float64"
        case "bit":
            return bit_kind(int(re.findall(r"\d+", mysql)[0]))
        case "date":
            return "date"
        case "datetime" | "timestamp":
            return "timestamp"
        case "year":
            return "int16"
    raise Unsupported(f"{where}: the type {mysql} has no mapping")


def decimal_kind(precision: int, scale: int) -> str:
    """A DECIMAL's own precision and scale; text when it is wider than any target."""
    return f"decimal({precision},{scale})" if precision <= MAX_DECIMAL else "string"


def bit_kind(bits: int) -> str:
    """BIT(1) is a boolean; wider ones keep their bits as an unsigned number."""
    return "bool" if bits == 1 else "uint64"


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of a kind."""
    import pyarrow as pa

    if kind.startswith("decimal"):
        precision, scale = decimal_size(kind)
        return pa.decimal128(precision, scale)
    simple: dict[str, Any] = {
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "bool": pa.bool_(),
        "string": pa.string(),
        "binary": pa.binary(),
    }
    return simple.get(kind) or getattr(pa, kind)()


def decimal_size(kind: str) -> tuple[int, int]:
    """(precision, scale) of a decimal kind."""
    precision, scale = re.findall(r"\d+", kind)
    return int(precision), int(scale)
