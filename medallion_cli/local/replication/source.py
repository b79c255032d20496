"""Connections to the source: the one place that knows the driver, its errors and MySQL's result packets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.local.replication.columns import Column, Shape, kind_of
from medallion_cli.local.replication.faults import BinlogLost, Refused, ReplicationFault, SourceLost

if TYPE_CHECKING:
    import pymysql

_LOST = {1053, 1040, 1077, 1079, 1080, 1184, 1927, 2002, 2003, 2006, 2013, 2014}  # trying again may help
# The table was altered or dropped since the snapshot, or since its columns were asked for: the next attempt sees it whole.
_ALTERED = {1412, 1054, 1146}
_REFUSED = (1045, 1698)  # ER_ACCESS_DENIED_ERROR, and without a password
_BINLOG_LOST = 1236  # ER_MASTER_FATAL_ERROR_READING_BINLOG
_CHUNK = 1 << 20
_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")


@dataclass(frozen=True, order=True)
class Position:
    """A place in the binlog: the file's number, and the offset after an event."""

    file: int
    offset: int


@dataclass(frozen=True)
class Source:
    """How to reach the source; `password` never leaves the process."""

    host: str
    port: int
    user: str
    password: str

    def connect(self, **options: Any) -> pymysql.connections.Connection[Any]:
        """A connection in UTC and utf8mb4; SourceLost when nobody answers."""
        import pymysql

        settings: dict[str, Any] = {
            "charset": "utf8mb4",
            "connect_timeout": 10,
            "read_timeout": 600,
            **options,
        }
        with translated():
            return pymysql.connect(
                host=self.host, port=self.port, user=self.user, password=self.password,
                init_command="SET time_zone = '+00:00', net_write_timeout = 3600", autocommit=True,
                **settings,
            )  # fmt: skip


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors to this package's."""
    import pymysql

    try:
        yield
    except pymysql.err.MySQLError as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1] if len(error.args) > 1 else error)
        if code == _BINLOG_LOST:
            raise BinlogLost(f"the binlog position is not available any more: {text}") from error
        if code in _REFUSED:
            raise Refused(f"source: {text} ({code})") from error
        lost = code in _LOST | _ALTERED or isinstance(error, pymysql.err.InterfaceError) or code == 0
        raise (SourceLost if lost else ReplicationFault)(f"source: {text} ({code})") from error
    except OSError as error:
        raise SourceLost(f"source: {error}") from error


def query(connection: Any, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    with translated(), connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall())


def tables_of(connection: Any) -> list[tuple[str, str]]:
    """(schema, table) of every base table that is not the server's own."""
    return query(
        connection,
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
        f"AND table_schema NOT IN {_SYSTEM} ORDER BY table_schema, table_name",
    )


def shape_of(connection: Any, schema: str, table: str) -> Shape:
    """A table's columns as they are now, virtual ones included, and its primary key."""
    columns = query(
        connection,
        "SELECT column_name, column_type FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        schema, table,
    )  # fmt: skip
    keys = query(
        connection,
        "SELECT column_name FROM information_schema.key_column_usage "
        "WHERE table_schema = %s AND table_name = %s AND constraint_name = 'PRIMARY' "
        "ORDER BY ordinal_position",
        schema, table,
    )  # fmt: skip
    found = tuple(
        Column(name, kind_of(mysql.lower(), f"{schema}.{table}.{name}"), mysql.lower())
        for name, mysql in columns
    )
    names = [column.name for column in found]
    return Shape(schema, table, found, tuple(names.index(key) for (key,) in keys))


def charsets_of(connection: Any) -> dict[int, str]:
    """Character sets by collation id."""
    found = query(
        connection, "SELECT id, character_set_name FROM information_schema.collations WHERE id IS NOT NULL"
    )
    try:  # MariaDB 10.10+: collations that many character sets share have an id for each
        found += query(
            connection,
            "SELECT id, character_set_name FROM information_schema.collation_character_set_applicability",
        )
    except ReplicationFault as error:
        if isinstance(error, SourceLost):
            raise
    return {int(number): charset for number, charset in found if charset}


def current_position(connection: Any) -> Position:
    """Where the binlog ends now."""
    rows = query(connection, "SHOW MASTER STATUS")
    if not rows:
        raise ReplicationFault("the source has no binlog: log_bin is off")
    return Position(file_number(rows[0][0]), int(rows[0][1]))


def binlog_base(connection: Any) -> str:
    """What binlog files are called before the number."""
    rows = query(connection, "SHOW BINARY LOGS")
    if not rows:
        raise ReplicationFault("the source has no binlog: log_bin is off")
    return str(rows[0][0]).rpartition(".")[0]


def file_number(name: str) -> int:
    """`mysql-bin-changelog.000024` → 24."""
    return int(re.search(r"\.(\d+)$", name)[1])  # type: ignore[index]


def text_rows(connection: Any, sql: str) -> Iterator[list[bytes]]:
    """Rows of a one-column SELECT as raw bytes, some hundred kilobytes at a time.

    Walks the packets itself: the driver's own cursor makes an object a row. A NULL or a broken result is an
    error.
    """
    from pymysql.constants import COMMAND

    with translated():
        connection._execute_command(COMMAND.COM_QUERY, sql)
        for _ in range(connection._read_packet().read_length_encoded_integer() + 1):
            connection._read_packet()  # the column, then EOF
        yield from _walk(connection._rfile)


def _walk(stream: Any) -> Iterator[list[bytes]]:
    """Splits the stream into packets of one length-encoded string (MySQL protocol: text resultset row)."""
    buffer, rows, long = b"", [], b""
    while True:
        piece = stream.read1(_CHUNK)
        if not piece:
            raise SourceLost("source: the connection broke while reading a table")
        buffer = buffer + piece if buffer else piece
        at, size = 0, len(buffer)
        while at + 4 <= size:
            length = buffer[at] | buffer[at + 1] << 8 | buffer[at + 2] << 16
            end = at + 4 + length
            if end > size:
                break
            first = buffer[at + 4] if length else 0
            if long or length == 0xFFFFFF:
                long += buffer[at + 4 : end]
                if length < 0xFFFFFF:
                    rows.append(_value(long))
                    long = b""
            elif first < 251:
                rows.append(buffer[at + 5 : end])
            elif first == 0xFE and length < 9:
                yield rows
                return
            else:
                rows.append(_value(buffer[at + 4 : end]))
            at = end
        buffer = buffer[at:]
        yield rows
        rows = []


def _value(packet: bytes) -> bytes:
    first = packet[0]
    if first == 0xFF:
        code, text = int.from_bytes(packet[1:3], "little"), packet[9:].decode(errors="replace")
        raise ReplicationFault(f"source: {text} ({code})")
    if first == 0xFB:
        raise ReplicationFault("source: a row is longer than max_allowed_packet")
    return packet[{252: 3, 253: 4, 254: 9}.get(first, 1) :]
