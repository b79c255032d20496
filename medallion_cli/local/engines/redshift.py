"""A local Redshift: one PostgreSQL server, the dialect, COPY from S3, sessions that speak Redshift's SQL."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medallion_cli.local.engines import copy_parquet, processes
from medallion_cli.local.engines.copy_parquet import CopyPlan, CopyStatement
from medallion_cli.local.engines.dialect import UnsupportedSQL, shown_name, split, translate
from medallion_cli.local.engines.postgres import PostgresServer
from medallion_cli.local.engines.redshift_errors import SqlError, from_postgres

if TYPE_CHECKING:
    import psycopg

    from medallion_cli.local.engines.wire import WireServer


class Host(Protocol):
    """What the engine needs of the daemon's runtime."""

    state: Path
    cache: Path

    def object_path(self, bucket: str, key: str) -> Path: ...
    def engine_user(self) -> tuple[int, int] | None: ...
    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ResultColumn:
    """A result's column: name, PostgreSQL type OID and modifier, and the table it comes from (0: none)."""

    name: str
    oid: int
    modifier: int
    table: int


@dataclass(frozen=True)
class Outcome:
    """What a statement gave: columns (None: no result set), rows as text, rows returned or affected."""

    columns: tuple[ResultColumn, ...] | None
    rows: list[tuple[str | None, ...]]
    count: int


