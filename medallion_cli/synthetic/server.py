"""The source server as operations of the Lambda: bootstrap, heartbeat, position, settings, counts,
one row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pymysql

from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.synthetic import ledger
from medallion_cli.synthetic.connection import (
    Credentials,
    Cursor,
    connect,
    is_mariadb,
    quoted,
    scalar,
    secret,
    source,
    source_credentials,
)
from medallion_cli.synthetic.seeding import Event, Project, Result

BINLOG_HOURS = 72
NO_PROCEDURE = (1305, 1049, 1370)
SETTINGS = (
    "version", "log_bin", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_checksum",
    "binlog_expire_logs_seconds", "expire_logs_days", "binlog_transaction_compression", "log_bin_compress",
    "local_infile", "time_zone", "system_time_zone", "sql_mode", "require_secure_transport", "server_id",
    "character_set_server", "max_allowed_packet",
)  # fmt: skip


def bootstrap(project: Project, event: Event) -> Result:
    """Schema, tables, ledgers, replication user, binlog retention; safe to repeat, it changes no row."""
    with source() as connection, connection.cursor() as cursor:
        schema = quoted(project.schema)
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {schema}")
        cursor.execute("SET SESSION foreign_key_checks = 0, sql_notes = 0")
        for statement in statements(project.ddl):
            _created(cursor, statement)
        for statement in ledger.DDL:
            cursor.execute(statement)
        user = _replication_user(cursor, project.schema)
        retention = _binlog_retention(cursor)
        connection.commit()
        tables = sorted(project.facts(cursor))
    return {
        "schema": project.schema,
        "tables": tables,
        "replication_user": user,
        "binlog_retention_hours": retention,
    }


TABLE_EXISTS = 1050


def _created(cursor: Cursor, statement: str) -> None:
    try:
        cursor.execute(statement)
    except pymysql.err.OperationalError as error:
        if error.args[0] != TABLE_EXISTS:
            raise MedallionError(f"source DDL: {error.args[1]}", hint="medallion validate") from error


_TOKENS = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|/\*.*?\*/|(?:--[ \t]|#)[^\n]*|--\n|;|.", re.DOTALL
)


def statements(script: str) -> Iterator[str]:
    """The statements of an SQL script, comments left out; a semicolon in a literal doesn't end one."""
    parts: list[str] = []
    for token in _TOKENS.findall(script):
        if token == ";":
            yield from _whole(parts)
            parts = []
        elif not token.startswith(("--", "#")) and not token.startswith("/*"):
            parts.append(token)
    yield from _whole(parts)


def _whole(parts: Sequence[str]) -> Iterator[str]:
    text = "".join(parts).strip()
    if text:
        yield text


def _replication_user(cursor: Cursor, schema: str) -> str | None:
    arn = os.environ.get("REPLICATION_SECRET_ARN")
    if not arn:
        return None
    user = secret(arn)
    account = (user.username, user.password)
    cursor.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", account)
    cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", account)
    cursor.execute("GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO %s@'%%'", account[:1])
    for name in (schema, ledger.SCHEMA):
        cursor.execute(f"GRANT SELECT ON {quoted(name)}.* TO %s@'%%'", account[:1])
    return user.username


def _binlog_retention(cursor: Cursor) -> int | None:
    """RDS purges the binlog as soon as it can unless told; its procedure doesn't exist elsewhere."""
    try:
        cursor.execute("CALL mysql.rds_set_configuration('binlog retention hours', %s)", (BINLOG_HOURS,))
    except (pymysql.err.OperationalError, pymysql.err.ProgrammingError) as error:
        if error.args[0] in NO_PROCEDURE:
            return None
        raise
    return BINLOG_HOURS


def heartbeat(project: Project, event: Event) -> Result:
    """Write a heartbeat row with {token} → {id, written_at}."""
    with source() as connection, connection.cursor() as cursor:
        found = beat(cursor, str(event["token"]))
        connection.commit()
    return found


