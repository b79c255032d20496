"""The full load: every selected table as of one point of the binlog, exactly.

One connection holds `START TRANSACTION WITH CONSISTENT SNAPSHOT`; MariaDB then reports the binlog position
that the snapshot corresponds to, so nothing is locked. The server renders each row as one CSV value, which
costs a packet a row here and no object a column; Arrow parses blocks of them on another thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

from medallion_cli.local.replication import layout
from medallion_cli.local.replication.columns import Column, Shape, arrow_type
from medallion_cli.local.replication.faults import ReplicationFault
from medallion_cli.local.replication.source import Position, file_number, query, text_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from medallion_cli.local.replication.task import Task

BLOCK_BYTES = 8 << 20
FILE_ROWS = 2_000_000
_ZERO_DATES = ["0000-00-00", "0000-00-00 00:00:00", *(f"0000-00-00 00:00:00.{'0' * n}" for n in range(1, 7))]


@dataclass(frozen=True)
class Load:
    """One table's load; `files` are numbered after the ones it has."""

    task: Task
    shape: Shape
    commit: str  # what the timestamp column says
    files: int = 0


def begin(connection: Any) -> Position:
    """Opens the snapshot on a connection and gives its exact binlog position."""
    query(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    query(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
    found = dict(query(connection, "SHOW STATUS LIKE 'binlog_snapshot_%'"))
    if not found.get("Binlog_snapshot_file"):
        raise ReplicationFault(
            "the source reports no snapshot position: it is not a MariaDB server with a binlog"
        )
    return Position(file_number(found["Binlog_snapshot_file"]), int(found["Binlog_snapshot_position"]))


def load_table(
    connection: Any, load: Load, staging: Path, progress: Callable[[int], None]
) -> list[tuple[Path, str]]:
    """Writes the table's LOAD files into `staging`; (staged file, key in the bucket) in order.

    `progress` gets the rows of each block. Memory: a few blocks of 8 MB whatever the table's size.
    """
    sql = f"SELECT {row_expression(load.shape)} FROM `{_name(load.shape.schema)}`.`{_name(load.shape.table)}`"
    blocks: Queue[bytes | None] = Queue(maxsize=2)
    out: list[tuple[Path, str]] = []
    failure: list[BaseException] = []

    def convert() -> None:
        try:
            out.extend(_write(iter(blocks.get, None), load, staging, progress))
        except BaseException as error:  # noqa: BLE001 (carried to the reading thread)
            failure.append(error)
            for _ in iter(blocks.get, None):
                pass

    writer = threading.Thread(target=convert, name="full-load-writer")
    writer.start()
    try:
        for block in _blocks(text_rows(connection, sql)):
            blocks.put(block)
            if failure:
                break
    finally:
        blocks.put(None)
        writer.join()
    if failure:
        raise failure[0]
    return out


def row_expression(shape: Shape) -> str:
    """SQL for a row's CSV text: strings quoted, so that NULL (nothing) and '' differ; parts join as bytes."""
    return (
        f"CONCAT_WS(',', {', '.join(f'IFNULL({_value(column)}, {_EMPTY})' for column in shape.columns)}, 1)"
    )


_EMPTY = "''"


def _value(column: Column) -> str:
    name, base = f"`{_name(column.name)}`", column.mysql.split("(")[0].split(" ")[0]
    match column.kind:
        case "binary":
            return f"CONCAT('\"', REPLACE(CAST({name} AS BINARY), '\"', '\"\"'), '\"')"
        case "string" if base in ("time", "decimal"):
            return f"CONCAT('\"', {name}, '\"')"
        case "string":
            return f"CONCAT('\"', REPLACE(CONVERT({name} USING utf8mb4), '\"', '\"\"'), '\"')"
        case "float32":
            return f"CAST({name} AS DOUBLE)"  # FLOAT's own text has six digits
        case "bool":
            return f"{name} + 0"
        case "uint64" if base == "bit":
            return f"{name} + 0"
        case "date" | "timestamp" if base != "timestamp":
            day = f"DAYOFMONTH({name})"
            return f"IF({day} BETWEEN 1 AND DAYOFMONTH(LAST_DAY({name})), {name}, NULL)"  # else no such date
    return name


def _blocks(pieces: Iterator[list[bytes]]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for rows in pieces:
        held += rows
        size += sum(map(len, rows))
        if size >= BLOCK_BYTES:
            yield b"\n".join([*held, b""])
            held, size = [], 0
    if held:
        yield b"\n".join([*held, b""])


def _write(
    blocks: Iterator[bytes], load: Load, staging: Path, progress: Callable[[int], None]
) -> Iterator[tuple[Path, str]]:
    schema = layout.bronze_schema(load.shape, load.task)
    writer, rows, number = None, 0, load.files
    for block in blocks:
        table = _table(block, load, schema)
        if writer is None:
            number += 1
            path = staging / f"LOAD-{load.shape.name}-{number:08X}.parquet"
            writer, rows = layout.open_writer(path, schema, load.task), 0
        writer.write_table(table)
        rows += table.num_rows
        progress(table.num_rows)
        if rows >= FILE_ROWS:
            writer.close()
            writer = None
            yield path, layout.load_path(load.task.folder, load.shape, number)
    if writer is not None:
        writer.close()
        yield path, layout.load_path(load.task.folder, load.shape, number)


def _table(block: bytes, load: Load, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as csv

    columns = load.shape.columns
    names = [str(index) for index in range(len(columns) + 1)]
    types = {str(i): _csv_type(column) for i, column in enumerate(columns)}
    table = csv.read_csv(
        pa.BufferReader(block),
        read_options=csv.ReadOptions(column_names=names, block_size=len(block) + 1, use_threads=True),
        parse_options=csv.ParseOptions(newlines_in_values=True, double_quote=True),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=["", *_ZERO_DATES], strings_can_be_null=True,
            quoted_strings_can_be_null=False, true_values=["1"], false_values=["0"],
            include_columns=names[:-1],
        ),
    )  # fmt: skip
    arrays = [table.column(i).cast(arrow_type(column.kind)) for i, column in enumerate(columns)]
    return pa.table(_framed(arrays, table.num_rows, load, schema), schema=schema)


def _framed(arrays: list[Any], rows: int, load: Load, schema: pa.Schema) -> list[Any]:
    """Adds Op, the empty before-images, the load's time and the empty change sequence."""
    import pyarrow as pa

    def constant(value: str) -> Any:
        return pa.repeat(pa.scalar(value), rows)

    before = [
        pa.nulls(rows, arrow_type(load.shape.columns[i].kind))
        for i in layout.before_columns(load.shape, load.task)
    ]
    stamp = [constant(load.commit)] if load.task.timestamp_column else []
    frame = [constant("I"), *arrays, *before, *stamp]
    return frame + [constant("") for _ in range(len(schema) - len(frame))]


def _csv_type(column: Column) -> Any:
    import pyarrow as pa

    return pa.float64() if column.kind == "float32" else arrow_type(column.kind)


def _name(identifier: str) -> str:
    return identifier.replace("`", "``")
