"""The source's binlog as a stream of row changes and commits, read as a replica would.

Needs REPLICATION SLAVE only. MariaDB's event layout: 19-byte header, groups opened by a GTID event and closed
by XID or COMMIT; a standalone group is DDL.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.local.replication.faults import SourceLost, Unsupported
from medallion_cli.local.replication.source import (
    Position,
    Source,
    binlog_base,
    charsets_of,
    file_number,
    query,
    translated,
)
from medallion_cli.local.replication.table_map import MappedTable, table_map, table_name

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = struct.Struct(
    "<xIBxxxxxxxxIxx"
)  # OK byte, then timestamp, type, server id, size, end position, flags
_QUERY, _ROTATE, _FORMAT, _XID, _TABLE_MAP, _HEARTBEAT, _GTID = 2, 4, 15, 16, 19, 27, 162
_ROWS = {23: "I", 24: "U", 25: "D", 30: "I", 31: "U", 32: "D"}
_EXTRA = {30, 31, 32}  # version 2 of the rows events has a variable header
_REFUSED = {
    **dict.fromkeys((165, *range(166, 172)), "log_bin_compress must be OFF at the source"),
    38: "XA transactions are not supported",
    39: "partial JSON updates are not supported",
    40: "compressed transactions are not supported",
}
_STANDALONE, _XA = 1, 0x40 | 0x80
_HEARTBEAT_SECONDS = 0.5
_SILENCE_SECONDS = 30
_NAME = r"(?:`?([^`\s.]+)`?\.)?`?([^`\s.(;]+)`?"
_DDL = re.compile(
    r"^\s*(?:/\*.*?\*/\s*)*(TRUNCATE|DROP|RENAME|ALTER|CREATE)\s+(?:(?:OR\s+REPLACE|ONLINE|IGNORE)\s+)*"
    rf"TABLE\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?{_NAME}"
    rf"|^\s*(TRUNCATE)\s+{_NAME}",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Rows:
    """Row images of one event: (before, after) for U, one image otherwise. `at` is the event's end."""

    table: MappedTable
    op: str
    befores: list[tuple[Any, ...]]
    images: list[tuple[Any, ...]]
    at: Position
    micros: int  # of the commit, since 1970
    size: int  # bytes in the binlog


@dataclass(frozen=True)
class Committed:
    """The end of a transaction: the only place a reader may resume from."""

    at: Position
    micros: int


@dataclass(frozen=True)
class Defined:
    """A DDL statement on a table, already committed."""

    verb: str
    schema: str
    table: str
    at: Position
    micros: int


@dataclass(frozen=True)
class Idle:
    """Nothing was logged for half a second."""


Change = Rows | Committed | Defined | Idle


def changes(
    source: Source, start: Position, replica: int, selects: Callable[[str, str], bool]
) -> Iterator[Change]:
    """Everything logged after `start`, for ever.

    SourceLost when the server goes, BinlogLost when it has purged it.
    """
    connection: Any = source.connect(read_timeout=_SILENCE_SECONDS)
    try:
        charsets = charsets_of(connection)
        ((checksum,),) = query(connection, "SELECT @@global.binlog_checksum")
        with translated():
            _dump(connection, start, replica)
        yield from _Reading(start, charsets, selects, checksum).items(connection)
    finally:
        connection._force_close()


def _dump(connection: Any, start: Position, replica: int) -> None:
    from pymysql.constants import COMMAND

    query(connection, "SET @master_binlog_checksum = @@global.binlog_checksum, @mariadb_slave_capability = 4")
    query(connection, f"SET @master_heartbeat_period = {int(_HEARTBEAT_SECONDS * 1e9)}")
    name = f"{binlog_base(connection)}.{start.file:06d}".encode()
    connection._execute_command(COMMAND.COM_BINLOG_DUMP, struct.pack("<IHI", start.offset, 0, replica) + name)


