"""Rows of the warehouse as a table, CSV, JSON or Parquet, whichever `--output` names."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.errors import MedallionError, UsageError

if TYPE_CHECKING:
    from medallion_cli.aws.warehouse_values import Column, Rows
    from medallion_cli.commands.context import Invocation


def show(call: Invocation, found: Rows) -> None:
    """Writes a result to stdout in the form that the command line asks for."""
    names = [column.name for column in found.columns]
    match call.output:
        case "json":
            call.terminal.document([dict(zip(names, row, strict=True)) for row in found.rows])
        case "csv":
            call.terminal.raw(csv_text(names, found.rows).encode())
        case "parquet":
            call.terminal.raw(parquet(found))
        case _ if names:
            call.terminal.paged(names, found.rows)
        case _:
            call.terminal.say("done", None)


def refuse_screen(call: Invocation) -> None:
    """UsageError for Parquet on a terminal, before anything is asked; and where there is nothing to write it with."""
    if call.output != "parquet":
        return
    if call.terminal.out.is_terminal:
        raise UsageError("Parquet is not for a terminal", hint="… --output parquet > rows.parquet")
    _pyarrow()


def csv_text(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """RFC 4180 with a header and LF; NULL is empty, and so is an empty text; timestamps are ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_text(value) for value in row] for row in rows])
    return out.getvalue()


def _text(value: object) -> object:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return value


def parquet(found: Rows) -> bytes:
    """The rows as one Parquet file with the warehouse's types; MedallionError without pyarrow."""
    arrow, write_table = _pyarrow()
    columns = zip(*found.rows, strict=True) if found.rows else ((),) * len(found.columns)
    arrays = {
        column.name: arrow.array(list(values), _arrow_type(arrow, column, values))
        for column, values in zip(found.columns, columns, strict=True)
    }
    sink = io.BytesIO()
    write_table(arrow.table(arrays), sink)
    return sink.getvalue()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow.parquet import write_table
    except ImportError:
        raise MedallionError("Parquet needs pyarrow", hint=INSTALL_LOCAL) from None
    return pyarrow, write_table


def _arrow_type(arrow: Any, column: Column, values: Sequence[Any]) -> Any:
    """The Arrow type of a Redshift type; None lets Arrow tell by the values (decimals of any scale)."""
    kinds = {
        "bool": arrow.bool_(), "int2": arrow.int16(), "int4": arrow.int32(), "int8": arrow.int64(),
        "float4": arrow.float32(), "float8": arrow.float64(), "date": arrow.date32(), "varbyte": arrow.binary(),
        "timestamp": arrow.timestamp("us"), "timestamptz": arrow.timestamp("us", "UTC"), "time": arrow.time64("us"),
    }  # fmt: skip
    if column.type == "numeric":
        return None if any(value is not None for value in values) else arrow.decimal128(38, 0)
    return kinds.get(column.type, arrow.string())
