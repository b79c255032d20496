"""What DMS writes to S3: names of files and columns (user guide: Using Amazon S3 as a target)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from medallion_cli.local.replication.columns import Shape, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from medallion_cli.local.replication.task import Task

OP = "Op"


def table_folder(folder: str, schema: str, table: str) -> str:
    """`g0001/shop/orders/`."""
    start = f"{folder.strip('/')}/" if folder.strip("/") else ""
    return f"{start}{schema}/{table}/"


def load_path(folder: str, shape: Shape, number: int) -> str:
    """`g0001/shop/orders/LOAD00000001.parquet`: the counter is hexadecimal and starts at 1."""
    return f"{table_folder(folder, shape.schema, shape.table)}LOAD{number:08X}.parquet"


def change_path(folder: str, shape: Shape, stamp: int, partitioned: bool) -> str:
    """`g0001/shop/orders/2026/11/23/20261123-101530123.parquet`; `stamp` is in milliseconds, UTC."""
    moment = datetime.fromtimestamp(stamp // 1000, UTC)
    day = f"{moment:%Y/%m/%d}/" if partitioned else ""
    name = f"{moment:%Y%m%d-%H%M%S}{stamp % 1000:03d}.parquet"
    return f"{table_folder(folder, shape.schema, shape.table)}{day}{name}"


def commit_text(micros: int) -> str:
    """The TimestampColumnName column's text: `yyyy-MM-dd HH:mm:ss.SSSSSS`, UTC."""
    return f"{datetime.fromtimestamp(micros // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}.{micros % 1_000_000:06d}"


def bronze_schema(shape: Shape, task: Task) -> pa.Schema:
    """Op, the table's columns, the key's before-image, the commit time, then what mappings add."""
    import pyarrow as pa

    fields = [pa.field(OP, pa.string())]
    fields += [pa.field(column.name, arrow_type(column.kind)) for column in shape.columns]
    fields += [
        pa.field(f"{task.before_prefix}{shape.columns[i].name}", arrow_type(shape.columns[i].kind))
        for i in before_columns(shape, task)
    ]
    if task.timestamp_column:
        fields.append(pa.field(task.timestamp_column, pa.string()))
    added = task.sequence_columns(shape.schema, shape.table)
    return pa.schema([*fields, *(pa.field(name, pa.string()) for name in added)])


def open_writer(path: Path, schema: pa.Schema, task: Task) -> pq.ParquetWriter:
    """A Parquet file to write; where the endpoint asks for milliseconds, moments are cut to them, as DMS does."""
    import pyarrow.parquet as pq

    cut = {"coerce_timestamps": "ms", "allow_truncated_timestamps": True} if task.milliseconds else {}
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, **cut)


def before_columns(shape: Shape, task: Task) -> tuple[int, ...]:
    """Indexes of the columns with a before-image: the key's, when the mapping asks for `pk-only`."""
    if not task.has_before(shape.schema, shape.table):
        return ()
    return shape.key if task.before_key_only else tuple(range(len(shape.columns)))


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Makes a file's bytes durable."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
