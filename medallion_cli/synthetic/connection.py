"""Connections to the source: credentials from Secrets Manager, UTC, strict, every value read as MySQL's own
text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pymysql
from pymysql.constants import CLIENT
from pymysql.converters import encoders

from medallion_cli.errors import MedallionError

SQL_MODE = (
    "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
LOCK = "medallion.source"
DUPLICATE = 1062
LOCAL_INFILE_OFF = (1148, 3948, 4166)

Cursor = Any  # pymysql's cursor: its stubs have no text-only variant
Connection = Any


@dataclass(frozen=True)
class Credentials:
    """A database user as its secret holds it."""

    username: str
    password: str
    host: str
    port: int


def secret(arn: str) -> Credentials:
    """The credentials kept in Secrets Manager under `arn` (username, password, host, port)."""
    import boto3

    document = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return Credentials(
        document["username"], document["password"], document.get("host", ""), int(document.get("port", 3306))
    )


@cache
def source_credentials() -> Credentials:
    """The source's own user, read once in the life of a Lambda process."""
    return secret(os.environ["SECRET_ARN"])


def connect(credentials: Credentials, schema: str | None = None) -> Connection:
    """A connection without autocommit; TLS with the CA bundle that CA_BUNDLE names, else without. MedallionError
    when refused.
    """
    bundle = os.environ.get("CA_BUNDLE")
    try:
        return pymysql.connect(
            host=credentials.host,
            port=credentials.port,
            user=credentials.username,
            password=credentials.password,
            database=schema,
            charset="utf8mb4",
            conv=cast(Any, dict(encoders)),
            local_infile=True,
            client_flag=CLIENT.MULTI_STATEMENTS | CLIENT.FOUND_ROWS,
            connect_timeout=10,
            init_command=f"SET SESSION time_zone = '+00:00', sql_mode = '{SQL_MODE}'",
            ssl_disabled=bundle is None,  # else pymysql reads every certificate of the machine to try TLS
            ssl_ca=bundle,
            ssl_verify_cert=bundle is not None,
            ssl_verify_identity=bundle is not None,
        )
    except pymysql.err.OperationalError as error:
        raise MedallionError(
            f"the source at {credentials.host}:{credentials.port} refused the connection: {error.args[-1]}",
            hint="medallion status",
        ) from error


@contextmanager
def source(schema: str | None = None) -> Iterator[Connection]:
    """A connection to the source that is rolled back and closed at the end."""
    connection = connect(source_credentials(), schema)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def sole_writer(connection: Connection, seconds: int = 30) -> Iterator[None]:
    """Keep other seeds and generators out while this one writes; MedallionError when one is busy for
    `seconds`.
    """
    with connection.cursor() as cursor:
        if scalar(cursor, "SELECT GET_LOCK(%s, %s)", (LOCK, seconds)) != "1":
            raise MedallionError("another seed is writing to the source", hint="wait for it, then seed again")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT RELEASE_LOCK(%s)", (LOCK,))


def scalar(cursor: Cursor, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
    """The first column of the first row; None when there is no row."""
    cursor.execute(sql, parameters)
    row = cursor.fetchone()
    return row[0] if row else None


def quoted(name: str) -> str:
    """An identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def is_mariadb(cursor: Cursor) -> bool:
    """True on MariaDB, False on MySQL."""
    return "mariadb" in str(scalar(cursor, "SELECT VERSION()")).lower()
