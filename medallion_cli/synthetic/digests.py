"""Checksums as operations of the Lambda: of whole tables, of buckets of keys, and of the rows in some buckets.

Each is exact at a heartbeat: writers are locked out while its row is written and a snapshot of everything before it
opens. Buckets are named by hexadecimal digits; no text of a request becomes SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from medallion_cli.canonical import cells_select, checksum_select, digests_select
from medallion_cli.errors import UsageError
from medallion_cli.synthetic import server
from medallion_cli.synthetic.connection import Connection, source
from medallion_cli.synthetic.seeding import Event, Project, Result

DIGITS = 16  # of a bucket, at most
ROWS = 50_000  # of one answer, which Lambda holds to 6 MB
LOCK_SECONDS = 60


def checksums(project: Project, event: Event) -> Result:
    """Rows and checksum of {tables} (default all) at a heartbeat with {token}."""
    tables = server.tables(project, event.get("tables"))
    with _snapshot(project, tables, str(event["token"])) as (reader, beat):
        found = {table["name"]: _checksum(reader, project, table) for table in tables}
    return {"heartbeat": beat["id"], "written_at": beat["written_at"], "tables": found}


def _checksum(connection: Connection, project: Project, table: Mapping[str, Any]) -> Result:
    relation = server.relation(project, table["name"])
    with connection.cursor() as cursor:
        cursor.execute(checksum_select("mysql", relation, _texts(table)))
        rows, checksum = cursor.fetchone()
    return {"rows": int(rows), "checksum": checksum}


def digests(project: Project, event: Event) -> Result:
    """Checksums of {table} by buckets of {digits}, within {prefixes} (none: all), at a heartbeat with {token}."""
    (table,) = server.tables(project, [str(event["table"])])
    digits = int(event["digits"])
    if not 1 <= digits <= DIGITS:
        raise UsageError(f"digests: 1 to {DIGITS} digits, not {digits}")
    relation, prefixes = server.relation(project, table["name"]), _prefixes(event)
    sql = digests_select("mysql", relation, _texts(table, table["key"]), _texts(table), digits, prefixes)
    with _snapshot(project, [table], str(event["token"])) as (reader, beat), reader.cursor() as cursor:
        cursor.execute(sql)
        found = {str(name): str(checksum) for name, checksum in cursor.fetchall()}
    return {"heartbeat": beat["id"], "written_at": beat["written_at"], "digests": found}


def cells(project: Project, event: Event) -> Result:
    """Key texts and column hashes of the rows of {table} in {prefixes}, at a heartbeat: {rows: [[[key…], hashes]…]}.

    UsageError when there are more than one answer holds.
    """
    (table,) = server.tables(project, [str(event["table"])])
    relation, prefixes = server.relation(project, table["name"]), _prefixes(event)
    sql = cells_select("mysql", relation, _texts(table, table["key"]), _texts(table), prefixes)
    with _snapshot(project, [table], str(event["token"])) as (reader, beat), reader.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {ROWS + 1}")
        rows = [[list(row[:-1]), row[-1]] for row in cursor.fetchall()]
    if len(rows) > ROWS:
        raise UsageError(f"cells: more than {ROWS} rows of {table['name']}; ask for fewer buckets")
    return {"heartbeat": beat["id"], "written_at": beat["written_at"], "rows": rows}


@contextmanager
def _snapshot(
    project: Project, tables: Sequence[Mapping[str, Any]], token: str
) -> Iterator[tuple[Connection, Result]]:
    """A connection that sees the tables as they were at a heartbeat, and that heartbeat."""
    locks = ", ".join(f"{server.relation(project, table['name'])} READ" for table in tables)
    with source() as writer, source() as reader:
        with writer.cursor() as cursor, reader.cursor() as other:
            cursor.execute(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
            cursor.execute("SET SESSION autocommit = 1")
            cursor.execute(f"LOCK TABLES medallion.heartbeat WRITE, {locks}")
            beat = server.beat(cursor, token)
            other.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            other.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            cursor.execute("UNLOCK TABLES")
        yield reader, beat


def _texts(table: Mapping[str, Any], names: Sequence[str] | None = None) -> list[str]:
    """Canonical texts of all columns, or of the named ones in their order."""
    known = {column["name"]: column["canonical"]["mysql"] for column in table["columns"]}
    return [known[name] for name in names] if names is not None else list(known.values())


def _prefixes(event: Event) -> list[str]:
    found = [str(prefix) for prefix in event.get("prefixes") or ()]
    if len({len(prefix) for prefix in found}) > 1 or not all(re.fullmatch("[0-9a-f]*", p) for p in found):
        raise UsageError("prefixes are hexadecimal digits, all of one length")
    return found