class _Reading:
    """The state between events: the file, the open transaction and the tables mapped in it."""

    def __init__(
        self, start: Position, charsets: dict[int, str], selects: Callable[[str, str], bool], checksum: str
    ) -> None:
        self.file = start.file
        self.charsets = charsets
        self.selects = selects
        self.tables: dict[bytes, MappedTable | None] = {}
        # By the event's own bytes: a decoder is compiled once a shape.
        self.mapped: dict[bytes, MappedTable] = {}
        self.micros = 0
        self.standalone = False
        self.tail = 4 if checksum != "NONE" else 0  # bytes of checksum after an event

    def items(self, connection: Any) -> Iterator[Change]:
        while True:
            with translated():
                data = connection._read_packet()._data
            if data[0] == 0xFE:
                raise SourceLost("source: the server closed the binlog stream")
            timestamp, kind, end = _HEADER.unpack_from(data)
            if kind == _FORMAT:
                self.tail = 4 * data[-5]  # the checksum algorithm of this file's events: 0 or 1
            data = data[: len(data) - self.tail]
            if kind in _ROWS:
                table = self.tables.get(data[20:26])
                if table is not None:
                    yield self._rows(table, kind, data, end)
            elif kind == _TABLE_MAP:
                self._map(data)
            elif (item := self._control(kind, data, timestamp, end)) is not None:
                yield item

    def _control(self, kind: int, data: bytes, timestamp: int, end: int) -> Change | None:
        """What an event that carries no rows means; most mean nothing."""
        if kind == _GTID:
            self._begin(data, timestamp)
        elif kind == _XID:
            return Committed(Position(self.file, end), self.micros)
        elif kind == _QUERY:
            return self._query(data, end)
        elif kind == _ROTATE:
            self.file = file_number(data[28:].decode())
            self.tables.clear()
        elif kind == _HEARTBEAT:
            return Idle()
        elif kind in _REFUSED:
            raise Unsupported(_REFUSED[kind])
        return None

    def _begin(self, data: bytes, timestamp: int) -> None:
        flags = data[32]
        if flags & _XA:
            raise Unsupported("XA transactions are not supported")
        self.standalone = bool(flags & _STANDALONE)
        self.micros = timestamp * 1_000_000
        self.tables.clear()

    def _map(self, data: bytes) -> None:
        event = data[20:]
        if not self.selects(*table_name(event)):
            self.tables[event[:6]] = None
            return
        shape = event[8:]
        if shape not in self.mapped:
            self.mapped[shape] = table_map(event, self.charsets)
        self.tables[event[:6]] = self.mapped[shape]

    def _rows(self, table: MappedTable, kind: int, data: bytes, end: int) -> Rows:
        at = 28 if kind not in _EXTRA else 28 + int.from_bytes(data[28:30], "little")
        count, at = _length(data, at)
        masks = 2 if _ROWS[kind] == "U" else 1
        width = (count + 7) // 8
        full = ((1 << count) - 1).to_bytes(width, "little")
        if data[at : at + masks * width] != full * masks:
            raise Unsupported(f"{table.shape.name}: binlog_row_image must be FULL at the source")
        images = _images(table, data, at + masks * width)
        befores = images[::2] if masks == 2 else images if _ROWS[kind] == "D" else []
        images = images[1::2] if masks == 2 else images
        return Rows(table, _ROWS[kind], befores, images, Position(self.file, end), self.micros, len(data))

    def _query(self, data: bytes, end: int) -> Change | None:
        schema, statement = query_event(data[20:])
        at = Position(self.file, end)
        if statement == "BEGIN":
            return None
        if statement.upper().startswith("ROLLBACK") and not self.standalone:
            raise Unsupported("a rolled back transaction is in the binlog: it mixed storage engines")
        if statement == "COMMIT" or not (found := _DDL.match(statement)):
            return Committed(at, self.micros) if statement == "COMMIT" or self.standalone else None
        verb, owner, table = found.groups()[:3] if found[1] else found.groups()[3:]
        return Defined(verb.upper(), owner or schema, table, at, self.micros)


def _images(table: MappedTable, data: bytes, at: int) -> list[tuple[Any, ...]]:
    decode, end = table.decode, len(data)
    out = []
    while at < end:
        image, at = decode(data, at)
        out.append(image)
    return out


def query_event(event: bytes) -> tuple[str, str]:
    """(default schema, statement) of a QUERY event's body."""
    length, variables = event[8], int.from_bytes(event[11:13], "little")
    start = 13 + variables
    schema = event[start : start + length].decode()
    return schema, event[start + length + 1 :].decode(errors="replace")


def _length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first < 251:
        return first, at + 1
    width = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width
