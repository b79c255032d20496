"""SQL on Redshift, by either of two transports with one contract: the Data API, or redshift_connector.

`execute` runs one statement in a transaction of its own, `batch` several in one. Parameters are `:name`, sent
as text and typed by their context; never NULL or empty (a limit of the Data API). Error 1023, a write
conflict with another transaction, is retried: this one has rolled back by then.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from medallion_cli.aws.warehouse_values import Column, Rows, from_cursor, from_field, texts
from medallion_cli.errors import MedallionError
from medallion_cli.privacy import READER

Answer = TypeVar("Answer")

_ATTEMPTS = 6
_FIRST_DELAY, _LONGEST_DELAY = 0.03, 2.0
_LARGEST_SQL, _LARGEST_BATCH = 100 * 1024, 40


class Warehouse(Protocol):
    """Redshift as the operations see it. Every failure is a MedallionError with Redshift's own words."""

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Rows:
        """Runs one statement in a transaction of its own."""

    def read(self, sql: str) -> Rows:
        """Runs one statement as the reader (medallion_cli.privacy), who can change nothing."""

    def batch(self, sqls: Sequence[str]) -> None:
        """Runs 1 to 40 statements in one transaction."""

    def close(self) -> None:
        """Lets go of connections."""


class Target(Protocol):
    """Where the AWS APIs are."""

    def client(self, service: str) -> Any: ...


class SqlFailed(MedallionError):
    """A statement failed; `conflict` says that running it again may help (error 1023)."""

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(f"Redshift: {message}")
        self.conflict = conflict


def connect(target: Target, outputs: Mapping[str, str], connection: str = "data_api") -> Warehouse:
    """The warehouse of a deployed environment, over `data_api` or `direct` (redshift_connector)."""
    match connection:
        case "data_api":
            return DataApi(
                target, outputs["WorkgroupName"], outputs["Database"], outputs["WarehouseSecretArn"]
            )
        case "direct":
            return Direct(
                target, outputs["WorkgroupName"], outputs["Database"], outputs["WarehouseSecretArn"]
            )
        case _:
            raise ValueError(f"unknown connection {connection!r}")


class DataApi:
    """Over HTTPS: no connection to keep, no network path to the warehouse needed."""

    def __init__(self, target: Target, workgroup: str, database: str, secret: str) -> None:
        self._client = target.client("redshift-data")
        self._where = {"WorkgroupName": workgroup, "Database": database, "SecretArn": secret}

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Rows:
        """One statement, awaited; all pages of its result."""
        _check_sizes([sql])
        given = [{"name": name, "value": value} for name, value in texts(params).items()]
        bound = {"Parameters": given} if given else {}
        return _retried(lambda: self._rows(self._finished("execute_statement", Sql=sql, **bound)))

    def read(self, sql: str) -> Rows:
        """One statement of a transaction that is the reader's."""
        _check_sizes([sql])
        become = f"SET LOCAL SESSION AUTHORIZATION '{READER}'"

        def attempt() -> Rows:
            described = self._finished("batch_execute_statement", Sqls=[become, sql])
            return self._rows(described["SubStatements"][1])

        return _retried(attempt)

    def batch(self, sqls: Sequence[str]) -> None:
        """Several statements in one transaction, awaited."""
        _check_sizes(sqls)
        _retried(lambda: self._finished("batch_execute_statement", Sqls=list(sqls)))

    def close(self) -> None:
        """Nothing to let go of."""

    def _finished(self, operation: str, **request: Any) -> dict[str, Any]:
        """Submits and polls; a statement is cancelled when waiting for it is interrupted."""
        identifier = getattr(self._client, operation)(**self._where, **request)["Id"]
        try:
            described = self._awaited(identifier)
        except KeyboardInterrupt:
            with contextlib.suppress(MedallionError):
                self._client.cancel_statement(Id=identifier)
            raise
        if described["Status"] != "FINISHED":
            raise _data_api_failure(described)
        return described

    def _awaited(self, identifier: str) -> dict[str, Any]:
        for delay in _delays():
            described: dict[str, Any] = self._client.describe_statement(Id=identifier)
            if described["Status"] in ("FINISHED", "FAILED", "ABORTED"):
                return described
            time.sleep(delay)
        raise AssertionError("delays never end")

    def _rows(self, described: dict[str, Any]) -> Rows:
        if not described.get("HasResultSet"):
            return Rows()
        page = self._client.get_statement_result(Id=described["Id"])
        columns = tuple(Column(each["name"], each["typeName"]) for each in page["ColumnMetadata"])
        kinds = [column.type for column in columns]
        rows = []
        while True:
            for record in page["Records"]:
                rows.append(tuple(from_field(field, kind) for field, kind in zip(record, kinds, strict=True)))
            if not page.get("NextToken"):
                return Rows(columns, tuple(rows))
            page = self._client.get_statement_result(Id=described["Id"], NextToken=page["NextToken"])