def beat(cursor: Cursor, token: str) -> Result:
    """Writes a heartbeat row, not committed: {id, token, written_at}."""
    cursor.execute("INSERT INTO medallion.heartbeat (token, written_at) VALUES (%s, NOW(6))", (token,))
    number = int(cursor.lastrowid)
    written_at = scalar(cursor, "SELECT written_at FROM medallion.heartbeat WHERE id = %s", (number,))
    return {"id": number, "token": token, "written_at": written_at}


def position(project: Project, event: Event) -> Result:
    """The end of the binlog now: {file, pos}."""
    with source() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW MASTER STATUS" if is_mariadb(cursor) else "SHOW BINARY LOG STATUS")
        row = cursor.fetchone()
    if row is None:
        raise MedallionError("the source writes no binary log", hint="medallion up")
    return {"file": row[0], "pos": int(row[1])}


def binlogs(project: Project, event: Event) -> Result:
    """The binary log files that the server still has, oldest first: {files: [name]}."""
    with source() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW BINARY LOGS")
        return {"files": [str(row[0]) for row in cursor.fetchall()]}


def settings(project: Project, event: Event) -> Result:
    """The server variables that replication depends on, by name; absent ones are left out."""
    marks = ", ".join(["%s"] * len(SETTINGS))
    with source() as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({marks})", SETTINGS)
        found = {str(name): value for name, value in cursor.fetchall()}
        with suppress(pymysql.err.OperationalError, pymysql.err.ProgrammingError):
            cursor.execute("SELECT name, value FROM mysql.rds_configuration")
            found.update({str(name): value for name, value in cursor.fetchall()})
    return {"settings": found}


def counts(project: Project, event: Event) -> Result:
    """Rows of each table: {tables: {name: rows}}."""
    with source(project.schema) as connection, connection.cursor() as cursor:
        return {"tables": ledger.counts(cursor, project.schema, project.facts(cursor))}


def tables(project: Project, names: Sequence[str] | None) -> list[Mapping[str, Any]]:
    """Entries of the named tables of the pipeline, all of them by default; UsageError for an unknown one."""
    known = {table["name"]: table for table in project.pipeline["tables"]}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UsageError(f"no table {unknown[0]} in the pipeline")
    return [known[name] for name in names or known]


def relation(project: Project, table: str) -> str:
    """A table's quoted full name."""
    return f"{quoted(project.schema)}.{quoted(table)}"


def row(project: Project, event: Event) -> Result:
    """One row of {table} by {key: {column: value}} as texts (binary as hexadecimal): {row: {…} or null}."""
    table = tables(project, [str(event["table"])])[0]
    key, wanted = list(table["key"]), dict(event["key"])
    if sorted(key) != sorted(wanted):
        raise UsageError(f"{table['name']}: the key is {', '.join(key)}")
    condition = " AND ".join(f"{quoted(name)} = %s" for name in key)
    with source() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM {relation(project, table['name'])} WHERE {condition}",
            [wanted[name] for name in key],
        )
        found = cursor.fetchone()
        names = [column[0] for column in cursor.description]
    texts = [value.hex().upper() if isinstance(value, bytes) else value for value in found or ()]
    return {"row": dict(zip(names, texts, strict=True)) if found else None}


def reachable(project: Project, event: Event) -> Result:
    """Whether the source, and the replication user at it, can be reached: {source: version, replication_user:
    bool}.
    """
    with source() as connection, connection.cursor() as cursor:
        version = scalar(cursor, "SELECT VERSION()")
    return {"source": version, "replication_user": _replication_works()}


def health(project: Project, event: Event) -> Result:
    """What `status` asks, at one go: that of `reachable`, of `settings`, and of `binlogs` where a binary log is written."""
    found = {**reachable(project, event), **settings(project, event), "files": []}
    with suppress(pymysql.err.OperationalError, pymysql.err.ProgrammingError):
        found |= binlogs(project, event)
    return found


def _replication_works() -> bool:
    arn, own = os.environ.get("REPLICATION_SECRET_ARN"), source_credentials()
    if not arn:
        return False
    user = secret(arn)
    try:
        connect(Credentials(user.username, user.password, user.host or own.host, user.port)).close()
    except MedallionError:
        return False
    return True
