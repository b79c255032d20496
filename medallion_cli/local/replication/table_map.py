"""TABLE_MAP events: a table's shape as it was when its rows were logged (binlog-row-metadata=FULL).

Layout: log_event.h of MySQL 8 and MariaDB 10.5+, `Table_map_log_event`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.local.replication.columns import Column, Shape
from medallion_cli.local.replication.decoder import Decode, Wire, compile_decoder, real_string, transcoder
from medallion_cli.local.replication.faults import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_META_BYTES = {1: 0, 2: 0, 3: 0, 8: 0, 9: 0, 10: 0, 13: 0, 14: 0} | dict.fromkeys(
    (4, 5, 17, 18, 19, 252, 255), 1
)
_META_BYTES |= dict.fromkeys((15, 16, 246, 253, 254), 2)
_NUMERIC = {1, 2, 3, 4, 5, 8, 9, 13, 246}
_SIGNEDNESS, _DEFAULT_CHARSET, _CHARSETS, _NAMES, _SETS, _ENUMS = 1, 2, 3, 4, 5, 6
_KEY, _KEY_WITH_PREFIX, _LABEL_DEFAULT, _LABEL_CHARSETS = 8, 9, 10, 11


@dataclass(frozen=True)
class MappedTable:
    """A table's shape and the decoder of its row images."""

    shape: Shape
    decode: Decode


def table_name(event: bytes) -> tuple[str, str]:
    """(schema, table) of a TABLE_MAP event, cheaply: tables that are not selected are read no further."""
    end = 9 + event[8]
    schema = event[9:end].decode()
    start = end + 2
    return schema, event[start : start + event[end + 1]].decode()


def table_map(event: bytes, charsets: Mapping[int, str]) -> MappedTable:
    """Reads a TABLE_MAP event; `charsets` are character sets by collation id.

    Unsupported without full metadata.
    """
    schema, table = table_name(event)
    body = _Reader(event, 9 + len(schema.encode()) + 1 + 1 + len(table.encode()) + 1)
    types = body.take(body.length())
    metas = _metas(types, _Reader(body.take(body.length())), f"{schema}.{table}")
    body.take((len(types) + 7) // 8)
    fields = {}
    while not body.done:
        field = body.take(1)[0]
        fields[field] = body.take(body.length())
    if _NAMES not in fields:
        raise Unsupported(f"{schema}.{table}: binlog_row_metadata must be FULL at the source")
    wires = _wires(types, metas, fields, charsets)
    decode, kinds = compile_decoder(wires)
    columns = tuple(Column(wire.name, kind) for wire, kind in zip(wires, kinds, strict=True))
    return MappedTable(Shape(schema, table, columns, _key(fields)), decode)


class _Reader:
    """Bytes with a position."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self.data = data
        self.at = start

    @property
    def done(self) -> bool:
        return self.at >= len(self.data)

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def length(self) -> int:
        """A length-encoded integer."""
        first = self.take(1)[0]
        return first if first < 251 else int.from_bytes(self.take({252: 2, 253: 3, 254: 8}[first]), "little")

    def lengths(self) -> Iterator[int]:
        while not self.done:
            yield self.length()

    def text(self) -> bytes:
        return self.take(self.length())


def _metas(types: bytes, reader: _Reader, where: str) -> list[bytes]:
    if unknown := set(types) - set(_META_BYTES):
        raise Unsupported(f"{where}: binlog column types {sorted(unknown)} are not supported")
    return [reader.take(_META_BYTES[kind]) for kind in types]


def _wires(
    types: bytes, metas: list[bytes], fields: dict[int, bytes], charsets: Mapping[int, str]
) -> tuple[Wire, ...]:
    names = _strings(fields[_NAMES])
    reals = [real_string(meta)[0] if kind == 254 else kind for kind, meta in zip(types, metas, strict=True)]
    unsigned = _flags(reals, fields.get(_SIGNEDNESS, b""))
    texts = [i for i, real in enumerate(reals) if real in (15, 252, 253, 254)]
    lists = [i for i, real in enumerate(reals) if real in (0xF7, 0xF8)]
    sets = _charsets(texts, fields.get(_DEFAULT_CHARSET), fields.get(_CHARSETS), charsets)
    sets |= _charsets(lists, fields.get(_LABEL_DEFAULT), fields.get(_LABEL_CHARSETS), charsets)
    labels = _labels(reals, 0xF7, fields.get(_ENUMS, b""), sets)
    labels |= _labels(reals, 0xF8, fields.get(_SETS, b""), sets)
    return tuple(
        Wire(
            names[i].decode(),
            kind,
            metas[i],
            unsigned.get(i, False),
            sets.get(i, "binary"),
            labels.get(i, ()),
        )
        for i, kind in enumerate(types)
    )


def _flags(reals: list[int], bits: bytes) -> dict[int, bool]:
    """Signedness: one bit a numeric column, the highest first."""
    numeric = [index for index, real in enumerate(reals) if real in _NUMERIC]
    return {c: bool(bits[i // 8] & 0x80 >> i % 8) for i, c in enumerate(numeric) if i // 8 < len(bits)}


def _charsets(
    columns: list[int], default: bytes | None, each: bytes | None, charsets: Mapping[int, str]
) -> dict[int, str]:
    """Character set by column: a default with exceptions by ordinal, or one for each."""
    if each is not None:
        ids = list(_Reader(each).lengths())
        return {column: charsets[ids[i]] for i, column in enumerate(columns)}
    if default is None:
        return {}
    first, *rest = list(_Reader(default).lengths())
    exceptions = dict(zip(rest[::2], rest[1::2], strict=True))
    return {column: charsets[exceptions.get(i, first)] for i, column in enumerate(columns)}


def _labels(reals: list[int], real: int, data: bytes, sets: dict[int, str]) -> dict[int, tuple[str, ...]]:
    reader, out = _Reader(data), {}
    for column in (index for index, each in enumerate(reals) if each == real):
        found = [reader.text() for _ in range(reader.length())]
        charset = sets.get(column, "utf8mb4")
        codec = transcoder(charset) if charset not in ("utf8mb4", "utf8mb3", "binary") else bytes
        out[column] = tuple(codec(label).decode() for label in found)
    return out


def _strings(data: bytes) -> list[bytes]:
    reader, out = _Reader(data), []
    while not reader.done:
        out.append(reader.text())
    return out


def _key(fields: dict[int, bytes]) -> tuple[int, ...]:
    """Column indexes of the primary key, in the key's order."""
    if _KEY in fields:
        return tuple(_Reader(fields[_KEY]).lengths())
    return tuple(list(_Reader(fields.get(_KEY_WITH_PREFIX, b"")).lengths())[::2])
