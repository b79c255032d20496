"""Batches of changes as DMS-shaped Parquet: staged outside the bucket, then published whole.

Nothing of a batch is visible before the checkpoint that ends it is on disk; the checkpoint names the renames
that publish it, so a kill at any moment leaves either no trace of the batch or all of it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.replication import layout
from medallion_cli.local.replication.columns import Shape, arrow_type, decimal_size

if TYPE_CHECKING:
    import pyarrow as pa

    from medallion_cli.local.replication.binlog import Rows
    from medallion_cli.local.replication.task import Task

HEARTBEAT = "medallion.heartbeat"
_CHUNK_ROWS = 50_000
_ORDINALS: list[str] = []


@dataclass
class Counts:
    """Changes of one table in a batch."""

    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    last: int = 0  # commit of the newest, microseconds


@dataclass
class Batch:
    """The changes since the last checkpoint, by table shape; `size` in bytes of binlog.

    `name` starts its staged files' names and is used once: the checkpoint may still name an older batch's.
    """

    task: Task
    staging: Path
    name: str
    files: dict[Shape, _File] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    size: int = 0
    rows: int = 0

    def add(self, rows: Rows) -> None:
        """Takes the rows of one event."""
        shape = rows.table.shape
        file = self.files.get(shape)
        if file is None:
            name = f"{self.name}-{len(self.files):04d}.parquet"
            file = self.files[shape] = _File(shape, self.task, self.staging / name)
        file.add(rows)
        self.size += rows.size
        self.rows += len(rows.images)
        counts = self.counts.setdefault(shape.name, Counts())
        counts.last = rows.micros
        match rows.op:
            case "I" | "":  # "": an insert that a simulation writes with a null Op
                counts.inserts += len(rows.images)
            case "U":
                counts.updates += len(rows.images)
            case _:
                counts.deletes += len(rows.images)

    def close(self, newest: int, previous: int) -> tuple[list[tuple[str, str]], int]:
        """Ends the batch's files durably: ((staged name, key) in publishing order, the last stamp used).

        Names are the commit time of the batch's end (`newest`, ms), pushed past `previous` so that they never
        repeat; a table whose shape changed in the batch has a file for each shape, a millisecond apart.
        """
        base = last = max(newest, previous + 1)
        seen: dict[str, int] = {}
        out: list[tuple[bool, str, str]] = []
        for shape, file in self.files.items():
            stamp = base + seen.get(shape.name, 0)
            seen[shape.name] = seen.get(shape.name, 0) + 1
            last = max(last, stamp)
            file.close()
            key = layout.change_path(self.task.folder, shape, stamp, self.task.partitioned)
            out.append((shape.name == HEARTBEAT, key, file.path.name))
        self.files = {}  # they are the checkpoint's now: what fails from here on must not take them away
        # The heartbeat last: who sees the marker sees everything that was committed before it.
        return [(name, key) for _, key, name in sorted(out)], last

    def discard(self) -> None:
        """Forgets the batch, unless it is closed."""
        for file in self.files.values():
            file.abandon()


class _File:
    """One table's changes on their way to one Parquet file."""

    def __init__(self, shape: Shape, task: Task, path: Path) -> None:
        self.path = path
        self._shape = shape
        self._task = task
        self._schema = layout.bronze_schema(shape, task)
        self._before = layout.before_columns(shape, task)
        self._events: list[Rows] = []
        self._rows = 0
        self._writer: Any = None

    def add(self, rows: Rows) -> None:
        self._events.append(rows)
        self._rows += len(rows.images)
        if self._rows >= _CHUNK_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        layout.sync_file(self.path)

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._events:
            return
        if self._writer is None:
            self._writer = layout.open_writer(self.path, self._schema, self._task)
        self._writer.write_table(pa.table(self._arrays(), schema=self._schema))
        self._events, self._rows = [], 0

    def _arrays(self) -> list[pa.Array]:
        import pyarrow as pa

        events, columns = self._events, self._shape.columns
        values = list(zip(*(image for event in events for image in event.images), strict=True))
        out = [_each(event.op or None for event in events for _ in event.images)]
        out += [array_of(column.kind, value) for column, value in zip(columns, values, strict=True)]
        out += self._before_arrays()
        if self._task.timestamp_column:
            texts = {event.micros: layout.commit_text(event.micros) for event in events}
            out.append(_each(texts[event.micros] for event in events for _ in event.images))
        if len(out) < len(self._schema):
            sequence = pa.array([text for event in events for text in sequences(event)], pa.string())
            out += [sequence] * (len(self._schema) - len(out))
        return out

    def _before_arrays(self) -> list[pa.Array]:
        if not self._before:
            return []
        nothing = (None,) * len(self._shape.columns)
        olds = [old for e in self._events for old in (e.befores or itertools.repeat(nothing, len(e.images)))]
        return [array_of(self._shape.columns[i].kind, [old[i] for old in olds]) for i in self._before]


def _each(values: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(list(values), pa.string())


def sequences(rows: Rows) -> list[str]:
    """The change sequence of each row: file number, event position, row in the event.

    35 digits, sorts as text.
    """
    while len(_ORDINALS) < len(rows.images):
        _ORDINALS.append(f"{len(_ORDINALS) + 1:07d}")
    prefix = f"{rows.at.file:016d}{rows.at.offset:012d}"
    return [prefix + ordinal for ordinal in _ORDINALS[: len(rows.images)]]


def array_of(kind: str, values: Any) -> pa.Array:
    """Decoded values (see decoder) as an Arrow array of the kind's type."""
    import pyarrow as pa

    match kind:
        case "string":
            return pa.array(values, pa.binary()).cast(pa.string())
        case "timestamp":
            return pa.array(values, pa.int64()).cast(pa.timestamp("us"))
        case "date":
            return pa.array(values, pa.int32()).cast(pa.date32())
    return _decimals(kind, values) if kind.startswith("decimal") else pa.array(values, arrow_type(kind))


def _decimals(kind: str, values: Any) -> pa.Array:
    """Unscaled integers become decimals by giving the same 128 bits their scale: no object a value."""
    from decimal import Decimal

    import pyarrow as pa

    precision, scale = decimal_size(kind)
    if precision <= 18:
        whole = pa.array(values, pa.int64()).cast(pa.decimal128(19, 0))
    else:
        whole = pa.array([None if v is None else Decimal(v) for v in values], pa.decimal128(38, 0))
    return pa.Array.from_buffers(
        pa.decimal128(precision, scale), len(whole), whole.buffers(), whole.null_count
    )
