"""The endpoint `redshift_connector` connects to: PostgreSQL's protocol, with Redshift's SQL in it.

One thread a connection moves messages both ways. Startup parameters unknown to PostgreSQL are dropped, SQL is
translated, and what one PostgreSQL statement can't do (COPY from S3, TRUNCATE that commits) is played out on
the same backend connection between the client's Execute and its answer.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from medallion_cli.local.engines import copy_parquet
from medallion_cli.local.engines.dialect import UnsupportedSQL, split, translate
from medallion_cli.local.engines.wire_messages import (
    REWORDED,
    Closed,
    Stream,
    error_body,
    error_fields,
    exactly,
    message,
    one_mechanism,
    row_values,
    translated_error,
)

_DROPPED = {
    "client_protocol_version",
    "driver_version",
    "os_version",
    "driver_discovery_version",
    "plugin_name",
}
_SSL, _GSS, _CANCEL, _PROTOCOL = 80877103, 80877104, 80877102, 196608
_LARGEST = 16 << 20  # a client message; Redshift takes statements of 16 MB

RecordLoad = Callable[
    [copy_parquet.CopyStatement, copy_parquet.CopyPlan | None, str | None, int, datetime], None
]


class _Failed(Exception):
    """A played-out statement failed; its ErrorResponse body goes to the client."""

    def __init__(self, body: bytes) -> None:
        super().__init__("statement failed")
        self.body = body


class WireServer:
    """Listens on a loopback port and forwards to PostgreSQL's."""

    def __init__(self, port: int, backend: int, bucket: copy_parquet.Bucket, record: RecordLoad) -> None:
        self.port = port
        self._backend = backend
        self._bucket = bucket
        self._record = record
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def start(self) -> None:
        """Begins to accept; OSError when the port is taken."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(
            target=self._accept, args=[self._listener], daemon=True, name="redshift-wire"
        ).start()

    def stop(self) -> None:
        """Closes the port and every connection."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for client in list(self._open):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True, name="redshift-session").start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(client)
        try:
            with client, contextlib.suppress(Closed, OSError):
                startup, redshift_driver = _startup(client)
                with socket.create_connection(("127.0.0.1", self._backend)) as backend:
                    backend.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    backend.sendall(startup)
                    if startup[4:8] != struct.pack("!i", _CANCEL):
                        _Connection(client, backend, self._bucket, self._record, redshift_driver).run()
        finally:
            self._open.discard(client)


def _startup(client: socket.socket) -> tuple[bytes, bool]:
    """(the client's first packet for PostgreSQL, whether Redshift's driver sent it); TLS is refused."""
    while True:
        length, code = struct.unpack("!ii", exactly(client, 8))
        if not 8 <= length <= 10_000:
            raise Closed
        body = exactly(client, length - 8)
        if code in (_SSL, _GSS):
            client.sendall(b"N")
        elif code == _CANCEL:
            return struct.pack("!ii", length, code) + body, False
        else:
            return _cleaned_startup(body), b"driver_version" in body


def _cleaned_startup(body: bytes) -> bytes:
    fields = body.rstrip(b"\0").split(b"\0")
    pairs = zip(fields[0::2], fields[1::2], strict=False)
    kept = b"".join(key + b"\0" + value + b"\0" for key, value in pairs if key.decode() not in _DROPPED)
    return struct.pack("!ii", len(kept) + 9, _PROTOCOL) + kept + b"\0"


