"""The Redshift Data API: statements that run in the background, and their results page by page.

Limits are AWS's (Data API guide, "Considerations"): 100 KB a statement, 1 to 40 statements a batch in one
transaction, parameters never NULL or empty, history and results for 24 hours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from medallion_cli.local.engines.redshift import Outcome, Session
from medallion_cli.local.engines.redshift_errors import SqlError
from medallion_cli.local.engines.sql_lexer import bind_names
from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services import redshift_catalog as catalog
from medallion_cli.local.services.redshift_documents import (
    described,
    listed,
    new_statement,
    paged,
    result,
    submitted,
)
from medallion_cli.local.services.redshift_statements import DONE, Statements

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime
    from medallion_cli.local.services.redshift_serverless import RedshiftServerless

_LARGEST_SQL = 100 * 1024
_TOKEN_SECONDS = 8 * 3600
_AT_ONCE = 20
_LONGEST_WAIT = 60


class RedshiftData(Service):
    """The API over the workgroups of this daemon."""

    name = "redshift-data"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._statements = Statements(runtime.state / "engines" / "redshift-data")
        self._running: dict[str, Session] = {}
        self._cancelled: set[str] = set()
        self._finished: dict[str, threading.Event] = {}
        self._slots = threading.Semaphore(_AT_ONCE)
        self._lock = threading.RLock()

    def start(self) -> None:
        """Statements that ran when the daemon died are ABORTED: their transactions were rolled back."""
        self._statements.abort_unfinished()

    def stop(self) -> None:
        """Cancels what runs."""
        for identifier in list(self._running):
            self._cancel(identifier)

    # running

    def execute_statement(self, params: dict[str, Any]) -> dict[str, Any]:
        """Starts one statement; `:name` parameters are bound by the server, never pasted."""
        _check_size(params["Sql"])
        given = {each["name"]: each["value"] for each in params.get("Parameters", [])}
        if not all(given.values()):
            raise ServiceError("ValidationException", "Parameter values must not be NULL or empty")
        sql, order = _bound(params["Sql"], given)
        return self._submit(params, [sql], [given[name] for name in order])

    def batch_execute_statement(self, params: dict[str, Any]) -> dict[str, Any]:
        """Starts 1 to 40 statements in one transaction."""
        if not 1 <= len(params["Sqls"]) <= 40:
            raise ServiceError("ValidationException", "Sqls must have between 1 and 40 statements")
        if params.get("Parameters"):
            raise ServiceError("ValidationException", "Parameters are only supported by ExecuteStatement")
        if params.get("ExecutionMode", "TRANSACTION") != "TRANSACTION":
            raise ServiceError("ValidationException", "ExecutionMode AUTO_COMMIT is not supported locally")
        for sql in params["Sqls"]:
            _check_size(sql)
        return self._submit(params, params["Sqls"], [])

    def cancel_statement(self, params: dict[str, Any]) -> dict[str, Any]:
        """Cancels a running statement. ValidationException when it has ended."""
        statement = self._statements.get(params["Id"])
        if statement["status"] in DONE:
            said = f"Could not cancel a query that is already in {statement['status']} state: {params['Id']}"
            raise ServiceError("ValidationException", said)
        self._cancel(params["Id"])
        return {"Status": True}

    def _submit(self, params: dict[str, Any], sqls: list[str], values: list[str]) -> dict[str, Any]:
        if params.get("SessionId") or params.get("SessionKeepAliveSeconds"):
            raise ServiceError(
                "ValidationException", "sessions that outlive a statement are not supported locally"
            )
        login = self._login(params)
        with self._lock:
            known = self._statements.by_token(params.get("ClientToken"), time.time() - _TOKEN_SECONDS)
            if known is not None:
                return submitted(known)
            statement = new_statement(params, login)
            self._statements.save(statement)
            self._finished[statement["id"]] = threading.Event()
        work = threading.Thread(target=self._work, args=[statement["id"], login, sqls, values], daemon=True)
        work.start()
        self._wait(statement["id"], params)
        return submitted(self._statements.get(statement["id"]))

    def _login(self, params: dict[str, Any]) -> tuple[str, str, str, str]:
        """(workgroup, database, user, password); without a secret the caller is the administrator."""
        workgroup, secret = params.get("WorkgroupName"), params.get("SecretArn")
        if not workgroup:
            raise ServiceError(
                "ValidationException", "WorkgroupName is required: there are no clusters locally"
            )
        serverless: RedshiftServerless = self._runtime.services["redshift-serverless"]  # type: ignore[assignment]
        serverless.engine(workgroup)
        namespace = serverless.namespace_of(workgroup)
        database = params.get("Database") or namespace["dbName"]
        if not secret:
            return workgroup, database, namespace["adminUsername"], namespace["adminUserPassword"]
        found = catalog.secret(self._runtime, secret)
        return workgroup, database, found["username"], found["password"]

    def _session(self, login: tuple[str, str, str, str]) -> Session:
        workgroup, database, user, password = login
        serverless: RedshiftServerless = self._runtime.services["redshift-serverless"]  # type: ignore[assignment]
        return serverless.engine(workgroup).session(database, user, password)

    def _work(
        self, identifier: str, login: tuple[str, str, str, str], sqls: list[str], values: list[str]
    ) -> None:
        """A statement's life, in its own thread."""
        with self._slots:
            try:
                session = self._session(login)
            except SqlError as error:
                self._statements.fail(identifier, None, f"FATAL: {error}", aborted=False)
            else:
                self._running[identifier] = session
                self._run(identifier, session, sqls, values)
            finally:
                self._ended(identifier)

    def _ended(self, identifier: str) -> None:
        """Whatever happened: nothing stays STARTED, nobody waits for ever, the session is closed."""
        session = self._running.pop(identifier, None)
        if session is not None:
            session.close()
        self._statements.end(identifier)
        self._journal(self._statements.get(identifier))
        self._cancelled.discard(identifier)
        self._finished.pop(identifier).set()

    def _run(self, identifier: str, session: Session, sqls: list[str], values: list[str]) -> None:
        batch = self._statements.get(identifier)["batch"]
        number = 0
        try:
            self._begin(identifier, session, batch)
            for number, sql in enumerate(sqls, start=1):
                self._statements.begin(identifier, number if batch else None)
                outcome = session.execute(sql, values)
                columns = catalog.column_metadata(None if batch else session, outcome.columns)
                self._statements.finish(identifier, number if batch else None, outcome, columns)
            if batch:
                session.execute("COMMIT")
            self._statements.complete(identifier)
        except SqlError as error:
            aborted = identifier in self._cancelled
            said = f"ERROR: {error}"
            self._statements.fail(identifier, number if batch else None, said, aborted=aborted)

    def _begin(self, identifier: str, session: Session, batch: bool) -> None:
        if identifier in self._cancelled:
            raise SqlError("57014", "Query cancelled on user's request")
        self._statements.begin(identifier, None)
        if batch:
            session.execute("BEGIN")

    def _cancel(self, identifier: str) -> None:
        """Asks until it ends: a request that arrives between two statements has nothing to cancel."""
        self._cancelled.add(identifier)
        threading.Thread(target=self._insist, args=[identifier], daemon=True).start()

    def _insist(self, identifier: str) -> None:
        while (session := self._running.get(identifier)) is not None:
            session.cancel()
            time.sleep(0.1)

    def _journal(self, statement: dict[str, Any]) -> None:
        serverless: RedshiftServerless = self._runtime.services["redshift-serverless"]  # type: ignore[assignment]
        try:
            engine = serverless.engine(statement["workgroup"])
        except ServiceError:  # deleted meanwhile
            return
        engine.record_query(statement)

    def _wait(self, identifier: str, params: dict[str, Any]) -> None:
        done = self._finished.get(identifier.split(":")[0])
        if done is not None and params.get("WaitTimeSeconds"):
            done.wait(min(params["WaitTimeSeconds"], _LONGEST_WAIT))

    # reading

    def describe_statement(self, params: dict[str, Any]) -> dict[str, Any]:
        """State, error, counts and sub-statements; Duration in nanoseconds."""
        self._wait(params["Id"], params)
        return described(self._statements.get(params["Id"]))

    def get_statement_result(self, params: dict[str, Any]) -> dict[str, Any]:
        """A page of rows as typed fields."""
        self._wait(params["Id"], params)
        statement = self._with_result(params["Id"], "JSON")
        kinds = [column["typeName"] for column in statement["columns"]]
        rows, token = self._statements.page(params["Id"], params.get("NextToken"))
        records = [
            [catalog.field(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in rows
        ]
        return paged({"Records": records} | result(statement), token)

    def get_statement_result_v2(self, params: dict[str, Any]) -> dict[str, Any]:
        """A page of rows as CSV, for statements that asked for ResultFormat CSV."""
        self._wait(params["Id"], params)
        statement = self._with_result(params["Id"], "CSV")
        rows, token = self._statements.page(params["Id"], params.get("NextToken"))
        names = [column["name"] for column in statement["columns"]]
        text = catalog.csv_text(names if not params.get("NextToken") else None, rows)
        return paged({"Records": [{"CSVRecords": text}], "ResultFormat": "CSV"} | result(statement), token)

    def _with_result(self, identifier: str, form: str) -> dict[str, Any]:
        statement = self._statements.get(identifier)
        if statement["status"] != "FINISHED":
            said = (
                f"Query does not have result. Please check query status with DescribeStatement: {identifier}"
            )
            raise ServiceError("ResourceNotFoundException", said)
        if not statement["has_result"]:
            raise ServiceError("ResourceNotFoundException", "Query does not have result")
        if statement["format"] != form:
            said = f"The result format is {statement['format']}: use the other GetStatementResult"
            raise ServiceError("ValidationException", said)
        return statement

    def list_statements(self, params: dict[str, Any]) -> dict[str, Any]:
        """The newest first; the name matches as a prefix."""
        wanted: list[Callable[[dict[str, Any]], bool]] = [
            lambda each: params.get("Status", "ALL") in ("ALL", each["status"]),
            lambda each: (each["name"] or "").startswith(params.get("StatementName", "")),
            lambda each: params.get("WorkgroupName", each["workgroup"]) == each["workgroup"],
        ]
        found = [each for each in self._statements.newest() if all(test(each) for test in wanted)]
        page, token = catalog.page_of(found, params)
        return paged({"Statements": [listed(each) for each in page]}, token)

    # the catalog

    def list_databases(self, params: dict[str, Any]) -> dict[str, Any]:
        rows = self._ask(params, catalog.DATABASES, [])
        page, token = catalog.page_of([row[0] for row in rows], params)
        return paged({"Databases": page}, token)

    def list_schemas(self, params: dict[str, Any]) -> dict[str, Any]:
        rows = self._ask(params, catalog.SCHEMAS, [params.get("SchemaPattern", "%")])
        page, token = catalog.page_of([row[0] for row in rows], params)
        return paged({"Schemas": page}, token)

    def list_tables(self, params: dict[str, Any]) -> dict[str, Any]:
        patterns = [params.get("SchemaPattern", "%"), params.get("TablePattern", "%")]
        rows = self._ask(params, catalog.TABLES, patterns)
        tables = [{"schema": row[0], "name": row[1], "type": row[2]} for row in rows]
        page, token = catalog.page_of(tables, params)
        return paged({"Tables": page}, token)

    def describe_table(self, params: dict[str, Any]) -> dict[str, Any]:
        rows = self._ask(params, catalog.COLUMNS, [params.get("Schema", "public"), params.get("Table", "")])
        page, token = catalog.page_of([catalog.table_column(row) for row in rows], params)
        return paged({"TableName": params.get("Table", ""), "ColumnList": page}, token)

    def _ask(self, params: dict[str, Any], sql: str, values: list[str]) -> list[tuple[str | None, ...]]:
        try:
            session = self._session(self._login(params))
        except SqlError as error:
            raise ServiceError("DatabaseConnectionException", str(error)) from None
        try:
            outcome: Outcome = session.execute(sql, values)
            return outcome.rows
        finally:
            session.close()


def _check_size(sql: str) -> None:
    if len(sql.encode()) > _LARGEST_SQL:
        raise ServiceError("ValidationException", "The query statement is larger than the limit of 100 KB")


def _bound(sql: str, given: dict[str, str]) -> tuple[str, list[str]]:
    """(the SQL with `$1` …, the names in order). ValidationException for an unknown or an unused name."""
    if not given:
        return sql, []
    try:
        bound, order = bind_names(sql, given)
    except KeyError as name:
        raise ServiceError("ValidationException", f"Parameter {name} is not given") from None
    except ValueError as error:
        raise ServiceError("ValidationException", str(error)) from None
    unused = sorted(set(given) - set(order))
    if unused:
        raise ServiceError("ValidationException", f"Parameters list contains unused parameters: {unused}")
    return bound, order


def create(runtime: Runtime) -> RedshiftData:
    """The service of this daemon."""
    return RedshiftData(runtime)
