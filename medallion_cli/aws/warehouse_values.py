"""Values of Redshift's results and parameters, the same over the Data API and over a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock
from decimal import Decimal
from typing import Any

from medallion_cli.errors import MedallionError

Value = None | bool | int | float | str | bytes | Decimal | date | datetime | clock


# Type OIDs as redshift_connector reports them, by the Data API's names; 4000 and 6551 are Redshift's own.
_TYPE_NAMES = {
    16: "bool",
    17: "varbyte",
    20: "int8",
    21: "int2",
    23: "int4",
    700: "float4",
    701: "float8",
    1042: "bpchar",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1700: "numeric",
    3802: "super",
    4000: "super",
    6551: "varbyte",
}


@dataclass(frozen=True)
class Column:
    """A result's column; `type` is the Data API's name: int8, numeric, varchar, timestamp, …"""

    name: str
    type: str


@dataclass(frozen=True)
class Rows:
    """A result: rows of Python values in column order; no columns when the statement returns nothing."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()

    def dicts(self) -> list[dict[str, Value]]:
        """Rows by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def scalar(self) -> Value:
        """The first value of the first row; None when there is no row."""
        return self.rows[0][0] if self.rows else None


def texts(params: Mapping[str, object] | None) -> dict[str, str]:
    """Parameters as text; MedallionError for NULL and the empty string, which the Data API cannot carry."""
    texts = {name: _text(value) for name, value in (params or {}).items()}
    for name, text in texts.items():
        if not text:
            raise MedallionError(
                f"parameter :{name} is NULL or empty, which Redshift's Data API cannot carry"
            )
    return texts


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(sep=" ")
        case bytes():
            return value.hex()
        case _:
            return str(value)


def from_field(field: dict[str, Any], kind: str) -> Value:
    """A Data API field as a Python value."""
    if field.get("isNull"):
        return None
    value: Any = next(iter(field.values()))
    return _typed(value, kind)


def from_cursor(cursor: Any) -> Rows:
    """A driver's result; rows of the same values as the Data API's."""
    if not cursor.description:
        return Rows()
    columns = tuple(
        Column(_name(each[0]), _TYPE_NAMES.get(each[1], "varchar")) for each in cursor.description
    )
    kinds = [column.type for column in columns]
    rows = tuple(
        tuple(None if value is None else _typed(value, kind) for value, kind in zip(row, kinds, strict=True))
        for row in cursor.fetchall()
    )
    return Rows(columns, rows)


def _name(label: object) -> str:
    return label.decode() if isinstance(label, bytes) else str(label)


def _typed(value: Any, kind: str) -> Value:
    """The Python value of one type; text is parsed, what a driver has parsed already is kept."""
    if kind == "varbyte":
        return (
            bytes(value) if isinstance(value, bytes | bytearray) else bytes.fromhex(value.removeprefix("\\x"))
        )
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]
    match kind:
        case "numeric":
            return Decimal(value)
        case "timestamp" | "timestamptz":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
        case "time":
            return clock.fromisoformat(value)
        case _:
            return value