class _Connection:
    """One client's session: forwards messages, translates SQL, plays out what needs several statements."""

    def __init__(
        self,
        client: socket.socket,
        backend: socket.socket,
        bucket: copy_parquet.Bucket,
        record: RecordLoad,
        redshift_driver: bool,
    ) -> None:
        self._client, self._backend = client, backend
        self._from_client = Stream(client, _LARGEST)
        self._from_backend = Stream(backend, 1 << 30)
        self._bucket, self._record = bucket, record
        self._redshift_driver = redshift_driver
        self._waiting = 1  # ReadyForQuery messages to come; the first ends the startup
        self._status = b"I"
        self._started = False
        self._skipping = False
        self._played: dict[bytes, str] = {}  # prepared statement → SQL that is played out
        self._portals: dict[bytes, str] = {}

    def run(self) -> None:
        """Until one side hangs up."""
        while True:
            ready, _, _ = select.select([self._client, self._backend], [], [])
            if self._backend in ready:
                self._pump()
            if self._client in ready:
                self._from_client.fill()
                for kind, body in self._from_client.take():
                    self._handle(kind, body)

    def _pump(self) -> None:
        """Forwards what the backend has said."""
        self._from_backend.fill()
        out = bytearray()
        for kind, body in self._from_backend.take():
            if kind == b"R" and self._redshift_driver:
                body = one_mechanism(body)
            if kind == b"Z":
                self._waiting, self._status, self._started = self._waiting - 1, body, True
            if kind in REWORDED:
                body = REWORDED[kind](body)
            out += message(kind, body)
        self._client.sendall(out)

    def _handle(self, kind: bytes, body: bytes) -> None:
        if kind == b"S":
            self._skipping = False
            self._waiting += 1
        elif self._skipping or (not self._started and kind != b"p"):
            return
        rule = _RULES.get(kind)
        if rule is None:
            self._backend.sendall(message(kind, body))
            return
        try:
            rule(self, body)
        except _Failed as failed:
            self._client.sendall(message(b"E", failed.body))
            self._skipping = kind != b"Q"
            if kind == b"Q":
                self._client.sendall(message(b"Z", self._status))

    def _query(self, body: bytes) -> None:
        """A simple query: one statement (drivers of Redshift send no more)."""
        sql = body.rstrip(b"\0").decode()
        found = self._translated(sql)
        if _is_one(found):
            self._waiting += 1
            self._backend.sendall(message(b"Q", found[0].encode() + b"\0"))
        else:
            self._client.sendall(message(b"C", self._play(sql)) + message(b"Z", self._status))

    def _parse(self, body: bytes) -> None:
        name, text, rest = body.split(b"\0", 2)
        sql = text.decode()
        self._played.pop(name, None)
        found = self._translated(sql)
        if _is_one(found):
            self._backend.sendall(message(b"P", name + b"\0" + found[0].encode() + b"\0" + rest))
        else:
            self._played[name] = sql
            self._answer(message(b"1"))

    def _bind(self, body: bytes) -> None:
        portal, statement = body.split(b"\0", 2)[:2]
        self._portals.pop(portal, None)
        if statement in self._played:
            self._portals[portal] = self._played[statement]
            self._answer(message(b"2"))
        else:
            self._backend.sendall(message(b"B", body))

    def _describe(self, body: bytes) -> None:
        kind, name = body[:1], body[1:].rstrip(b"\0")
        if name in (self._played if kind == b"S" else self._portals):
            self._answer((message(b"t", b"\0\0") if kind == b"S" else b"") + message(b"n"))
        else:
            self._backend.sendall(message(b"D", body))

    def _execute(self, body: bytes) -> None:
        portal = body.split(b"\0", 1)[0]
        if portal in self._portals:
            self._answer(message(b"C", self._play(self._portals[portal])))
        else:
            self._backend.sendall(message(b"E", body))

    def _close(self, body: bytes) -> None:
        kind, name = body[:1], body[1:].rstrip(b"\0")
        (self._played if kind == b"S" else self._portals).pop(name, None)
        self._backend.sendall(message(b"C", body))

    def _terminate(self, body: bytes) -> None:
        self._backend.sendall(message(b"X", body))
        raise Closed

    def _translated(self, sql: str) -> list[str]:
        try:
            if len(split(sql)) > 1:
                raise self._failure("42601", "cannot insert multiple commands into a prepared statement")
            return translate(sql) or [""]
        except (UnsupportedSQL, ValueError) as error:
            raise self._failure("0A000", str(error)) from None

    def _answer(self, messages: bytes) -> None:
        """Answers for the backend, after everything it still has to say."""
        self._settle()
        self._client.sendall(messages)

    def _settle(self) -> None:
        while self._waiting > 0:
            self._pump()

    def _play(self, sql: str) -> bytes:
        """Runs a statement on the backend, message by message; returns the command tag."""
        self._settle()
        try:
            statement = copy_parquet.parse(sql)
            if statement is not None:
                return self._copy(statement)
            first, *others = translate(sql)
            tag = self._ask(first)[1]
            for other in others if self._status == b"T" else ():
                self._ask(other)
        except copy_parquet.CopyError as error:
            raise self._failure("XX000", str(error)) from None
        return tag

    def _copy(self, statement: copy_parquet.CopyStatement) -> bytes:
        plan, failed, count = None, None, 0
        started = datetime.now(UTC).replace(tzinfo=None)
        try:
            rows, _ = self._ask(copy_parquet.columns_query(statement.table))
            plan = copy_parquet.plan(statement, copy_parquet.table_columns(rows), self._bucket)
            tag = self._ask(plan.sql, plan)[1]
            count = int(tag.rstrip(b"\0").split(b" ")[-1])
        except copy_parquet.CopyError as error:
            failed = str(error)
            raise
        except _Failed as error:
            failed = error_fields(error.body).get("M", "")
            raise
        finally:
            self._record(statement, plan, failed, count, started)
        text = f"Load into table '{statement.table}' completed, {count} record(s) loaded successfully."
        notice = {"S": "INFO", "V": "INFO", "C": "00000", "M": text}
        self._client.sendall(message(b"N", error_body(notice)))
        return tag

    def _ask(
        self, sql: str, copy: copy_parquet.CopyPlan | None = None
    ) -> tuple[list[tuple[Any, ...]], bytes]:
        """A simple query of our own: (rows as text, command tag). _Failed carries the backend's error."""
        self._backend.sendall(message(b"Q", sql.encode() + b"\0"))
        rows: list[tuple[Any, ...]] = []
        tag, error, refused = b"", None, None
        while True:
            self._from_backend.fill()
            for kind, body in self._from_backend.take():
                match kind:
                    case b"D":
                        rows.append(row_values(body))
                    case b"C":
                        tag = body
                    case b"E":
                        error = translated_error(body)
                    case b"G" if copy is not None:
                        refused = self._feed(copy)
                    case b"Z":
                        self._status = body
                        if refused is not None:
                            raise self._failure("XX000", str(refused))
                        if error is not None:
                            raise _Failed(error)
                        return rows, tag
                    case _:
                        pass

    def _feed(self, copy: copy_parquet.CopyPlan) -> copy_parquet.CopyError | None:
        """Sends the rows; a file that does not fit makes the COPY fail and is what the client hears."""
        try:
            for block in copy.blocks():
                self._backend.sendall(message(b"d", block))
                if select.select([self._backend], [], [], 0)[0]:
                    break  # the backend has refused a row: its error is waiting
        except copy_parquet.CopyError as error:
            self._backend.sendall(message(b"f", b"refused\0"))
            return error
        self._backend.sendall(message(b"c"))
        return None

    def _failure(self, sqlstate: str, message: str) -> _Failed:
        """An error of our own; an open transaction fails with it, as it would by an error of the server."""
        self._settle()
        if self._status == b"T":
            with contextlib.suppress(_Failed):
                self._ask("DO $$ BEGIN RAISE EXCEPTION 'failed'; END $$")
        return _Failed(error_body({"S": "ERROR", "V": "ERROR", "C": sqlstate, "M": message}))


def _is_one(translated: list[str]) -> bool:
    """Whether the backend can be given the statement as it is."""
    return len(translated) == 1 and translated[0][:4].upper() != "COPY"


_RULES: dict[bytes, Callable[[_Connection, bytes], None]] = {
    b"Q": _Connection._query,
    b"P": _Connection._parse,
    b"B": _Connection._bind,
    b"D": _Connection._describe,
    b"E": _Connection._execute,
    b"C": _Connection._close,
    b"X": _Connection._terminate,
}