class Redshift:
    """A namespace's warehouse: `start` brings up PostgreSQL and the wire endpoint, `session` opens one."""

    def __init__(self, host: Host, name: str) -> None:
        self.name = name
        self._host = host
        self._folder = host.state / "engines" / f"redshift-{name}"
        self._server = PostgresServer(self._folder, cache=host.cache, user=host.engine_user())
        self._wire: WireServer | None = None
        self._login = ("", "", "")
        self._journal: psycopg.Connection | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        return self._wire is not None and self._server.running

    @property
    def port(self) -> int:
        """The port of the wire endpoint: what a driver connects to."""
        return self._ports().get("wire", 0)

    def start(self, database: str, admin: str, password: str) -> None:
        """Starts everything; the database and the admin user are created, or the password is set anew."""
        from medallion_cli.local.engines.wire import WireServer

        self._folder.mkdir(parents=True, exist_ok=True)
        self.stop()
        ports = self._claim_ports()
        self._server.start(ports["postgres"])
        self._prepare(database, admin, password)
        self._login = (database, admin, password)
        self._wire = WireServer(ports["wire"], ports["postgres"], self.bucket(), self.record_load)
        self._wire.start()

    def stop(self) -> None:
        """Closes the endpoint and stops the server; the data stay."""
        if self._wire is not None:
            self._wire.stop()
            self._wire = None
        with self._lock:
            if self._journal is not None:
                self._journal.close()
            self._journal = None
        self._server.stop()

    def remove(self) -> None:
        """Stops and deletes the data."""
        import shutil

        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def set_login(self, database: str, admin: str, password: str) -> None:
        """A new admin password (or user) on the running warehouse."""
        self._prepare(database, admin, password)
        self._login = (database, admin, password)

    def bucket(self) -> copy_parquet.Bucket:
        """COPY's access to objects."""
        return copy_parquet.Bucket(self._host.object_path, self._keys)

    def session(self, database: str = "", user: str = "", password: str = "") -> Session:
        """A session, the admin's unless told otherwise. SqlError: unknown database, or the server is down."""
        import psycopg

        default, admin, secret = self._login
        try:
            connection = psycopg.connect(
                host="127.0.0.1",
                port=self._server.port,
                user=user or admin,
                password=password or secret,
                dbname=database or default,
                autocommit=True,
                connect_timeout=10,
                sslmode="disable",
            )
        except psycopg.OperationalError as error:
            raise SqlError("08001", str(error).strip().splitlines()[-1]) from None
        return Session(connection, self)

    def record(self, sql: str, values: Sequence[object]) -> None:
        """Writes a row of the SYS_ views' journal in its own transaction; history never fails a statement."""
        import psycopg

        with self._lock, contextlib.suppress(psycopg.Error):
            if self._journal is None or self._journal.closed:
                self._journal = self._server.connect(self._login[0])
                self._journal.execute("SET synchronous_commit = off")
            self._journal.execute(sql, values)

    def record_load(
        self, statement: CopyStatement, plan: CopyPlan | None, error: str | None, rows: int, started: datetime
    ) -> None:
        """Writes a row of SYS_LOAD_HISTORY; it stays when the load rolls back, as on Redshift."""
        status = "failed" if error else "completed"
        size, files = (plan.size, len(plan.files)) if plan else (0, 0)
        loaded = [0, 0] if error else [rows, size]
        self.record(
            _LOADS, [statement.table, statement.uri, status, error, statement.uri, *loaded, files, started]
        )

    def _keys(self, bucket: str, prefix: str) -> list[str]:
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self._host.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix, **more)
            found += [entry["Key"] for entry in page.get("Contents", [])]
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def record_query(self, statement: dict[str, Any]) -> None:
        """Writes a row of SYS_QUERY_HISTORY for a statement of the Data API."""
        sql = ";\n".join(sub["sql"] for sub in statement["subs"]) or statement["sql"]
        kind = (sql.split() or ["UNKNOWN"])[0].upper()
        status = {"FINISHED": "success", "ABORTED": "canceled"}.get(statement["status"], "failed")
        times = [
            datetime.fromtimestamp(statement[key], UTC).replace(tzinfo=None) for key in ("started", "updated")
        ]
        values = [statement["user"], kind, sql[:4000], status, statement["error"], statement["rows"], *times]
        self.record(_QUERIES, values)

    def _claim_ports(self) -> dict[str, int]:
        """Chosen once and kept; a port that somebody else took in the meantime is replaced."""
        known = self._ports()
        ports = {name: known[name] if _free(known.get(name, 0)) else processes.free_port() for name in _PORTS}
        fresh = self._folder / "ports.new"
        fresh.write_text(json.dumps(ports))
        fresh.replace(self._folder / "ports.json")
        return ports

    def _ports(self) -> dict[str, int]:
        path = self._folder / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return ports

    def _prepare(self, database: str, admin: str, password: str) -> None:
        from psycopg import sql

        functions = resources.files(__package__).joinpath("dialect_functions.sql").read_text()
        with self._server.connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [admin]).fetchone()
            verb = "ALTER" if known else "CREATE"
            role = sql.SQL(verb + " ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}")
            connection.execute(role.format(sql.Identifier(admin), sql.Literal(password)))
            taken = sql.SQL(
                "ALTER ROLE {} SET createrole_self_grant = 'set'"
            )  # for SET SESSION AUTHORIZATION
            connection.execute(taken.format(sql.Identifier(admin)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                create = sql.SQL("CREATE DATABASE {} OWNER {}")
                connection.execute(create.format(sql.Identifier(database), sql.Identifier(admin)))
        with self._server.connect(database, autocommit=False) as connection:
            connection.execute("SET allow_system_table_mods = on")
            connection.execute(functions.encode())


class Session:
    """One connection that takes Redshift SQL; outside BEGIN … COMMIT each statement stands alone."""

    def __init__(self, connection: psycopg.Connection, warehouse: Redshift) -> None:
        self._connection = connection
        self._warehouse = warehouse

    def execute(self, sql: str, values: Sequence[str] = ()) -> Outcome:
        """Runs one statement; `values` stand for `$1`, `$2` …. SqlError in Redshift's words."""
        import psycopg

        try:
            if len(split(sql)) > 1:
                raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
            statement = copy_parquet.parse(sql)
            return self._copy(statement) if statement else self._run(sql, values)
        except (UnsupportedSQL, copy_parquet.CopyError, ValueError) as error:
            raise SqlError("0A000" if isinstance(error, UnsupportedSQL) else "XX000", str(error)) from None
        except psycopg.Error as error:
            raise from_postgres(error) from None

    def cancel(self) -> None:
        """Asks the server to cancel what runs; the statement ends with an error."""
        import psycopg

        with contextlib.suppress(psycopg.Error):  # it has ended by itself
            self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, values: Sequence[str]) -> Outcome:
        import psycopg

        outcome = Outcome(None, [], 0)
        for number, one in enumerate(translate(sql)):
            if number and self._connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                break  # the COMMIT after a TRUNCATE that has already committed
            cursor = psycopg.RawCursor(self._connection)
            cursor.execute(one.encode(), list(values) or None, prepare=False)
            outcome = _outcome(cursor) if not number else outcome
        return outcome

    def _copy(self, statement: CopyStatement) -> Outcome:
        import psycopg

        started = _now()
        plan, error = None, None
        cursor = psycopg.RawCursor(self._connection)
        try:
            rows = cursor.execute(copy_parquet.columns_query(statement.table).encode()).fetchall()
            columns = copy_parquet.table_columns([tuple(str(value) for value in row) for row in rows])
            plan = copy_parquet.plan(statement, columns, self._warehouse.bucket())
            with cursor.copy(plan.sql.encode()) as copy:
                for block in plan.blocks():
                    copy.write(block)
        except (psycopg.Error, copy_parquet.CopyError) as failed:
            error = str(failed).splitlines()[0]
            raise
        finally:
            self._warehouse.record_load(statement, plan, error, cursor.rowcount, started)
        return Outcome(None, [], cursor.rowcount)


_PORTS = ("postgres", "wire")
_LOADS = (
    "INSERT INTO medallion_journal.loads (table_name, data_source, status, error_message, file_name, "
    "loaded_rows, loaded_bytes, source_file_count, start_time, end_time) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, statement_timestamp())"
)


_QUERIES = (
    "INSERT INTO medallion_journal.queries (user_name, query_type, query_text, status, error_message, "
    "returned_rows, start_time, end_time) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _outcome(cursor: psycopg.RawCursor[Any]) -> Outcome:
    result = cursor.pgresult
    if result is None or cursor.description is None:
        return Outcome(None, [], cursor.rowcount)
    columns = tuple(
        ResultColumn(
            shown_name((result.fname(i) or b"").decode()), result.ftype(i), result.fmod(i), result.ftable(i)
        )
        for i in range(result.nfields)
    )
    width = range(result.nfields)
    rows = [tuple(_decoded(result.get_value(row, i)) for i in width) for row in range(result.ntuples)]
    return Outcome(columns, rows, result.ntuples)


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _free(port: int) -> bool:
    if not port:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