class Direct:
    """Over a connection of redshift_connector, opened when needed; TLS unless the endpoint is on loopback.

    With `user`, each connection is that user's from its first statement on.
    """

    def __init__(
        self, target: Target, workgroup: str, database: str, secret: str, user: str | None = None
    ) -> None:
        self._target = target
        self._user = user
        self._workgroup, self._database, self._secret = workgroup, database, secret
        self._connection: Any = None
        self._reading: Direct | None = None

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Rows:
        """One statement, committed as soon as it succeeds."""
        _check_sizes([sql])
        given = texts(params)
        return _retried(lambda: self._run([sql], given, autocommit=True))

    def read(self, sql: str) -> Rows:
        """One statement on a connection that is the reader's from its first one to its last."""
        if self._reading is None:
            self._reading = Direct(self._target, self._workgroup, self._database, self._secret, READER)
        return self._reading.execute(sql)

    def batch(self, sqls: Sequence[str]) -> None:
        """Several statements, then one commit."""
        _check_sizes(sqls)
        _retried(lambda: self._run(sqls, {}, autocommit=False))

    def close(self) -> None:
        """Closes the connections; what was not committed is rolled back."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _run(self, sqls: Sequence[str], params: dict[str, str], *, autocommit: bool) -> Rows:
        import redshift_connector

        connection = self._open()
        found = Rows()
        try:
            connection.autocommit = autocommit
            for sql in sqls:
                cursor = connection.cursor()
                cursor.paramstyle = "named"
                cursor.execute(sql, params or None)
                found = from_cursor(cursor)
            if not autocommit:
                connection.commit()
        except redshift_connector.InterfaceError as error:
            self.close()
            raise SqlFailed(f"the connection was lost ({error})") from None
        except redshift_connector.Error as error:
            self._rolled_back()
            raise _driver_failure(error) from None
        except (OSError, KeyboardInterrupt) as error:
            self.close()
            if isinstance(error, KeyboardInterrupt):
                raise
            raise SqlFailed(f"the connection was lost ({error})") from None
        return found

    def _rolled_back(self) -> None:
        try:
            self._connection.rollback()
        except Exception:  # noqa: BLE001 - any failure here means that the connection is of no more use
            self.close()

    def _open(self) -> Any:
        if self._connection is None:
            workgroup = self._target.client("redshift-serverless").get_workgroup(
                workgroupName=self._workgroup
            )
            endpoint = workgroup["workgroup"]["endpoint"]
            found = self._target.client("secretsmanager").get_secret_value(SecretId=self._secret)
            opened = _driver_connection(endpoint, self._database, json.loads(found["SecretString"]))
            if self._user:
                _become(opened, self._user)
            self._connection = opened
        return self._connection


def _driver_connection(endpoint: dict[str, Any], database: str, secret: dict[str, str]) -> Any:
    """A connection of the driver; each statement is prepared anew, since plans outlive their tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the driver's own imports warn when there is no XDG_RUNTIME_DIR
        import redshift_connector

    loopback = endpoint["address"] in ("127.0.0.1", "localhost", "::1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return redshift_connector.connect(
                host=endpoint["address"],
                port=endpoint["port"],
                database=database,
                user=secret["username"],
                password=secret["password"],
                ssl=not loopback,
                application_name="medallion",
                max_prepared_statements=0,
            )
    except (redshift_connector.Error, OSError) as error:
        raise SqlFailed(
            f"no connection to {endpoint['address']}:{endpoint['port']} ({_driver_text(error)})"
        ) from None


def _become(connection: Any, user: str) -> None:
    """Makes a new connection another user's; MedallionError when the warehouse has no such user."""
    import redshift_connector

    try:
        connection.autocommit = True
        connection.cursor().execute(f"SET SESSION AUTHORIZATION '{user}'")
    except redshift_connector.Error as error:
        connection.close()
        failed = _driver_failure(error)
        failed.hint = "medallion up"  # an older one made the warehouse, without this user
        raise failed from None


def _check_sizes(sqls: Sequence[str]) -> None:
    if not 1 <= len(sqls) <= _LARGEST_BATCH:
        raise MedallionError(f"a batch has 1 to {_LARGEST_BATCH} statements, not {len(sqls)}")
    for sql in sqls:
        if len(sql.encode()) > _LARGEST_SQL:
            raise MedallionError(f"a statement has at most 100 KB: {sql[:60]}…")


def _retried(attempt: Callable[[], Answer]) -> Answer:
    """The attempt's answer; a write conflict (1023) is tried again with growing, jittered pauses."""
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except SqlFailed as failed:
            if not failed.conflict or number == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.5, 1.0) * 0.2 * 2**number)
    raise AssertionError("the last attempt returns or raises")


def _delays() -> Iterator[float]:
    delay = _FIRST_DELAY
    while True:
        yield delay
        delay = min(delay * 1.5, _LONGEST_DELAY)


def _data_api_failure(described: dict[str, Any]) -> SqlFailed:
    """Names the failed sub-statement and its error; an abort says so."""
    failed = [sub for sub in described.get("SubStatements", []) if sub.get("Error")]
    said = (
        failed[0]["Error"] if failed else described.get("Error") or f"the statement was {described['Status']}"
    )
    where = f" in `{_short(failed[0].get('QueryString', ''))}`" if failed else ""
    text = _one_line(said.removeprefix("ERROR: "))
    return SqlFailed(text + where, conflict=_is_conflict(text))


def _driver_failure(error: Exception) -> SqlFailed:
    text = _driver_text(error)
    return SqlFailed(text, conflict=_is_conflict(text))


def _driver_text(error: Exception) -> str:
    """Message and detail of the driver's error, which carries the server's fields as a dict."""
    fields = error.args[0] if error.args else ""
    if not isinstance(fields, dict):
        return _one_line(str(error))
    parts = [fields.get("M", "")]
    parts += [f"Detail: {fields['D']}"] if fields.get("D") else []
    parts += [f"Where: {fields['W'].splitlines()[0]}"] if fields.get("W") else []
    return _one_line(" ".join(parts))


def _is_conflict(text: str) -> bool:
    return "1023" in text and "erializable isolation violation" in text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _short(sql: str) -> str:
    line = _one_line(sql)
    return line if len(line) <= 80 else f"{line[:79]}…"
