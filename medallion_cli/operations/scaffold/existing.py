"""Somebody's MySQL or MariaDB, read as it is: tables, columns, keys, references, volumes. Nothing is written there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit

from medallion_cli.errors import MedallionError, UsageError

if TYPE_CHECKING:
    import pymysql

PASSWORDS = ("MEDALLION_MYSQL_PASSWORD", "MYSQL_PWD")
EXAMPLE = "mysql://user@host:3306/database"
OPTIONS = ("socket", "ssl_ca")


@dataclass(frozen=True)
class Address:
    """Where a database is; never its password."""

    user: str
    host: str
    port: int
    database: str
    socket: str | None = None
    ssl_ca: str | None = None

    @property
    def url(self) -> str:
        """As it is typed."""
        given = [(name, quote(getattr(self, name))) for name in OPTIONS if getattr(self, name)]
        query = "?" + "&".join(f"{name}={value}" for name, value in given) if given else ""
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        return f"mysql://{user}@{self.host}:{self.port}/{database}{query}"


@dataclass(frozen=True)
class Column:
    """A column as information_schema has it; `default` is SQL."""

    name: str
    type: str
    nullable: bool
    default: str | None
    charset: str | None
    collation: str | None
    extra: str
    generated: str | None


@dataclass(frozen=True)
class Reference:
    """A foreign key."""

    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True)
class Existing:
    """A table; `rows` and `bytes` are the server's estimates, `prefixed` keys cover only the head of a text."""

    name: str
    engine: str
    rows: int
    bytes: int
    columns: tuple[Column, ...]
    keys: dict[str, tuple[str, ...]]
    prefixed: frozenset[str]
    references: tuple[Reference, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Its primary key; empty without one."""
        return self.keys.get("PRIMARY", ())


@dataclass(frozen=True)
class Catalogue:
    """A database; `server` says what and which version it is."""

    database: str
    server: str
    time_zone: str
    tables: tuple[Existing, ...]
    views: tuple[str, ...]


def parse_url(text: str) -> Address:
    """`mysql://user@host:port/database`; UsageError for a password in it, which a process list would show."""
    parts = urlsplit(text)
    if parts.scheme not in ("mysql", "mariadb") or not parts.path.strip("/"):
        raise UsageError(f"{_without_password(text)} is not a database's URL", hint=EXAMPLE)
    if parts.password is not None:
        raise UsageError(
            "a password in a URL is seen by everybody on this machine",
            hint=f"leave it out: it is asked for, or set {PASSWORDS[1]}",
        )
    options = parse_qs(parts.query)
    if unknown := [name for name in options if name not in OPTIONS]:
        raise UsageError(f"{unknown[0]} in the URL", hint=f"known: {', '.join(OPTIONS)}")
    try:
        port = parts.port or 3306
    except ValueError:
        raise UsageError(f"{text}: no such port", hint=EXAMPLE) from None
    given = {name: values[0] for name, values in options.items()}
    user, database = unquote(parts.username or "root"), unquote(parts.path.strip("/"))
    return Address(user, parts.hostname or "127.0.0.1", port, database, **given)


def _without_password(text: str) -> str:
    return re.sub(r":[^:@/]*@", ":…@", text)


def password(ask: Callable[[str], str] | None, address: Address) -> str:
    """From the environment, else asked for; nothing where nobody can be asked."""
    given = next((os.environ[name] for name in PASSWORDS if name in os.environ), None)
    if given is not None:
        return given
    return ask(f"Password of {address.user} at {address.host}") if ask else ""


@contextmanager
def connected(address: Address, secret: str) -> Iterator[pymysql.Connection[Any]]:
    """A read-only connection in UTC whose values are MySQL's own texts. MedallionError when it is refused."""
    import pymysql
    from pymysql.converters import encoders

    try:
        connection = pymysql.connect(
            host=address.host, port=address.port, user=address.user, password=secret, database=address.database,
            unix_socket=address.socket, ssl_ca=address.ssl_ca, charset="utf8mb4", connect_timeout=10,
            conv=cast(Any, dict(encoders)), init_command="SET SESSION time_zone = '+00:00', sql_quote_show_create = 1",
        )  # fmt: skip
    except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
        raise MedallionError(f"{address.url}: {error.args[-1]}", hint=_hint(error)) from None
    try:
        with connection.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield connection
    except pymysql.err.MySQLError as error:
        raise MedallionError(f"{address.url}: {error.args[-1]}", hint="the same command again") from None
    finally:
        connection.close()


def _hint(error: Exception) -> str:
    if error.args[0] in (1044, 1045):
        return f"is {PASSWORDS[1]} set to the user's password?"
    return "is the server there, and may this machine reach it?"


def read(address: Address, secret: str) -> Catalogue:
    """Everything that a project is made of."""
    with connected(address, secret) as connection, connection.cursor() as cursor:
        ask = _Questions(cursor, address.database)
        columns, keys, prefixed, references = ask.columns(), *ask.keys(), ask.references()
        tables = tuple(
            Existing(
                name, engine or "", int(rows or 0), int(size or 0), tuple(columns.get(name, ())),
                keys.get(name, {}), frozenset(prefixed.get(name, ())), tuple(references.get(name, ())),
            )
            for name, engine, rows, size in ask.tables("BASE TABLE")
        )  # fmt: skip
        views = tuple(name for name, *_ in ask.tables("VIEW"))
        return Catalogue(address.database, ask.server, ask.time_zone, tables, views)


class _Questions:
    """What information_schema is asked; names of its columns are in capitals on MySQL 8, so they are aliased away."""

    def __init__(self, cursor: Any, database: str) -> None:
        self.cursor, self.database = cursor, database
        ((version, comment, zone, system),) = self._all(
            "SELECT VERSION(), @@version_comment, @@global.time_zone, @@system_time_zone"
        )
        self.is_mariadb = "mariadb" in f"{version} {comment}".lower()
        self.server = f"{'MariaDB' if self.is_mariadb else 'MySQL'} {version.split('-')[0]}"
        self.time_zone = system if zone == "SYSTEM" else zone

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        self.cursor.execute(sql, values)
        return list(self.cursor.fetchall())

    def tables(self, kind: str) -> list[tuple[Any, ...]]:
        return self._all(
            "SELECT TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES "
            "WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = %s ORDER BY TABLE_NAME",
            self.database, kind,
        )  # fmt: skip

    def columns(self) -> dict[str, list[Column]]:
        found: dict[str, list[Column]] = {}
        jsons = self._json_columns() if self.is_mariadb else set()
        rows = self._all(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, CHARACTER_SET_NAME, "
            "COLLATION_NAME, EXTRA, GENERATION_EXPRESSION FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = %s ORDER BY TABLE_NAME, ORDINAL_POSITION",
            self.database,
        )
        for table, name, kind, nullable, default, charset, collation, extra, generated in rows:
            kind = "json" if (table, name) in jsons else kind
            sql = default if self.is_mariadb else _mysql_default(kind, default, extra)
            column = Column(name, kind, nullable == "YES", sql, charset, collation, extra, generated or None)
            found.setdefault(table, []).append(column)
        return found

    def _json_columns(self) -> set[tuple[str, str]]:
        """MariaDB calls JSON longtext; what it checks tells."""
        rows = self._all(
            "SELECT TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = %s",
            self.database,
        )
        matches = ((table, re.fullmatch(r"json_valid\(`(.+)`\)", clause)) for table, clause in rows)
        return {(table, match[1]) for table, match in matches if match}

    def keys(self) -> tuple[dict[str, dict[str, tuple[str, ...]]], dict[str, list[str]]]:
        """(unique keys, names of those that cover only the head of a column), by table."""
        rows = self._all(
            "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS "
            "WHERE TABLE_SCHEMA = %s AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
            self.database,
        )
        keys: dict[str, dict[str, tuple[str, ...]]] = {}
        prefixed: dict[str, list[str]] = {}
        for table, index, column, part in rows:
            if part is not None or column is None:  # a prefix, or an expression
                prefixed.setdefault(table, []).append(index)
            own = keys.setdefault(table, {})
            own[index] = (*own.get(index, ()), column or "")
        return keys, prefixed

    def references(self) -> dict[str, list[Reference]]:
        rows = self._all(
            "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME "
            "FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = %s AND REFERENCED_TABLE_SCHEMA = %s "
            "ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
            self.database, self.database,
        )  # fmt: skip
        parts: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        for table, constraint, column, other, referenced in rows:
            parts.setdefault((table, constraint), []).append((column, other, referenced))
        found: dict[str, list[Reference]] = {}
        for (table, _), each in parts.items():
            key = Reference(tuple(p[0] for p in each), each[0][1], tuple(p[2] for p in each))
            found.setdefault(table, []).append(key)
        return found


def _mysql_default(kind: str, default: str | None, extra: str) -> str | None:
    """MySQL keeps a literal without its quotes; MariaDB keeps SQL."""
    if default is None or re.fullmatch(r"(?i)current_timestamp(\(\d*\))?|b'[01]+'", default):
        return default
    if "DEFAULT_GENERATED" in extra.upper():
        return f"({default})"
    is_number = re.match(r"(?i)(tiny|small|medium|big)?int|decimal|float|double|bit|year", kind)
    return default if is_number else "'" + default.replace("\\", "\\\\").replace("'", "''") + "'"
